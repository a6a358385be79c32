// Online lookups: the latest values of a fixed list of features, as fast as the store can give them.
//
//   auto reader = store->PrepareOnline({.features = {"driver_stats:rating"}});
//   OnlineResult result;                                       // kept and reused: no allocation after a few
//   calls std::vector<std::int64_t> drivers{1001, 1002};
//   (*reader)->Read({{KeyColumn{std::span<const std::int64_t>(drivers)}}}, result);
//   result.status(0, row);  result.Fixed<double>(0)[row];
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tidemark/arrow_c.h"
#include "tidemark/error.h"
#include "tidemark/event_time.h"
#include "tidemark/status.h"

namespace tidemark {

/// Values of one join key, one for each entity: int64 for int32, int64 and timestamp (microseconds) keys,
/// text for string and bytes, bool for bool.
using KeyColumn =
    std::variant<std::span<const std::int64_t>, std::span<const std::string_view>, std::span<const bool>>;

/// A column of the request or of the answer. `type` is text as in definitions: "int64", "list<string>".
struct ColumnInfo {
  std::string name;
  std::string type;
};

/// How values of a column of the answer are held.
enum class ValueForm : std::uint8_t {
  kFixed,   // contiguous values of one width: bool 1 byte, int32, float32, date 4, int64, float64, timestamp
            // 8, decimal 16
  kText,    // string and binary
  kNested,  // list, struct and map: only through ToArrow
};

/// The stored row that a lookup came upon, whether or not it still counts.
struct StoredRow {
  bool is_there = false;  // false: none, and the rest says nothing
  bool is_deleted = false;
  TimeSpelling spelling = {};  // of its event time
  std::int64_t event_time_us = 0;
  std::int64_t expires_at_us = std::numeric_limits<std::int64_t>::max();  // the greatest: never
};

/// The answer to one Read. Reuse it: buffers are kept. Not thread safe.
class TIDEMARK_EXPORT OnlineResult {
 public:
  OnlineResult();
  ~OnlineResult();
  OnlineResult(OnlineResult&&) noexcept;
  OnlineResult& operator=(OnlineResult&&) noexcept;

  std::size_t rows() const;
  std::size_t columns() const;
  ValueForm form(std::size_t column) const;

  /// A value counts only where its status is kPresent; everywhere else its bytes are zero or its text empty.
  Status status(std::size_t column, std::size_t row) const;
  /// Event time of the row that was found, microseconds; 0 where none was.
  std::int64_t event_time_us(std::size_t column, std::size_t row) const;

  /// Both for all rows of a column. Columns of one view share their event times: then the pointers are equal.
  const Status* statuses(std::size_t column) const;
  const std::int64_t* event_times_us(std::size_t column) const;

  /// The row of the column's view that the value, or its absence, is of.
  StoredRow stored_row(std::size_t column, std::size_t row) const;

  /// All rows' values of a kFixed column.
  const std::byte* fixed(std::size_t column) const;
  template <typename T>
  const T* Fixed(std::size_t column) const {
    return reinterpret_cast<const T*>(fixed(column));
  }
  /// The value of a kText column; valid until the next Read into this result.
  std::string_view text(std::size_t column, std::size_t row) const;

  /// A record batch with one column for each feature, in the order asked; with `statuses` also one
  /// `<feature>__status` (utf8) behind each, with `event_times` also one `<feature>__event_timestamp`.
  Result<void> ToArrow(bool statuses, bool event_times, ArrowSchema* schema, ArrowArray* batch) const;

  /// What OnlineReader fills; its layout is in the engine.
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// A lookup prepared once for a list of features. Thread safe. It sees definitions as they were when it was
/// made; `IsCurrent` says whether they still are.
class TIDEMARK_EXPORT OnlineReader {
 public:
  virtual ~OnlineReader() = default;

  /// What Read wants, in this order. The names are those of the columns of the entity rows: a service that
  /// maps join keys lists the mapped names.
  virtual const std::vector<ColumnInfo>& keys() const = 0;
  /// What Read answers, in this order.
  virtual const std::vector<ColumnInfo>& features() const = 0;

  /// Request data that on-demand features are computed from, which ReadWith wants: empty if there is none.
  virtual const std::vector<ColumnInfo>& requests() const;

  /// Whether Read may wait, and not for a disk alone: for a worker process that runs a Python function.
  virtual bool waits() const { return false; }

  /// Looks up one row of every feature for each entity. All columns of `keys` have the same length; without
  /// any key (views without entities only) `rows` says how many. kInvalidArgument if forms or lengths do not
  /// fit; kCorruption if a stored value fails its checksum.
  virtual Result<void> Read(std::span<const KeyColumn> keys, std::size_t rows,
                            OnlineResult& result) const = 0;

  /// The same with request data: a record batch with a column for each of `requests()`, found by name, and as
  /// many rows as there are entities; it is taken over (released) by the call. Values are cast if nothing is
  /// lost: kTypeMismatch names the column and the row. kNotFound for a column that is missing; Read says so
  /// too. An expression that has no result for a row is kInvalidData, naming view, field and row.
  virtual Result<void> ReadWith(std::span<const KeyColumn> keys, std::size_t rows, ArrowSchema* schema,
                                ArrowArray* batch, OnlineResult& result) const;

  /// False once definitions have changed since this was prepared (checked at most every `max_age_ms`).
  virtual Result<bool> IsCurrent(std::int64_t max_age_ms) const = 0;
};

}  // namespace tidemark
