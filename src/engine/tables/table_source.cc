// Fragments of files are passed on as they are; each batch of a log's tail is one more fragment, in memory.
#include "engine/tables/table_source.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/result.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr int kFileBits = 40;  // of a row's location, below the file's index
constexpr std::int64_t kBatchRows = 64 * 1024;

/// The bounds of integers and of a table's timestamps; nothing of other types, and where there are nulls.
std::optional<ColumnRange> BoundsOf(const arrow::Array& column) {
  if (column.length() == 0 || column.null_count() > 0) return std::nullopt;
  const auto bounds = [&]<typename Value>(Value) {
    const std::span<const Value> values(column.data()->GetValues<Value>(1),
                                        static_cast<std::size_t>(column.length()));
    Value low = values.front();
    Value high = values.front();
    for (const Value value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    return ColumnRange{{}, std::int64_t{low}, std::int64_t{high}};
  };
  if (column.type_id() == arrow::Type::INT32) return bounds(std::int32_t{});
  const bool is_micros =
      column.type_id() == arrow::Type::TIMESTAMP &&
      static_cast<const arrow::TimestampType&>(*column.type()).unit() == arrow::TimeUnit::MICRO;
  if (is_micros || column.type_id() == arrow::Type::INT64) return bounds(std::int64_t{});
  return std::nullopt;
}

class TableSource final : public Source {
 public:
  TableSource(std::shared_ptr<arrow::Schema> schema, SystemColumns system, std::unique_ptr<Source> snapshot,
              std::vector<LogTail> tails)
      : schema_(std::move(schema)),
        system_(std::move(system)),
        snapshot_(std::move(snapshot)),
        tails_(std::move(tails)) {
    if (snapshot_ != nullptr) files_ = snapshot_->files();
    first_tail_ = files_.size();
    for (const LogTail& tail : tails_)
      files_.push_back({.path = tail.name, .id = tail.name, .size = tail.rows(), .mtime_ns = 0});
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return files_; }
  const SystemColumns& system_columns() const override { return system_; }

  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override {
    const auto first_tail = std::ranges::lower_bound(files, first_tail_);
    std::vector<Fragment> fragments;
    if (first_tail != files.begin()) {
      TM_ASSIGN(fragments, snapshot_->FragmentsOf({files.begin(), first_tail}, columns));
    }
    for (auto file = first_tail; file != files.end(); ++file) {
      const std::size_t others = fragments.size();
      RowLocation next = static_cast<RowLocation>(*file) << kFileBits;
      for (const auto& batch : tails_[*file - first_tail_].batches) {
        Fragment fragment;
        fragment.file = *file;
        fragment.part = static_cast<int>(fragments.size() - others);
        fragment.first_location = next;
        fragment.rows = batch->num_rows();
        fragment.ranges = RangesOf(*batch, columns);
        next += static_cast<RowLocation>(batch->num_rows());
        fragments.push_back(std::move(fragment));
      }
    }
    return fragments;
  }

  Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                    const BatchSink& sink) const override {
    if (fragment.file < first_tail_) return snapshot_->Scan(fragment, columns, sink);
    TM_ASSIGN(const auto rows, Columns(fragment, columns));
    for (std::int64_t begin = 0; begin < rows->num_rows(); begin += kBatchRows) {
      TM_TRY(sink(*rows->Slice(begin, std::min(kBatchRows, rows->num_rows() - begin)), begin));
    }
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override {
    if (fragment.file < first_tail_) return snapshot_->Take(fragment, columns, rows);
    TM_ASSIGN(const auto all, Columns(fragment, columns));
    arrow::Int64Builder builder;
    TM_TRY(FromArrowStatus(builder.AppendValues(rows.data(), static_cast<std::int64_t>(rows.size()))));
    TM_ASSIGN(const auto indices, FromArrowResult(builder.Finish()));
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(all, indices)));
    return taken.record_batch();
  }

 private:
  static std::vector<ColumnRange> RangesOf(const arrow::RecordBatch& batch,
                                           const std::vector<std::string>& columns) {
    std::vector<ColumnRange> ranges;
    for (const std::string& column : columns) {
      const auto values = batch.GetColumnByName(column);
      auto range = values == nullptr ? std::nullopt : BoundsOf(*values);
      if (!range) continue;
      range->column = column;
      ranges.push_back(*std::move(range));
    }
    return ranges;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Columns(const Fragment& fragment,
                                                      const std::vector<std::string>& columns) const {
    const LogTail& tail = tails_[fragment.file - first_tail_];
    const arrow::RecordBatch& rows = *tail.batches[static_cast<std::size_t>(fragment.part)];
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const std::string& column : columns) {
      const int index = rows.schema()->GetFieldIndex(column);
      if (index < 0) return Fail(ErrorCode::kNotFound, fmt::format("the table has no column '{}'", column));
      fields.push_back(rows.schema()->field(index));
      arrays.push_back(rows.column(index));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows.num_rows(), std::move(arrays));
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const SystemColumns system_;
  const std::unique_ptr<Source> snapshot_;
  const std::vector<LogTail> tails_;
  std::vector<SourceFile> files_;
  std::size_t first_tail_ = 0;  // index of the first tail among the files
};

}  // namespace

std::int64_t LogTail::rows() const {
  std::int64_t rows = 0;
  for (const auto& batch : batches)
    rows += batch->num_rows();
  return rows;
}

std::unique_ptr<Source> MakeTableSource(std::shared_ptr<arrow::Schema> schema, SystemColumns system,
                                        std::unique_ptr<Source> snapshot, std::vector<LogTail> tails) {
  return std::make_unique<TableSource>(std::move(schema), std::move(system), std::move(snapshot),
                                       std::move(tails));
}

}  // namespace tidemark
