#include "adapters/iceberg/data_writer.h"

#include <arrow/array.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/parquet_writer.h"
#include "adapters/iceberg/partition.h"
#include "adapters/iceberg/sort_rows.h"
#include "base/parallel.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

// A thread gets a file of its own only if there is so much to write.
constexpr std::int64_t kTaskBytesMin = std::int64_t{64} << 20;

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

std::int64_t FirstNull(const arrow::Array& column) {
  std::int64_t row = 0;
  while (row < column.length() && !column.IsNull(row))
    ++row;
  return row;
}

// Brings batches as a caller has them into the table's columns.
class Columns {
 public:
  Result<void> Open(const Schema& schema, const arrow::Schema& given) {
    arrow::FieldVector fields;
    for (const SchemaField& field : schema.fields) {
      TM_ASSIGN(auto arrow_field, ToArrowField(field));
      TM_ASSIGN(const DataType type, TypeOf(field));
      const auto places = given.GetAllFieldIndices(field.name);
      if (places.size() > 1)
        return Fail(ErrorCode::kInvalidArgument, fmt::format("there are two columns '{}'", field.name));
      if (places.empty() && field.required)
        return Fail(ErrorCode::kInvalidArgument, fmt::format("column '{}' is missing", field.name));
      if (!places.empty() && !given.field(places.front())->type()->Equals(ToArrow(type))) {
        return Fail(ErrorCode::kTypeMismatch,
                    fmt::format("column '{}' is {}, and the table's is {}", field.name,
                                given.field(places.front())->type()->ToString(), ToArrow(type)->ToString()));
      }
      places_.push_back(places.empty() ? -1 : places.front());
      fields.push_back(std::move(arrow_field));
    }
    for (const auto& field : given.fields()) {
      if (FindField(schema, field->name()) == nullptr)
        return Fail(ErrorCode::kInvalidArgument, fmt::format("the table has no column '{}'", field->name()));
    }
    schema_ = arrow::schema(std::move(fields));
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const arrow::RecordBatch& rows,
                                                   std::int64_t first_row) const {
    arrow::ArrayVector columns;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto& field = schema_->field(static_cast<int>(i));
      if (places_[i] < 0) {
        TM_ASSIGN(auto nulls,
                  FromArrowResult(arrow::MakeArrayOfNull(field->type(), rows.num_rows(), BufferPool())));
        columns.push_back(std::move(nulls));
        continue;
      }
      const auto column = rows.column(places_[i]);
      if (!field->nullable() && column->null_count() > 0) {
        return Fail(ErrorCode::kInvalidData,
                    fmt::format("column '{}', row {}: null, and the column must have a value", field->name(),
                                first_row + FirstNull(*column)));
      }
      columns.push_back(arrow::MakeArray(Retyped(*column->data(), field->type())));
    }
    return arrow::RecordBatch::Make(schema_, rows.num_rows(), std::move(columns));
  }

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> places_;  // of the table's columns among those given; -1: absent
};

/// Rows that one thread writes to files of their own.
struct Task {
  std::string tuple;
  std::vector<FieldSummary> summaries;
  std::shared_ptr<arrow::Table> rows;
};

class DataWriter {
 public:
  DataWriter(const TableMetadata& metadata, const fs::path& folder, const StageOptions& options,
             const StepHook& at_step)
      : metadata_(metadata), folder_(folder), options_(options), at_step_(at_step) {
    for (const SortField& field : metadata.sort_order().fields) {
      const SchemaField* const source = FindField(metadata.schema(), field.source_id);
      const bool is_ours = field.transform == "identity" && field.direction == "asc" &&
                           field.null_order == "nulls-first" && source != nullptr;
      if (!is_ours) {  // of another engine: rows stay as they come, and the files say so
        sort_columns_.clear();
        break;
      }
      sort_columns_.push_back(source->name);
    }
  }

  Result<std::vector<WrittenFile>> Run(arrow::RecordBatchReader& rows) {
    auto written = WriteAll(rows);
    if (written) written = SyncFolder(folder_);
    if (written) return std::move(files_);
    RemoveFiles(files_);
    return std::unexpected(std::move(written).error());
  }

 private:
  Result<void> WriteAll(arrow::RecordBatchReader& rows) {
    TM_TRY(columns_.Open(metadata_.schema(), *rows.schema()));
    Batches run;
    std::int64_t run_bytes = 0;
    std::int64_t row = 0;
    while (true) {
      if (options_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "writing rows was interrupted");
      std::shared_ptr<arrow::RecordBatch> batch;
      TM_TRY(FromArrowStatus(rows.ReadNext(&batch)));
      if (batch == nullptr) break;
      if (batch->num_rows() == 0) continue;
      TM_ASSIGN(auto taken, columns_.Take(*batch, row));
      TM_ASSIGN(const std::int64_t bytes, FromArrowResult(arrow::util::ReferencedBufferSize(*taken)));
      row += batch->num_rows();
      run_bytes += bytes;
      run.push_back(std::move(taken));
      if (run_bytes < options_.sort_bytes) continue;
      TM_TRY(WriteRun(std::exchange(run, {}), std::exchange(run_bytes, 0)));
    }
    if (run.empty()) return {};
    return WriteRun(std::move(run), run_bytes);
  }

  Result<void> WriteRun(Batches run, std::int64_t run_bytes) {
    if (!sort_columns_.empty() && !AreSorted(run, sort_columns_)) {
      TM_ASSIGN(auto sorted, SortRows(run, sort_columns_));
      run = {std::move(sorted)};
    }
    TM_ASSIGN(const std::vector<Task> tasks, Divide(run, run_bytes));
    run.clear();  // partitions have rows of their own
    return ParallelFor(tasks.size(), ThreadCount(options_.threads), options_.stop,
                       [&](std::size_t index, std::size_t) { return Write(tasks[index]); });
  }

  // Partitions, or without any, as many runs of row groups as there are threads to write them.
  Result<std::vector<Task>> Divide(const Batches& run, std::int64_t run_bytes) const {
    std::vector<Task> tasks;
    if (!metadata_.spec().fields.empty()) {
      TM_ASSIGN(const auto rows, CombineBatches(run));
      TM_ASSIGN(auto parts, SplitByPartition(metadata_.schema(), metadata_.spec(), rows));
      for (PartitionRows& part : parts) {
        TM_ASSIGN(auto table, FromArrowResult(arrow::Table::FromRecordBatches({part.rows})));
        tasks.push_back({std::move(part.tuple), std::move(part.summaries), std::move(table)});
      }
      return tasks;
    }
    TM_ASSIGN(const auto table, FromArrowResult(arrow::Table::FromRecordBatches(columns_.schema(), run)));
    const std::int64_t groups = (table->num_rows() + kRowGroupRows - 1) / kRowGroupRows;
    const auto threads = static_cast<std::int64_t>(ThreadCount(options_.threads));
    const std::int64_t count = std::clamp<std::int64_t>(run_bytes / kTaskBytesMin, 1,
                                                        std::min(threads, std::max<std::int64_t>(groups, 1)));
    const std::int64_t task_rows = (groups + count - 1) / count * kRowGroupRows;
    for (std::int64_t first = 0; first < table->num_rows(); first += task_rows)
      tasks.push_back({"", {}, table->Slice(first, task_rows)});
    return tasks;
  }

  Result<void> Write(const Task& task) {
    std::unique_ptr<DataFileWriter> writer;
    for (std::int64_t first = 0; first < task.rows->num_rows(); first += kRowGroupRows) {
      if (options_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "writing rows was interrupted");
      const auto rows = task.rows->Slice(first, kRowGroupRows);
      if (writer == nullptr) {
        TM_ASSIGN(writer, DataFileWriter::Open(folder_, metadata_.schema(), *rows));
      }
      TM_TRY(writer->Write(*rows));
      Report(rows->num_rows());
      if (writer->bytes() < options_.file_bytes) continue;
      TM_TRY(Finish(*writer, task));
      writer.reset();
    }
    return writer == nullptr ? Result<void>() : Finish(*writer, task);
  }

  Result<void> Finish(DataFileWriter& writer, const Task& task) {
    TM_ASSIGN(WrittenFile file, writer.Finish());
    file.file.partition = task.tuple;
    file.partition = task.summaries;
    if (!sort_columns_.empty()) file.file.sort_order_id = metadata_.default_sort_order_id;
    {
      const std::lock_guard lock(mutex_);
      files_.push_back(std::move(file));
    }
    return at_step_ ? at_step_("data file") : Result<void>();
  }

  void Report(std::int64_t rows) {
    const std::int64_t all = rows_written_ += rows;
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    options_.progress(all);
  }

  const TableMetadata& metadata_;
  const fs::path& folder_;
  const StageOptions& options_;
  const StepHook& at_step_;
  std::vector<std::string> sort_columns_;
  Columns columns_;
  std::mutex mutex_;  // over files_ and the progress
  std::vector<WrittenFile> files_;
  std::atomic<std::int64_t> rows_written_ = 0;
};

}  // namespace

Result<std::vector<WrittenFile>> WriteDataFiles(const TableMetadata& metadata, const fs::path& folder,
                                                arrow::RecordBatchReader& rows, const StageOptions& options,
                                                const StepHook& at_step) {
  return DataWriter(metadata, folder, options, at_step).Run(rows);
}

void RemoveFiles(const std::vector<WrittenFile>& files) {
  for (const WrittenFile& file : files)
    ::unlink(file.path.c_str());
}

}  // namespace tidemark::iceberg
