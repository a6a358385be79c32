// Stamping, in the order of files or as rows are given.
#include "engine/tables/stamp_rows_internal.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>

#include <algorithm>

#include "base/result.h"
#include "pit/arrow_status.h"
#include "pit/sort_rows.h"

namespace tidemark {
namespace {

Result<std::shared_ptr<arrow::Array>> Joined(const arrow::ArrayVector& parts) {
  return parts.size() == 1 ? Result<std::shared_ptr<arrow::Array>>(parts[0])
                           : FromArrowResult(arrow::Concatenate(parts));
}

Result<std::shared_ptr<arrow::Int64Array>> JoinedTimes(const arrow::ArrayVector& parts) {
  TM_ASSIGN(const auto joined, Joined(parts));
  return std::static_pointer_cast<arrow::Int64Array>(joined);
}

/// Rows in the order in which they are given are only sorted to find those that are equal.
Result<SortedRows> Sorted(const TableRows& rows, StampOrder order_wanted) {
  constexpr std::int64_t kFewRows = 1024;
  if (order_wanted == StampOrder::kAsGiven && rows.count() <= kFewRows) {
    TM_ASSIGN(const bool differ, HaveDifferentKeys(rows.keys, rows.count()));
    if (differ) return SortedRows{};
  }
  return SortRows({rows.keys, rows.event, rows.created});
}

}  // namespace

Result<TableRows> JoinRows(std::vector<TableRows> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  const auto each = [&](const auto& column) -> Result<std::shared_ptr<arrow::Array>> {
    arrow::ArrayVector arrays;
    for (const TableRows& part : parts)
      arrays.push_back(column(part));
    return Joined(arrays);
  };
  const auto all = [&](arrow::ArrayVector TableRows::* member) -> Result<arrow::ArrayVector> {
    arrow::ArrayVector columns;
    for (std::size_t i = 0; i < (parts[0].*member).size(); ++i) {
      TM_ASSIGN(auto column, each([&](const TableRows& part) { return (part.*member)[i]; }));
      columns.push_back(std::move(column));
    }
    return columns;
  };
  TableRows rows;
  rows.arrival_us = parts[0].arrival_us;
  rows.is_deleted = parts[0].is_deleted;
  TM_ASSIGN(rows.columns, all(&TableRows::columns));
  TM_ASSIGN(rows.keys, all(&TableRows::keys));
  TM_ASSIGN(rows.features, all(&TableRows::features));
  const auto times = [&](std::shared_ptr<arrow::Int64Array> TableRows::* member) {
    arrow::ArrayVector arrays;
    for (const TableRows& part : parts)
      arrays.push_back(part.*member);
    return JoinedTimes(arrays);
  };
  TM_ASSIGN(rows.event, times(&TableRows::event));
  TM_ASSIGN(rows.created, times(&TableRows::created));
  if (std::ranges::any_of(parts, [](const TableRows& part) { return part.expires_at != nullptr; })) {
    for (TableRows& part : parts) {
      if (part.expires_at != nullptr) continue;
      TM_ASSIGN(const auto never, FromArrowResult(arrow::MakeArrayOfNull(arrow::int64(), part.count())));
      part.expires_at = std::static_pointer_cast<arrow::Int64Array>(never);
    }
    TM_ASSIGN(rows.expires_at, times(&TableRows::expires_at));
  }
  if (parts[0].arrivals == nullptr) return rows;
  TM_ASSIGN(rows.arrivals, times(&TableRows::arrivals));
  TM_ASSIGN(const auto deletions, each([](const TableRows& part) { return part.deletions; }));
  rows.deletions = std::static_pointer_cast<arrow::BooleanArray>(deletions);
  return rows;
}

Result<StampedBatch> StampRows(const std::shared_ptr<arrow::Schema>& schema, const TableRows& rows,
                               WriteTimes& write_times, std::int64_t now_us, StampOrder order_wanted) {
  TM_ASSIGN(const SortedRows sorted, Sorted(rows, order_wanted));
  const std::uint32_t repeats = sorted.repeats.empty() ? 0 : *std::ranges::max_element(sorted.repeats);
  StampedBatch stamped;
  stamped.write_time_us = write_times.Take(now_us, std::int64_t{repeats} + 1);
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> buffer,
            FromArrowResult(arrow::AllocateBuffer(rows.count() * std::int64_t{sizeof(std::int64_t)})));
  auto* times = reinterpret_cast<std::int64_t*>(buffer->mutable_data());
  for (std::size_t place = 0; place < static_cast<std::size_t>(rows.count()); ++place) {
    const std::size_t row = sorted.order.empty() ? place : sorted.order[place];
    times[row] = stamped.write_time_us + (sorted.repeats.empty() ? 0 : sorted.repeats[place]);
  }
  TM_ASSIGN(stamped.rows,
            StampedRows(schema, rows, std::make_shared<arrow::Int64Array>(rows.count(), std::move(buffer))));
  if (sorted.order.empty() || order_wanted == StampOrder::kAsGiven) return stamped;
  const arrow::UInt32Array order(static_cast<std::int64_t>(sorted.order.size()),
                                 arrow::Buffer::Wrap(sorted.order));
  TM_ASSIGN(const arrow::Datum taken,
            FromArrowResult(arrow::compute::Take(stamped.rows, arrow::Datum(order),
                                                 arrow::compute::TakeOptions::NoBoundsCheck())));
  stamped.rows = taken.record_batch();
  return stamped;
}

}  // namespace tidemark
