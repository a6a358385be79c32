// Batches are made small enough for what the file says of its rows, and copied out of the memory that is
// limited: how many of them are held at a time is their reader's affair.
#include "server/rows/parquet_rows.h"

#include <arrow/array/concatenate.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/rows/body_memory.h"

namespace tidemark::server {
namespace {

constexpr std::int64_t kBatchRowsMax = std::int64_t{1} << 16;
constexpr std::int64_t kBatchRowsMin = 64;
constexpr std::int64_t kBatchBytes = std::int64_t{32} << 20;
constexpr std::int64_t kColumnBufferBytes = std::int64_t{256} << 10;

/// Parquet throws where it does not return.
template <typename Work>
auto Caught(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const parquet::ParquetException& error) {
    return arrow::Status::Invalid(error.what());
  }
}

std::int64_t BatchRows(const parquet::FileMetaData& metadata) {
  std::int64_t bytes = 0;
  for (int i = 0; i < metadata.num_row_groups(); ++i)
    bytes += std::max<std::int64_t>(metadata.RowGroup(i)->total_byte_size(), 0);
  const std::int64_t rows = std::max<std::int64_t>(metadata.num_rows(), 1);
  const std::int64_t row_bytes = std::max<std::int64_t>(bytes / rows, 1);
  return std::clamp(kBatchBytes / row_bytes, kBatchRowsMin, kBatchRowsMax);
}

class ParquetRows final : public arrow::RecordBatchReader {
 public:
  arrow::Status Open(const std::string& path) {
    ARROW_ASSIGN_OR_RAISE(const auto input, arrow::io::ReadableFile::Open(path, memory_.get()));
    parquet::ReaderProperties properties(memory_.get());
    properties.set_page_checksum_verification(true);
    properties.enable_buffered_stream();
    properties.set_buffer_size(kColumnBufferBytes);
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(input, properties));
    parquet::ArrowReaderProperties reading;
    reading.set_pre_buffer(false);
    reading.set_use_threads(true);
    reading.set_batch_size(BatchRows(*builder.raw_reader()->metadata()));
    ARROW_RETURN_NOT_OK(builder.memory_pool(memory_.get())->properties(reading)->Build(&file_));
    return file_->GetRecordBatchReader().Value(&batches_);
  }

  std::shared_ptr<arrow::Schema> schema() const override { return batches_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    std::shared_ptr<arrow::RecordBatch> unfolded;
    ARROW_RETURN_NOT_OK(Caught([&] { return batches_->ReadNext(&unfolded); }));
    batch->reset();
    if (unfolded == nullptr) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(unfolded->ValidateFull());
    arrow::ArrayVector columns;
    for (const auto& column : unfolded->columns()) {
      ARROW_ASSIGN_OR_RAISE(columns.emplace_back(), arrow::Concatenate({column}));
    }
    *batch = arrow::RecordBatch::Make(unfolded->schema(), unfolded->num_rows(), std::move(columns));
    return arrow::Status::OK();
  }

 private:
  const std::shared_ptr<BodyMemory> memory_ = BodyMemory::OfOneBody();
  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenParquetRows(const std::filesystem::path& path) {
  auto rows = std::make_shared<ParquetRows>();
  ARROW_RETURN_NOT_OK(Caught([&] { return rows->Open(path.string()); }));
  return rows;
}

}  // namespace tidemark::server
