// Reads what users write of a table's times and partitions.
#include "model/feature_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "model/definition.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::array<std::pair<TimeUnit, std::string_view>, 4> kUnits{{{TimeUnit::kSeconds, "s"},
                                                                       {TimeUnit::kMilliseconds, "ms"},
                                                                       {TimeUnit::kMicroseconds, "us"},
                                                                       {TimeUnit::kNanoseconds, "ns"}}};
constexpr int kBucketsMax = 10'000;

std::string_view Trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::unexpected<Error> NoPartition(std::string_view text) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} is no partition; write a column's name, bucket(16, column) with 1 to {} buckets, "
                  "or day",
                  Quoted(text), kBucketsMax));
}

}  // namespace

std::string_view TimeUnitName(TimeUnit unit) {
  return std::ranges::find(kUnits, unit, &decltype(kUnits)::value_type::first)->second;
}

Result<TimeUnit> ParseTimeUnit(std::string_view text) {
  const auto* const found = std::ranges::find(kUnits, text, &decltype(kUnits)::value_type::second);
  if (found != kUnits.end()) return found->first;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is no unit of time; there are s, ms, us and ns", Quoted(text)));
}

bool CanBeEventTime(const DataType& type) {
  constexpr std::array kKinds{TypeKind::kTimestamp, TypeKind::kString, TypeKind::kInt64, TypeKind::kFloat64};
  return std::ranges::find(kKinds, type.kind) != kKinds.end();
}

bool CanPartition(Partition::Kind kind, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return kind == Partition::Kind::kIdentity;
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kString:
    case TypeKind::kBinary:
    case TypeKind::kDate:
    case TypeKind::kTimestamp:
      return true;
    default:
      return false;
  }
}

Result<Partition> ParsePartition(std::string_view text) {
  if (text == "day") return Partition{.kind = Partition::Kind::kDay, .column = {}};
  constexpr std::string_view kBucket = "bucket(";
  if (!text.starts_with(kBucket)) {
    if (!CheckName("column", text)) return NoPartition(text);
    return Partition{.kind = Partition::Kind::kIdentity, .column = std::string(text)};
  }
  const auto comma = text.find(',');
  if (comma == std::string_view::npos || !text.ends_with(')')) return NoPartition(text);
  const std::string_view count = Trimmed(text.substr(kBucket.size(), comma - kBucket.size()));
  const std::string_view column = Trimmed(text.substr(comma + 1, text.size() - comma - 2));
  Partition partition{.kind = Partition::Kind::kBucket, .column = std::string(column)};
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), partition.buckets);
  const bool is_number = error == std::errc() && end == count.data() + count.size();
  if (!is_number || partition.buckets < 1 || partition.buckets > kBucketsMax ||
      !CheckName("column", column)) {
    return NoPartition(text);
  }
  return partition;
}

const std::string& FeatureView::event_column() const {
  if (source) return source->timestamp_field;
  return table.timestamp_type.kind == TypeKind::kTimestamp ? table.timestamp_field
                                                           : system_column::kEventTimestamp;
}

const std::string& FeatureView::created_column() const {
  if (source) return source->created_timestamp_column;
  return table.created_timestamp_column.empty() ? system_column::kArrival : table.created_timestamp_column;
}

}  // namespace tidemark
