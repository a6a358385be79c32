// Keys and times are looked at column by column, when all rows are there.
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "adapters/messages/decoded_rows_internal.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark::messages {
namespace {

using Role = WantedColumn::Role;

/// Why the value is no point in time; empty if it is one.
std::string TimeProblem(const arrow::Array& times, std::int64_t row) {
  if (times.IsNull(row)) return "is missing or null";
  if (times.type_id() == arrow::Type::STRING) {
    const auto text = static_cast<const arrow::StringArray&>(times).GetView(row);
    return ParseTimestampUs(text) ? "" : fmt::format("is {}, which is no ISO-8601 time", Quoted(text));
  }
  if (times.type_id() == arrow::Type::DOUBLE) {
    const double number = static_cast<const arrow::DoubleArray&>(times).Value(row);
    return std::isfinite(number) ? "" : "is no finite number";
  }
  return "";
}

}  // namespace

DecodedRows::DecodedRows(const WantedColumns& wanted, std::span<const StreamMessage> messages)
    : wanted_(wanted), messages_(messages) {
  messages_of_rows_.reserve(messages.size());
  is_deleted_.reserve(messages.size());
  is_dropped_.reserve(messages.size());
}

void DecodedRows::Add(std::size_t message, bool is_deleted) {
  messages_of_rows_.push_back(message);
  is_deleted_.push_back(is_deleted);
  is_dropped_.push_back(false);
}

void DecodedRows::AddBroken(std::size_t message, std::string reason) {
  Add(message);
  Drop(messages_of_rows_.size() - 1, std::move(reason));
}

void DecodedRows::Reject(std::size_t message, std::string reason) {
  rejected_.push_back({.message = message, .reason = std::move(reason)});
}

void DecodedRows::Drop(std::size_t row, std::string reason) {
  if (is_dropped_[row]) return;
  is_dropped_[row] = true;
  ++dropped_;
  Reject(messages_of_rows_[row], std::move(reason));
}

void DecodedRows::DropWithoutKey(const WantedColumn& column, const arrow::Array& values) {
  if (values.null_count() == 0) return;
  for (std::int64_t row = 0; row < values.length(); ++row) {
    if (values.IsNull(row))
      Drop(static_cast<std::size_t>(row), fmt::format("join key '{}' is missing or null", column.name));
  }
}

void DecodedRows::DropWithoutTime(const WantedColumn& column, const arrow::Array& values,
                                  const std::vector<bool>& timeless) {
  if (values.type_id() == arrow::Type::TIMESTAMP && values.null_count() == 0) return;
  for (std::int64_t row = 0; row < values.length(); ++row) {
    if (timeless[static_cast<std::size_t>(row)] && values.IsNull(row)) continue;
    if (const std::string problem = TimeProblem(values, row); !problem.empty())
      Drop(static_cast<std::size_t>(row), fmt::format("event time '{}' {}", column.member, problem));
  }
}

Result<void> DecodedRows::FillCreated(std::shared_ptr<arrow::Array>& column) const {
  if (column->type_id() != arrow::Type::TIMESTAMP || column->null_count() == 0) return {};
  const auto& times = static_cast<const arrow::TimestampArray&>(*column);
  arrow::TimestampBuilder filled(column->type(), arrow::default_memory_pool());
  TM_TRY(FromArrowStatus(filled.Reserve(times.length())));
  for (std::int64_t row = 0; row < times.length(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    if (times.IsValid(row)) {
      filled.UnsafeAppend(times.Value(row));
    } else if (is_deleted_[at]) {
      filled.UnsafeAppendNull();
    } else {
      filled.UnsafeAppend(messages_[messages_of_rows_[at]].timestamp_us);
    }
  }
  return FromArrowStatus(filled.Finish(&column));
}

/// A message may say of itself that it is a deletion: it needs no event time then.
std::vector<bool> DecodedRows::Timeless(const arrow::ArrayVector& columns) const {
  std::vector<bool> timeless = is_deleted_;
  const auto deletion = std::ranges::find(wanted_.columns(), Role::kDeletion, &WantedColumn::role);
  if (deletion == wanted_.columns().end()) return timeless;
  const auto& column = columns[static_cast<std::size_t>(deletion - wanted_.columns().begin())];
  if (column->type_id() != arrow::Type::BOOL) return timeless;
  const auto& flags = static_cast<const arrow::BooleanArray&>(*column);
  for (std::int64_t row = 0; row < flags.length(); ++row) {
    if (flags.IsValid(row) && flags.Value(row)) timeless[static_cast<std::size_t>(row)] = true;
  }
  return timeless;
}

Result<DecodedMessages> DecodedRows::Finish(arrow::ArrayVector columns) {
  const std::vector<bool> timeless = Timeless(columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const WantedColumn& column = wanted_.columns()[i];
    if (column.role == Role::kJoinKey) DropWithoutKey(column, *columns[i]);
    if (column.role == Role::kEventTime) DropWithoutTime(column, *columns[i], timeless);
    if (column.role == Role::kCreatedTime) TM_TRY(FillCreated(columns[i]));
  }
  return Kept(std::move(columns));
}

Result<DecodedMessages> DecodedRows::Kept(arrow::ArrayVector columns) {
  DecodedMessages decoded;
  decoded.rows = arrow::RecordBatch::Make(wanted_.schema(), count(), std::move(columns));
  if (dropped_ == 0) {
    decoded.message_of_row = std::move(messages_of_rows_);
    decoded.is_deleted = std::move(is_deleted_);
  } else {
    arrow::BooleanBuilder kept;
    for (std::size_t row = 0; row < is_dropped_.size(); ++row) {
      TM_TRY(FromArrowStatus(kept.Append(!is_dropped_[row])));
      if (is_dropped_[row]) continue;
      decoded.message_of_row.push_back(messages_of_rows_[row]);
      decoded.is_deleted.push_back(is_deleted_[row]);
    }
    TM_ASSIGN(const auto mask, FromArrowResult(kept.Finish()));
    TM_ASSIGN(const arrow::Datum rows, FromArrowResult(arrow::compute::Filter(decoded.rows, mask)));
    decoded.rows = rows.record_batch();
  }
  std::ranges::sort(rejected_, {}, &RejectedMessage::message);
  decoded.rejected = std::move(rejected_);
  return decoded;
}

}  // namespace tidemark::messages
