// Reads a client's messages; keeps what must be whole, in memory or in a file without a name.
#include "server/flight/uploaded_rows.h"

#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/align_util.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "server/flight/status.h"

namespace tidemark::server::flight {
namespace {

/// A file that is gone when it is closed, however the process ends.
Result<int> OpenUnnamedFile() {
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(failed);
  std::string path = (failed ? std::filesystem::path("/tmp") : folder) / "tidemark-flight-XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) {
    return Fail(ErrorCode::kIo, fmt::format("cannot make a file for rows that wait in {}: {}", path,
                                            std::generic_category().message(errno)));
  }
  unlink(path.c_str());
  return file;
}

/// Batches in memory up to a limit, then in a file.
class Kept {
 public:
  Kept(std::shared_ptr<arrow::Schema> schema, std::int64_t bytes_max)
      : schema_(std::move(schema)), bytes_max_(bytes_max) {}

  Result<void> Add(std::shared_ptr<arrow::RecordBatch> batch) {
    if (writer_ == nullptr) {
      TM_ASSIGN(const std::int64_t bytes, FromArrow(arrow::util::ReferencedBufferSize(*batch)));
      bytes_ += bytes;
      batches_.push_back(std::move(batch));
      if (bytes_ <= bytes_max_) return {};
      return Spill();
    }
    return FromArrow(writer_->WriteRecordBatch(*batch));
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Finish() && {
    if (writer_ == nullptr) return FromArrow(arrow::RecordBatchReader::Make(std::move(batches_), schema_));
    TM_TRY(FromArrow(writer_->Close()));
    TM_TRY(FromArrow(file_->Flush()));
    const int again = dup(file_->file_descriptor());
    if (again < 0 || lseek(again, 0, SEEK_SET) != 0) {
      return Fail(ErrorCode::kIo,
                  "cannot read back the rows that wait: " + std::generic_category().message(errno));
    }
    TM_ASSIGN(std::shared_ptr<arrow::io::ReadableFile> in, FromArrow(arrow::io::ReadableFile::Open(again)));
    TM_ASSIGN(auto reader, FromArrow(arrow::ipc::RecordBatchStreamReader::Open(std::move(in))));
    return reader;
  }

 private:
  Result<void> Spill() {
    TM_ASSIGN(const int file, OpenUnnamedFile());
    TM_ASSIGN(file_, FromArrow(arrow::io::FileOutputStream::Open(file)));
    TM_ASSIGN(writer_, FromArrow(arrow::ipc::MakeStreamWriter(file_, schema_)));
    for (const auto& batch : std::exchange(batches_, {}))
      TM_TRY(FromArrow(writer_->WriteRecordBatch(*batch)));
    return {};
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const std::int64_t bytes_max_;
  std::int64_t bytes_ = 0;
  arrow::RecordBatchVector batches_;
  std::shared_ptr<arrow::io::FileOutputStream> file_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

}  // namespace

Result<std::shared_ptr<UploadedRows>> UploadedRows::Open(arrow::flight::FlightMessageReader& reader,
                                                         const UploadLimits& limits, std::stop_token stop) {
  std::shared_ptr<UploadedRows> rows(new UploadedRows(reader, limits, std::move(stop)));
  auto schema = FromArrow(reader.GetSchema());
  if (!schema) {
    if (rows->stop_.stop_requested()) return std::unexpected(std::move(schema).error());
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the call sends no rows, and it needs some: {}", schema.error().message));
  }
  rows->schema_ = std::move(schema).value();
  return rows;
}

arrow::Status UploadedRows::ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) {
  auto next = failure_ ? std::unexpected(*failure_) : Next();
  if (!next) {
    failure_ = next.error();
    return StatusOf(next.error());
  }
  *batch = std::move(next).value();
  return arrow::Status::OK();
}

Result<std::shared_ptr<arrow::RecordBatch>> UploadedRows::Next() {
  while (!ended_) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "the client is gone");
    TM_ASSIGN(arrow::flight::FlightStreamChunk chunk, FromArrow(reader_.Next()));
    if (chunk.data != nullptr) return Checked(std::move(chunk.data));
    ended_ = chunk.app_metadata == nullptr;  // or else words without rows, which mean nothing here
  }
  return nullptr;
}

Result<std::shared_ptr<arrow::RecordBatch>> UploadedRows::Checked(std::shared_ptr<arrow::RecordBatch> batch) {
  const std::string place = fmt::format("uploaded batch {}", batches_++);
  if (auto valid = FromArrow(batch->ValidateFull()); !valid)
    return std::unexpected(std::move(valid).error().In(place));
  TM_ASSIGN(const std::int64_t bytes, FromArrow(arrow::util::ReferencedBufferSize(*batch)));
  bytes_ += bytes;
  if (bytes_ > limits_.bytes_max) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the call sends more than {} bytes, which is as much as this server takes at once; "
                    "send the rows in several calls",
                    limits_.bytes_max));
  }
  if (!kept_.empty()) {
    TM_ASSIGN(batch, FromArrow(batch->SelectColumns(kept_)));
  }
  return FromArrow(arrow::util::EnsureAlignment(std::move(batch), arrow::util::kValueAlignment,
                                                arrow::default_memory_pool()));
}

void UploadedRows::Drop(const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  std::vector<int> kept;
  for (int i = 0; i < schema_->num_fields(); ++i) {
    if (std::ranges::find(columns, schema_->field(i)->name()) != columns.end()) continue;
    kept.push_back(i);
    fields.push_back(schema_->field(i));
  }
  if (std::cmp_equal(kept.size(), schema_->num_fields())) return;
  kept_ = std::move(kept);
  schema_ = arrow::schema(std::move(fields), schema_->metadata());
}

Result<std::shared_ptr<arrow::RecordBatchReader>> TakeAll(UploadedRows& rows, const UploadLimits& limits) {
  Kept kept(rows.schema(), limits.in_memory_max);
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const arrow::Status read = rows.ReadNext(&batch); !read.ok())
      return std::unexpected(rows.ReasonOf(ErrorOf(read)));
    if (batch == nullptr) return std::move(kept).Finish();
    TM_TRY(kept.Add(std::move(batch)));
  }
}

void Drain(arrow::flight::FlightMessageReader& reader, const UploadLimits& limits,
           const std::stop_token& stop) {
  std::int64_t bytes = 0;
  while (bytes <= limits.bytes_max && !stop.stop_requested()) {
    const auto chunk = reader.Next();
    if (!chunk.ok() || (chunk->data == nullptr && chunk->app_metadata == nullptr)) return;
    if (chunk->data != nullptr) bytes += arrow::util::TotalBufferSize(*chunk->data);
  }
}

Result<void> ToStream(std::shared_ptr<arrow::RecordBatchReader> reader, ArrowArrayStream* out) {
  return FromArrow(arrow::ExportRecordBatchReader(std::move(reader), out));
}

}  // namespace tidemark::server::flight
