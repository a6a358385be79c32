// The point-in-time kernel: for each entity row, the greatest feature row of its key at its time.
//
// No feature row is ever sorted. Entity rows are grouped by key and each group is sorted by time; a feature
// row is a candidate for the first entity row of its key at or after its event time (with known_by = each
// entity row's own time: at or after the later of its event and created times), and every entity row keeps
// its greatest candidate. Keeping the greatest commutes, so rows may come in any order and from any number of
// threads. In the end a running maximum along each group gives each entity row its winner, and ttl is checked
// last.
//
//   entity rows -> EntityGroups --+
//   feature batches (any order) --+-> PointInTimeJoin -> Winner per entity row, in the input's order
//
// Memory grows with the entity rows: 24 to 50 bytes each for groups (and the bytes of the keys, if they are
// not one integer), and for each thread that adds rows 16 (no created column), 24 or 48 (Tidemark's own
// tables).
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "pit/rule.h"

namespace tidemark {

/// Where a feature row lies: any number below 2^63 that its reader can find it by again, ascending in the
/// order of ties (path, then row).
using RowLocation = std::uint64_t;
inline constexpr RowLocation kNoRow = std::numeric_limits<RowLocation>::max();

/// Entity rows of one set of join keys, grouped by key and sorted by time. Immutable; safe to share.
class EntityGroups {
 public:
  /// `keys` are canonical key columns (columns.h) in the order of the join keys' names, all as long as
  /// `times` (microseconds, no nulls). No key columns at all: one group of all rows. At most 2^31 - 2 rows.
  static Result<EntityGroups> Make(const arrow::ArrayVector& keys, const arrow::Int64Array& times,
                                   std::size_t threads = 1);

  EntityGroups(EntityGroups&&) noexcept;
  EntityGroups& operator=(EntityGroups&&) noexcept;
  ~EntityGroups();

  std::int64_t rows() const;
  std::int64_t groups() const;
  std::int64_t last_time_us() const;  // the greatest time; lowest int64 without rows
  std::int64_t first_time_us() const;
  std::int64_t memory_bytes() const;

  /// False only if no entity row has its first key column in [low, high]: such feature rows can be skipped
  /// unread. For int64 (and bool as 0/1) and for binary keys.
  bool MayContainKey(std::int64_t low, std::int64_t high) const;
  bool MayContainKey(std::string_view low, std::string_view high) const;

 private:
  friend class PointInTimeJoin;
  struct Impl;
  explicit EntityGroups(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Which feature rows count as known.
struct KnownBy {
  enum class Kind : std::uint8_t { kAll, kTime, kEntityRow } kind = Kind::kAll;
  std::int64_t time_us = 0;  // kTime: rows created later do not count
};

/// Feature rows as the kernel takes them. All arrays have the same length; times are microseconds, no nulls.
struct FeatureRows {
  arrow::ArrayVector keys;  // canonical, in the order of the join keys' names
  std::shared_ptr<arrow::Int64Array> event;
  std::shared_ptr<arrow::Int64Array> created;  // null pointer: the source has none, all count as equal
  RowLocation first_location = 0;              // of row 0; row i lies at first_location + i
  // Of Tidemark's own tables; null pointers for external files, where the location is the sequence.
  std::shared_ptr<arrow::Int64Array> sequence;
  std::shared_ptr<arrow::UInt32Array> origin;
  std::shared_ptr<arrow::BooleanArray> is_deleted;  // null values mean false
  std::shared_ptr<arrow::Int64Array> expires_at;    // null values mean never
};

/// The answer for one entity row.
struct Winner {
  RowLocation location = kNoRow;      // of the row that the order chose, even if it is deleted or out of date
  std::int64_t event_us = 0;          // its event time; 0 if there is none
  Status status = Status::kNotFound;  // kPresent, kNotFound or kOutsideMaxAge
};

class PointInTimeJoin {
 public:
  struct Options {
    KnownBy known_by;
    std::int64_t ttl_us = 0;
    std::size_t threads = 1;  // how many different values of `thread` Add is called with
  };

  /// `groups` must outlive this.
  PointInTimeJoin(const EntityGroups& groups, const Options& options);
  ~PointInTimeJoin();
  PointInTimeJoin(const PointInTimeJoin&) = delete;
  PointInTimeJoin& operator=(const PointInTimeJoin&) = delete;

  /// Takes feature rows. Calls with different `thread` (< options.threads) may run at the same time; rows may
  /// come in any order, but the same row only once. Batches may differ in which optional columns they have;
  /// without a created column rows count as created at 0. kInvalidArgument if the keys' types are not those
  /// of the groups, or known_by is set and `created` is absent.
  Result<void> Add(const FeatureRows& rows, std::size_t thread);

  /// The winner of every entity row, in the entity rows' order. Called once, after all Add.
  std::vector<Winner> Finish();

  /// What a training set needs of that, in a third of the memory, on so many threads. Called instead of
  /// Finish.
  struct Chosen {
    std::vector<RowLocation> locations;  // of the winners that are present, kNoRow for all others
    std::vector<Status> statuses;        // if asked for
  };
  Chosen FinishChosen(bool with_statuses, std::size_t threads);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
