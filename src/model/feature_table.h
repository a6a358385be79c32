// How Tidemark keeps the rows of a feature table, and the columns that it adds to the user's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// The unit of event times that a table keeps as numbers since 1970-01-01T00:00:00Z.
enum class TimeUnit : std::uint8_t { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };

/// `s`, `ms`, `us`, `ns`.
std::string_view TimeUnitName(TimeUnit unit);
/// kInvalidArgument for another text.
Result<TimeUnit> ParseTimeUnit(std::string_view text);

/// How Tidemark keeps the rows of a feature table: a view that has no batch source.
struct TableOptions {
  /// The column of event times keeps the type that the user gave it: a timestamp, ISO-8601 text (string), or
  /// a number (int64, float64) of `timestamp_unit` since 1970.
  std::string timestamp_field = "event_timestamp";
  DataType timestamp_type = {.kind = TypeKind::kTimestamp};
  TimeUnit timestamp_unit = TimeUnit::kSeconds;
  std::string created_timestamp_column;  // empty: rows are created when their request arrives
  std::vector<std::string> partitions;   // as ParsePartition reads them
  std::string database;                  // that it lies in; empty: the project's own
  bool catalog = true;                   // listed for SQL and for other engines
  bool operator==(const TableOptions&) const = default;
};

/// True for what event times may be kept as: timestamp, string, int64, float64.
bool CanBeEventTime(const DataType& type);

/// How the files of a table are parted.
struct Partition {
  enum class Kind : std::uint8_t { kIdentity, kBucket, kDay } kind = Kind::kIdentity;
  std::string column;  // kDay: empty, it is the event time
  int buckets = 0;     // kBucket
  bool operator==(const Partition&) const = default;
};

/// Reads `customer` (by the column's value), `bucket(16, customer)` (by its hash) or `day` (by the event
/// time). kInvalidArgument for anything else, or less than 1 or more than 10,000 buckets.
Result<Partition> ParsePartition(std::string_view text);

/// True if a column of this type can part files so: by value bool, int32, int64, string, binary, date and
/// timestamp; by hash all of these but bool.
bool CanPartition(Partition::Kind kind, const DataType& type);

/// The columns that every row of a feature table has besides the user's. Names that are reserved.
namespace system_column {
inline const std::string kEventTimestamp = "__event_timestamp";  // where the user's is text or a number
inline const std::string kWriteTime = "write_time";
inline const std::string kArrival = "api_invocation_time";
inline const std::string kIsDeleted = "is_deleted";
inline const std::string kExpiresAt = "expires_at";
inline const std::string kOrigin = "origin";
/// Of rows that are written with bad ones skipped: why the row is bad, null if it is not. Whoever read the
/// rows marks what fits no column and so has no value in one; the column itself is none of the table's.
inline const std::string kUnfit = "__unfit";
}  // namespace system_column

}  // namespace tidemark
