// Parquet is written from its start to its end, so that stdout may be a pipe, which Arrow's files cannot be.
#include "cli/parquet_output.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tidemark::cli {
namespace {

Result<void> Checked(const arrow::Status& status) {
  if (status.ok()) return {};
  return Fail(ErrorCode::kIo, fmt::format("the output cannot be written: {}", status.message()));
}

class Stdout final : public arrow::io::OutputStream {
 public:
  arrow::Status Write(const void* data, std::int64_t bytes) override {
    const char* from = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(STDOUT_FILENO, from, static_cast<std::size_t>(bytes));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return arrow::Status::IOError(std::strerror(errno));
      from += written;
      bytes -= written;
      position_ += written;
    }
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Result<std::int64_t> Tell() const override { return position_; }
  bool closed() const override { return closed_; }
  arrow::Status Close() override {
    closed_ = true;  // others may still write to it
    return arrow::Status::OK();
  }

 private:
  std::int64_t position_ = 0;
  bool closed_ = false;
};

class StdoutParquet final : public ParquetOutput {
 public:
  Result<void> Open(const std::shared_ptr<arrow::Schema>& schema) {
    file_ = std::make_shared<Stdout>();
    auto writer = parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), file_);
    TM_TRY(Checked(writer.status()));
    writer_ = *std::move(writer);
    return {};
  }

  Result<void> Write(const arrow::RecordBatch& batch) override {
    return Checked(writer_->WriteRecordBatch(batch));
  }

  Result<void> Finish() override {
    TM_TRY(Checked(writer_->Close()));
    return Checked(file_->Close());
  }

 private:
  std::shared_ptr<Stdout> file_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

template <typename Builder, typename Value>
Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<Row>& rows, std::size_t column,
                                               const Value& value) {
  Builder builder;
  for (const Row& row : rows) {
    const Json& cell = row[column];
    TM_TRY(Checked(cell.is_null() ? builder.AppendNull() : builder.Append(value(cell))));
  }
  auto made = builder.Finish();
  TM_TRY(Checked(made.status()));
  return *std::move(made);
}

Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<Row>& rows, std::size_t column) {
  const auto all = [&](auto is) {
    return std::ranges::all_of(rows,
                               [&](const Row& row) { return row[column].is_null() || is(row[column]); });
  };
  if (!rows.empty() && all([](const Json& cell) { return cell.is_boolean(); }))
    return ColumnOf<arrow::BooleanBuilder>(rows, column, [](const Json& cell) { return cell.get<bool>(); });
  if (!rows.empty() && all([](const Json& cell) { return cell.is_number_integer(); }))
    return ColumnOf<arrow::Int64Builder>(rows, column,
                                         [](const Json& cell) { return cell.get<std::int64_t>(); });
  if (!rows.empty() && all([](const Json& cell) { return cell.is_number(); }))
    return ColumnOf<arrow::DoubleBuilder>(rows, column, [](const Json& cell) { return cell.get<double>(); });
  return ColumnOf<arrow::StringBuilder>(rows, column, CellText);
}

class ParquetPrinter final : public RowPrinter {
 public:
  explicit ParquetPrinter(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  Result<void> Print(const Row& row) override {
    rows_.push_back(row);
    return {};
  }

  Result<void> Finish() override {
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      TM_ASSIGN(auto array, ColumnOf(rows_, i));
      fields.push_back(arrow::field(columns_[i], array->type()));
      arrays.push_back(std::move(array));
    }
    const auto schema = arrow::schema(fields);
    TM_ASSIGN(const auto output, OpenParquetOutput(schema));
    TM_TRY(output->Write(*arrow::RecordBatch::Make(schema, std::ssize(rows_), arrays)));
    return output->Finish();
  }

 private:
  const std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

}  // namespace

Result<std::unique_ptr<ParquetOutput>> OpenParquetOutput(const std::shared_ptr<arrow::Schema>& schema) {
  auto output = std::make_unique<StdoutParquet>();
  TM_TRY(output->Open(schema));
  return output;
}

std::unique_ptr<RowPrinter> MakeParquetPrinter(std::vector<std::string> columns) {
  return std::make_unique<ParquetPrinter>(std::move(columns));
}

}  // namespace tidemark::cli
