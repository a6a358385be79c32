// A hash for each cell, mixed into one for each row, and rows added up.
#include "engine/tables/batch_content.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <charconv>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "model/feature_table.h"
#include "model/name.h"
#include "store/write_log.h"

namespace tidemark {
namespace {

using Hashes = std::vector<std::uint64_t>;

constexpr std::uint64_t kNull = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kSecond = 0xD1B54A32D192ED03ULL;  // of the two sums

std::uint64_t Mixed(std::uint64_t before, std::uint64_t next) {
  return MixHash(before * kSecond + next);
}

std::uint64_t HashOf(std::string_view bytes) {
  return Hash64(std::as_bytes(std::span(bytes)));
}

Result<Hashes> CellHashes(const arrow::Array& array);

Hashes FixedHashes(const arrow::Array& array, std::size_t width) {
  Hashes hashes(static_cast<std::size_t>(array.length()));
  const auto* const values = reinterpret_cast<const std::byte*>(array.data()->buffers[1]->data()) +
                             static_cast<std::size_t>(array.offset()) * width;
  for (std::size_t row = 0; row < hashes.size(); ++row)
    hashes[row] = Hash64({values + row * width, width});
  return hashes;
}

template <typename Array>
Hashes BytesHashes(const Array& array) {
  Hashes hashes(static_cast<std::size_t>(array.length()));
  for (std::size_t row = 0; row < hashes.size(); ++row)
    hashes[row] = HashOf(array.GetView(static_cast<std::int64_t>(row)));
  return hashes;
}

Hashes BoolHashes(const arrow::BooleanArray& array) {
  Hashes hashes(static_cast<std::size_t>(array.length()));
  for (std::size_t row = 0; row < hashes.size(); ++row)
    hashes[row] = array.Value(static_cast<std::int64_t>(row)) ? 1 : 2;
  return hashes;
}

// Lists and maps, which are lists of entries.
Result<Hashes> ListHashes(const arrow::ListArray& array) {
  Hashes hashes(static_cast<std::size_t>(array.length()));
  if (hashes.empty()) return hashes;
  const std::int64_t first = array.value_offset(0);
  TM_ASSIGN(const Hashes items,
            CellHashes(*array.values()->Slice(first, array.value_offset(array.length()) - first)));
  for (std::size_t row = 0; row < hashes.size(); ++row) {
    const auto at = static_cast<std::int64_t>(row);
    if (array.IsNull(at)) continue;
    hashes[row] = MixHash(static_cast<std::uint64_t>(array.value_length(at)) + 1);
    for (std::int64_t item = array.value_offset(at); item < array.value_offset(at + 1); ++item)
      hashes[row] = Mixed(hashes[row], items[static_cast<std::size_t>(item - first)]);
  }
  return hashes;
}

Result<Hashes> StructHashes(const arrow::StructArray& array) {
  Hashes hashes(static_cast<std::size_t>(array.length()), 1);
  for (int i = 0; i < array.num_fields(); ++i) {
    TM_ASSIGN(const Hashes members, CellHashes(*array.field(i)));
    for (std::size_t row = 0; row < hashes.size(); ++row)
      hashes[row] = Mixed(hashes[row], members[row]);
  }
  return hashes;
}

Result<Hashes> ValueHashes(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::NA:
      return Hashes(static_cast<std::size_t>(array.length()));
    case arrow::Type::BOOL:
      return BoolHashes(static_cast<const arrow::BooleanArray&>(array));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return BytesHashes(static_cast<const arrow::BinaryArray&>(array));
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return ListHashes(static_cast<const arrow::ListArray&>(array));
    case arrow::Type::STRUCT:
      return StructHashes(static_cast<const arrow::StructArray&>(array));
    default:
      break;
  }
  const int bytes = arrow::is_fixed_width(array.type_id()) ? array.type()->byte_width() : 0;
  if (bytes > 0) return FixedHashes(array, static_cast<std::size_t>(bytes));
  return Fail(ErrorCode::kInternal,
              fmt::format("a column of {} cannot be told from another", array.type()->ToString()));
}

// One number for each row; nulls have all the same.
Result<Hashes> CellHashes(const arrow::Array& array) {
  TM_ASSIGN(Hashes hashes, ValueHashes(array));
  for (std::size_t row = 0; row < hashes.size(); ++row) {
    if (array.IsNull(static_cast<std::int64_t>(row))) hashes[row] = kNull;
  }
  return hashes;
}

// The microseconds of a column of times; nothing if there is none of that name.
const std::int64_t* TimesOf(const arrow::RecordBatch& batch, const std::string& name) {
  const auto column = batch.GetColumnByName(name);
  if (column == nullptr || column->type_id() != arrow::Type::TIMESTAMP) return nullptr;
  return static_cast<const arrow::TimestampArray&>(*column).raw_values();
}

bool IsStamped(const std::string& name) {
  return name == system_column::kWriteTime || name == system_column::kArrival ||
         name == system_column::kOrigin;
}

}  // namespace

Result<void> BatchContentSum::Add(const arrow::RecordBatch& stamped) {
  const std::int64_t* const arrivals = TimesOf(stamped, system_column::kArrival);
  const auto deletions = stamped.GetColumnByName(system_column::kIsDeleted);
  const bool can_delete = deletions != nullptr && deletions->type_id() == arrow::Type::BOOL;
  const auto is_deletion = [&](std::size_t row) {
    return can_delete &&
           static_cast<const arrow::BooleanArray&>(*deletions).Value(static_cast<std::int64_t>(row));
  };
  const int exact_time = stamped.schema()->GetFieldIndex(system_column::kEventTimestamp);
  Hashes rows(static_cast<std::size_t>(stamped.num_rows()));
  for (int i = 0; i < stamped.num_columns(); ++i) {
    const std::string& name = stamped.schema()->field(i)->name();
    if (IsStamped(name)) continue;
    const arrow::Array& column = *stamped.column(i);
    // Text or a number that is the event time stands before the time that it is.
    const std::int64_t* const times =
        TimesOf(stamped, i + 1 == exact_time ? system_column::kEventTimestamp : name);
    TM_ASSIGN(const Hashes cells, CellHashes(column));
    const std::uint64_t seed = HashOf(name);
    const bool is_created = !created_column_.empty() && name == created_column_;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (column.IsNull(static_cast<std::int64_t>(row))) continue;
      const bool may_be_filled_in = is_created || is_deletion(row);
      if (may_be_filled_in && times != nullptr && arrivals != nullptr && times[row] == arrivals[row])
        continue;
      rows[row] += Mixed(seed, cells[row]);
    }
  }
  for (const std::uint64_t row : rows) {
    content_.low += MixHash(row + 1);
    content_.high += MixHash(row + kSecond);
  }
  return {};
}

// Rows for both stores have no mark, as those that versions have written which told no stores apart.
BatchContent BatchContentSum::content() const {
  if (!content_.is_known() || targets_ == (kLogToOnline | kLogToOffline)) return content_;
  return {.low = Mixed(content_.low, targets_), .high = Mixed(content_.high, targets_)};
}

std::string ContentText(const BatchContent& content) {
  return content.is_known() ? fmt::format("{:016x}{:016x}", content.high, content.low) : "";
}

BatchContent ParseContent(std::string_view text) {
  constexpr std::size_t kDigits = 16;
  BatchContent content;
  if (text.size() != 2 * kDigits) return {};
  for (auto [digits, number] :
       {std::pair{text.substr(0, kDigits), &content.high}, std::pair{text.substr(kDigits), &content.low}}) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + kDigits, *number, 16);
    if (error != std::errc() || end != digits.data() + kDigits) return {};
  }
  return content;
}

Result<void> CheckSameContent(std::string_view batch_key, const BatchContent& seen, const BatchContent& now) {
  if (!seen.is_known() || !now.is_known() || seen == now) return {};
  return Fail(
      ErrorCode::kAlreadyExists,
      fmt::format("the idempotency key {} stands for a batch of other rows, or of rows for other stores "
                  "(`to`), which was written within a day: nothing is written. Give another batch "
                  "a key of its own, and the same batch sent again the same rows and stores",
                  Quoted(batch_key)));
}

}  // namespace tidemark
