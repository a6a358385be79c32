#include "adapters/iceberg/sort_rows.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/initialize.h>
#include <arrow/table.h>

#include <compare>

#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"

namespace tidemark::iceberg {
namespace {

template <typename Array>
std::weak_ordering CompareValues(const arrow::Array& a, std::int64_t i, const arrow::Array& b,
                                 std::int64_t j) {
  return static_cast<const Array&>(a).GetView(i) <=> static_cast<const Array&>(b).GetView(j);
}

// Nothing for values that this does not compare; such rows are sorted without a look.
std::partial_ordering Compare(const arrow::Array& a, std::int64_t i, const arrow::Array& b, std::int64_t j) {
  const bool a_null = a.null_count() != 0 && a.IsNull(i);
  const bool b_null = b.null_count() != 0 && b.IsNull(j);
  if (a_null || b_null) return static_cast<int>(b_null) <=> static_cast<int>(a_null);
  switch (a.type_id()) {
    case arrow::Type::INT64:
      return CompareValues<arrow::Int64Array>(a, i, b, j);
    case arrow::Type::TIMESTAMP:
      return CompareValues<arrow::TimestampArray>(a, i, b, j);
    case arrow::Type::INT32:
      return CompareValues<arrow::Int32Array>(a, i, b, j);
    case arrow::Type::DATE32:
      return CompareValues<arrow::Date32Array>(a, i, b, j);
    case arrow::Type::BOOL:
      return CompareValues<arrow::BooleanArray>(a, i, b, j);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return CompareValues<arrow::BinaryArray>(a, i, b, j);
    default:
      return std::partial_ordering::unordered;
  }
}

bool InOrder(const arrow::ArrayVector& a, std::int64_t i, const arrow::ArrayVector& b, std::int64_t j) {
  for (std::size_t column = 0; column < a.size(); ++column) {
    const std::partial_ordering order = Compare(*a[column], i, *b[column], j);
    if (order == std::partial_ordering::less) return true;
    if (order != std::partial_ordering::equivalent) return false;
  }
  return true;
}

}  // namespace

bool AreSorted(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
               const std::vector<std::string>& columns) {
  arrow::ArrayVector before;
  for (const auto& batch : batches) {
    if (batch->num_rows() == 0) continue;
    arrow::ArrayVector now;
    for (const std::string& column : columns)
      now.push_back(batch->GetColumnByName(column));
    if (!before.empty() && !InOrder(before, before.front()->length() - 1, now, 0)) return false;
    for (std::int64_t row = 1; row < batch->num_rows(); ++row) {
      if (!InOrder(now, row - 1, now, row)) return false;
    }
    before = std::move(now);
  }
  return true;
}

Result<std::shared_ptr<arrow::RecordBatch>> CombineBatches(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches) {
  if (batches.size() == 1) return batches.front();
  TM_ASSIGN(const auto table, FromArrowResult(arrow::Table::FromRecordBatches(batches)));
  return FromArrowResult(table->CombineChunksToBatch(BufferPool()));
}

Result<std::shared_ptr<arrow::RecordBatch>> SortRows(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
    const std::vector<std::string>& columns) {
  // Sorting is among the functions that Arrow has only after this.
  static const arrow::Status initialized = arrow::compute::Initialize();
  TM_TRY(FromArrowStatus(initialized));
  TM_ASSIGN(const auto rows, CombineBatches(batches));
  std::vector<arrow::compute::SortKey> keys;
  for (const std::string& column : columns)
    keys.emplace_back(column, arrow::compute::SortOrder::Ascending, arrow::compute::NullPlacement::AtStart);
  TM_ASSIGN(const auto order,
            FromArrowResult(arrow::compute::SortIndices(rows, arrow::compute::SortOptions(keys))));
  arrow::compute::ExecContext context(BufferPool());
  TM_ASSIGN(const arrow::Datum sorted,
            FromArrowResult(
                arrow::compute::Take(rows, order, arrow::compute::TakeOptions::NoBoundsCheck(), &context)));
  return sorted.record_batch();
}

}  // namespace tidemark::iceberg
