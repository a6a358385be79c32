// Cuts batches into fragments and slices.
#include "store/memory_source_testing.h"

#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/json/from_string.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pit/columns.h"

namespace tidemark::testing_support {
namespace {

constexpr std::int64_t kBatchRows = 7;  // small, so that there are several
constexpr int kFileShift = 40;

/// The range of a column of times or integers without nulls.
void AddRange(const std::string& name, const arrow::Array& column, std::vector<ColumnRange>& ranges) {
  if (column.length() == 0 || column.null_count() > 0) return;
  std::shared_ptr<arrow::Int64Array> values;
  if (column.type_id() == arrow::Type::INT64) {
    values = std::make_shared<arrow::Int64Array>(column.data());
  } else if (column.type_id() == arrow::Type::TIMESTAMP) {
    values = TimesToMicros(column, name, 0).value();
  } else {
    return;
  }
  const auto [low, high] = std::minmax_element(values->raw_values(), values->raw_values() + values->length());
  ranges.push_back({name, *low, *high});
}

}  // namespace

MemorySource::MemorySource(std::vector<MemoryFile> files, std::shared_ptr<Reads> reads)
    : files_(std::move(files)), reads_(reads == nullptr ? std::make_shared<Reads>() : std::move(reads)) {
  std::ranges::sort(files_, {}, &MemoryFile::path);
  schema_ = files_.front().rows->schema();
  for (const MemoryFile& file : files_) {
    source_files_.push_back({file.path, "id of " + file.path, file.rows->num_rows(), file.mtime_ns});
  }
}

Result<std::vector<Fragment>> MemorySource::FragmentsOf(const std::vector<std::size_t>& files,
                                                        const std::vector<std::string>& columns) const {
  std::vector<Fragment> fragments;
  for (const std::size_t i : files) {
    const MemoryFile& file = files_[i];
    const std::int64_t rows = file.rows->num_rows();
    for (std::int64_t begin = 0; begin == 0 || begin < rows; begin += file.fragment_rows) {
      Fragment fragment;
      fragment.file = i;
      fragment.part = static_cast<int>(file.fragment_rows == 0 ? 0 : begin / file.fragment_rows);
      fragment.first_location = (RowLocation{i} << kFileShift) + static_cast<RowLocation>(begin);
      if (file.fragment_rows > 0) {
        fragment.rows = std::min(file.fragment_rows, rows - begin);
        fragment.columns_apart = true;
        for (const std::string& name : columns) {
          AddRange(name, *file.rows->GetColumnByName(name)->Slice(begin, fragment.rows), fragment.ranges);
        }
      }
      fragments.push_back(std::move(fragment));
      if (file.fragment_rows == 0) break;
    }
  }
  return fragments;
}

Result<std::shared_ptr<arrow::RecordBatch>> MemorySource::Rows(
    const Fragment& fragment, const std::vector<std::string>& columns) const {
  const MemoryFile& file = files_[fragment.file];
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const std::string& name : columns) {
    const auto array = file.rows->GetColumnByName(name);
    if (array == nullptr) return Fail(ErrorCode::kNotFound, "there is no column " + name);
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const auto all = arrow::RecordBatch::Make(arrow::schema(fields), file.rows->num_rows(), arrays);
  return file.fragment_rows == 0 ? all : all->Slice(fragment.part * file.fragment_rows, fragment.rows);
}

Result<void> MemorySource::Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                                const BatchSink& sink) const {
  TM_ASSIGN(const auto rows, Rows(fragment, columns));
  reads_->scanned_fragments.fetch_add(1);
  for (std::int64_t begin = 0; begin < rows->num_rows(); begin += kBatchRows) {
    TM_TRY(sink(*rows->Slice(begin, kBatchRows), begin));
  }
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> MemorySource::Take(const Fragment& fragment,
                                                               const std::vector<std::string>& columns,
                                                               std::span<const std::int64_t> rows) const {
  TM_ASSIGN(const auto all, Rows(fragment, columns));
  EXPECT_TRUE(std::ranges::is_sorted(rows) && std::ranges::adjacent_find(rows) == rows.end());
  if (!rows.empty() && (rows.front() < 0 || rows.back() >= all->num_rows())) {
    return Fail(ErrorCode::kInvalidArgument, "rows are asked for that the fragment does not have");
  }
  reads_->taken_rows.fetch_add(std::ssize(rows));
  arrow::RecordBatchVector taken{all->Slice(0, 0)};
  for (const std::int64_t row : rows)
    taken.push_back(all->Slice(row, 1));
  return arrow::Table::FromRecordBatches(taken).ValueOrDie()->CombineChunksToBatch().ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::vector<TextColumn>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const TextColumn& column : columns) {
    fields.push_back(arrow::field(column.name, column.type));
    arrays.push_back(arrow::json::ArrayFromJSONString(column.type, column.json).ValueOrDie());
  }
  const std::int64_t rows = arrays.empty() ? 0 : arrays.front()->length();
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

}  // namespace tidemark::testing_support
