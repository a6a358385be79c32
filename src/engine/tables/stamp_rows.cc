// Stamping, in the order of files or as rows are given. Columns are put together and sorted one after the
// other: what many rows take is fresh memory, and a column passes through that of the one before.
#include "engine/tables/stamp_rows_internal.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/result.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/sort_rows.h"

namespace tidemark {
namespace {

Result<std::shared_ptr<arrow::Array>> Joined(const arrow::ArrayVector& parts,
                                             arrow::MemoryPool* pool = arrow::default_memory_pool()) {
  return parts.size() == 1 ? Result<std::shared_ptr<arrow::Array>>(parts[0])
                           : FromArrowResult(arrow::Concatenate(parts, pool));
}

/// Puts columns together; one that is asked for again, as a feature is which is a column of the table too, is
/// there already.
class Joining {
 public:
  explicit Joining(std::span<const TableRows> parts) : parts_(parts) {}

  template <typename ColumnOf>
  Result<std::shared_ptr<arrow::Array>> Each(const ColumnOf& column_of) {
    arrow::ArrayVector arrays;
    for (const TableRows& part : parts_)
      arrays.push_back(column_of(part));
    const auto known = joined_.find(arrays);
    if (known != joined_.end()) return known->second;
    TM_ASSIGN(auto joined, Joined(arrays));
    joined_.emplace(std::move(arrays), joined);
    return joined;
  }

  Result<arrow::ArrayVector> All(arrow::ArrayVector TableRows::* member) {
    arrow::ArrayVector columns;
    for (std::size_t i = 0; i < (parts_.front().*member).size(); ++i) {
      TM_ASSIGN(auto column, Each([&](const TableRows& part) { return (part.*member)[i]; }));
      columns.push_back(std::move(column));
    }
    return columns;
  }

  Result<std::shared_ptr<arrow::Int64Array>> Times(std::shared_ptr<arrow::Int64Array> TableRows::* member) {
    TM_ASSIGN(const auto joined, Each([&](const TableRows& part) { return part.*member; }));
    return std::static_pointer_cast<arrow::Int64Array>(joined);
  }

 private:
  const std::span<const TableRows> parts_;
  std::map<arrow::ArrayVector, std::shared_ptr<arrow::Array>>
      joined_;  // which arrays they are, not their values
};

/// What rows are sorted by.
Result<SortColumns> SortColumnsOf(std::span<const TableRows> parts) {
  Joining joining(parts);
  SortColumns keys;
  TM_ASSIGN(keys.keys, joining.All(&TableRows::keys));
  TM_ASSIGN(keys.event, joining.Times(&TableRows::event));
  TM_ASSIGN(keys.created, joining.Times(&TableRows::created));
  return keys;
}

/// Rows in the order in which they are given are only sorted to find those that are equal.
Result<SortedRows> Sorted(const SortColumns& keys, StampOrder order_wanted) {
  constexpr std::int64_t kFewRows = 1024;
  const std::int64_t count = keys.event->length();
  if (order_wanted == StampOrder::kAsGiven && count <= kFewRows) {
    TM_ASSIGN(const bool differ, HaveDifferentKeys(keys.keys, count));
    if (differ) return SortedRows{};
  }
  return SortRows(keys);
}

/// The parts with their write times, in one batch. Sorted if `order` (may be null: it is theirs) says how.
Result<std::shared_ptr<arrow::RecordBatch>> Arranged(const std::shared_ptr<arrow::Schema>& schema,
                                                     std::span<const TableRows> parts,
                                                     const arrow::Int64Array& write_times,
                                                     const std::shared_ptr<arrow::Array>& order) {
  arrow::RecordBatchVector stamped;
  std::int64_t begin = 0;
  for (const TableRows& part : parts) {
    const auto times = std::static_pointer_cast<arrow::Int64Array>(write_times.Slice(begin, part.count()));
    TM_ASSIGN(auto rows, StampedRows(schema, part, times));
    stamped.push_back(std::move(rows));
    begin += part.count();
  }
  if (stamped.size() == 1 && order == nullptr) return stamped.front();
  const BufferPoolUse use;
  arrow::ArrayVector columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    arrow::ArrayVector arrays;
    for (const auto& rows : stamped)
      arrays.push_back(rows->column(i));
    TM_ASSIGN(auto column, Joined(arrays, order == nullptr ? arrow::default_memory_pool() : BufferPool()));
    if (order != nullptr) {
      TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(
                                              column, order, arrow::compute::TakeOptions::NoBoundsCheck())));
      column = taken.make_array();
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, write_times.length(), std::move(columns));
}

}  // namespace

Result<TableRows> JoinRows(std::vector<TableRows> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  if (std::ranges::any_of(parts, [](const TableRows& part) { return part.expires_at != nullptr; })) {
    for (TableRows& part : parts) {
      if (part.expires_at != nullptr) continue;
      TM_ASSIGN(const auto never, FromArrowResult(arrow::MakeArrayOfNull(arrow::int64(), part.count())));
      part.expires_at = std::static_pointer_cast<arrow::Int64Array>(never);
    }
  }
  Joining joining(parts);
  TableRows rows;
  rows.arrival_us = parts[0].arrival_us;
  rows.is_deleted = parts[0].is_deleted;
  TM_ASSIGN(rows.columns, joining.All(&TableRows::columns));
  TM_ASSIGN(rows.keys, joining.All(&TableRows::keys));
  TM_ASSIGN(rows.features, joining.All(&TableRows::features));
  TM_ASSIGN(rows.event, joining.Times(&TableRows::event));
  TM_ASSIGN(rows.created, joining.Times(&TableRows::created));
  if (parts[0].expires_at != nullptr) {
    TM_ASSIGN(rows.expires_at, joining.Times(&TableRows::expires_at));
  }
  if (parts[0].arrivals == nullptr) return rows;
  TM_ASSIGN(rows.arrivals, joining.Times(&TableRows::arrivals));
  TM_ASSIGN(const auto deletions, joining.Each([](const TableRows& part) { return part.deletions; }));
  rows.deletions = std::static_pointer_cast<arrow::BooleanArray>(deletions);
  return rows;
}

Result<StampedBatch> StampRows(const std::shared_ptr<arrow::Schema>& schema, std::span<const TableRows> parts,
                               WriteTimes& write_times, std::int64_t now_us, StampOrder order_wanted) {
  TM_ASSIGN(const SortColumns keys, SortColumnsOf(parts));
  const std::int64_t count = keys.event->length();
  TM_ASSIGN(const SortedRows sorted, Sorted(keys, order_wanted));
  const std::uint32_t repeats = sorted.repeats.empty() ? 0 : *std::ranges::max_element(sorted.repeats);
  StampedBatch stamped;
  stamped.write_time_us = write_times.Take(now_us, std::int64_t{repeats} + 1);
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> buffer,
            FromArrowResult(arrow::AllocateBuffer(count * std::int64_t{sizeof(std::int64_t)})));
  auto* times = reinterpret_cast<std::int64_t*>(buffer->mutable_data());
  for (std::size_t place = 0; place < static_cast<std::size_t>(count); ++place) {
    const std::size_t row = sorted.order.empty() ? place : sorted.order[place];
    times[row] = stamped.write_time_us + (sorted.repeats.empty() ? 0 : sorted.repeats[place]);
  }
  std::shared_ptr<arrow::Array> order;
  if (!sorted.order.empty() && order_wanted == StampOrder::kOfFiles) {
    order = std::make_shared<arrow::UInt32Array>(static_cast<std::int64_t>(sorted.order.size()),
                                                 arrow::Buffer::Wrap(sorted.order));
  }
  TM_ASSIGN(stamped.rows, Arranged(schema, parts, arrow::Int64Array(count, buffer), order));
  return stamped;
}

}  // namespace tidemark
