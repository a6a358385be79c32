// Checks feature rows before the kernel's loops, which check nothing, read them.
#include "pit/feature_columns_internal.h"

#include <fmt/format.h>

namespace tidemark::pit_internal {
namespace {

Result<void> CheckColumn(const arrow::Array* column, std::string_view name, std::int64_t rows,
                         bool nulls_allowed) {
  if (column == nullptr) return {};
  if (column->length() != rows) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has {} rows, the event times have {}", name, column->length(), rows));
  }
  if (!nulls_allowed && column->null_count() > 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has {} nulls; none are allowed", name, column->null_count()));
  }
  return {};
}

}  // namespace

Result<FeatureColumns> FeatureColumns::Make(const FeatureRows& rows) {
  if (rows.event == nullptr) return Fail(ErrorCode::kInvalidArgument, "feature rows without event times");
  const std::int64_t count = rows.event->length();
  TM_TRY(CheckColumn(rows.event.get(), "the event time", count, false));
  TM_TRY(CheckColumn(rows.created.get(), "the created time", count, false));
  TM_TRY(CheckColumn(rows.sequence.get(), "the sequence", count, false));
  TM_TRY(CheckColumn(rows.origin.get(), "the origin", count, false));
  TM_TRY(CheckColumn(rows.is_deleted.get(), "is_deleted", count, true));
  TM_TRY(CheckColumn(rows.expires_at.get(), "expires_at", count, true));
  FeatureColumns out;
  out.rows = static_cast<std::size_t>(count);
  out.first_location = rows.first_location;
  out.event = rows.event->raw_values();
  if (rows.created != nullptr) out.created = rows.created->raw_values();
  if (rows.sequence != nullptr) out.sequence = rows.sequence->raw_values();
  if (rows.origin != nullptr) out.origin = rows.origin->raw_values();
  out.is_deleted = rows.is_deleted.get();
  out.expires_at = rows.expires_at.get();
  return out;
}

StateKind FeatureColumns::kind() const {
  if (is_deleted != nullptr && is_deleted->true_count() > 0) return StateKind::kFull;
  if (expires_at != nullptr && expires_at->null_count() < expires_at->length()) return StateKind::kFull;
  std::uint32_t writers = 0;  // their bits
  for (std::size_t row = 0; origin != nullptr && row < rows; ++row)
    writers |= origin[row];
  if (writers != 0) return StateKind::kFull;
  if (sequence != nullptr) return StateKind::kWritten;
  return created != nullptr ? StateKind::kCreated : StateKind::kPlain;
}

}  // namespace tidemark::pit_internal
