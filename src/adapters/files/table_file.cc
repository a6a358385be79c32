// Parquet goes out in row groups of bounded size, its columns encoded on several threads.
#include "adapters/files/table_file.h"

#include <arrow/csv/api.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/compression.h>
#include <arrow/util/thread_pool.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "adapters/files/csv_rows.h"
#include "adapters/files/csv_stream.h"
#include "adapters/files/plain_columns.h"
#include "adapters/files/write_behind.h"
#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/data_file.h"
#include "adapters/parquet/encoding_choice.h"
#include "adapters/parquet/flat_file_writer.h"
#include "base/result.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

// A row group is held encoded until it is whole, so its size bounds the memory of a write.
constexpr std::int64_t kRowGroupRows = std::int64_t{1} << 17;
constexpr std::int64_t kReadBatchRows = std::int64_t{1} << 16;
constexpr std::int64_t kReadBufferBytes = std::int64_t{256} << 10;  // of each column

enum class Format : std::uint8_t { kParquet, kCsv, kCsvGzip };

Result<Format> FormatOf(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".parquet") || name.ends_with(".pq")) return Format::kParquet;
  if (name.ends_with(".csv")) return Format::kCsv;
  if (name.ends_with(".csv.gz")) return Format::kCsvGzip;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' does not end in .parquet, .csv or .csv.gz: say by its name what it is",
                          path.string()));
}

std::string PlaceOf(const std::filesystem::path& path) {
  return "file " + path.string();
}

bool IsFull(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/// The error of reading or writing the file; one that an earlier step said in our words is that step's.
Error FileError(const arrow::Status& status, const std::filesystem::path& path, ErrorCode damaged) {
  Error error = FromStatus(status, damaged);
  return IsOwn(status) ? error : std::move(error).In(PlaceOf(path));
}

Error ReadError(const arrow::Status& status, const std::filesystem::path& path) {
  return FileError(status, path, ErrorCode::kCorruption);
}

/// Turns errors of the wrapped reader into ours, with the file's name.
class NamedReader final : public arrow::RecordBatchReader {
 public:
  NamedReader(std::shared_ptr<arrow::RecordBatchReader> reader, std::filesystem::path path)
      : reader_(std::move(reader)), path_(std::move(path)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    const arrow::Status status = WithoutExceptions([&] { return reader_->ReadNext(batch); });
    return status.ok() ? status : ToStatus(ReadError(status, path_));
  }

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  const std::filesystem::path path_;
};

/// Keeps the file reader alive for as long as its batches are read.
class ParquetBatches final : public arrow::RecordBatchReader {
 public:
  ParquetBatches(std::unique_ptr<parquet::arrow::FileReader> file,
                 std::unique_ptr<arrow::RecordBatchReader> batches)
      : file_(std::move(file)), batches_(std::move(batches)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return batches_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    return batches_->ReadNext(batch);
  }

 private:
  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenParquet(const std::string& path,
                                                                     std::size_t threads) {
  ARROW_ASSIGN_OR_RAISE(auto input, arrow::io::ReadableFile::Open(path));
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(kReadBatchRows);
  properties.set_use_threads(threads > 1);
  properties.set_pre_buffer(false);  // which would hold the whole file
  parquet::ReaderProperties reader_properties(BufferPool());
  reader_properties.set_page_checksum_verification(true);
  reader_properties.enable_buffered_stream();  // without it a whole column chunk is read at once
  reader_properties.set_buffer_size(kReadBufferBytes);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(input, reader_properties));
  std::unique_ptr<parquet::arrow::FileReader> file;
  ARROW_RETURN_NOT_OK(builder.memory_pool(BufferPool())->properties(properties)->Build(&file));
  ARROW_ASSIGN_OR_RAISE(auto batches, file->GetRecordBatchReader());
  return std::make_shared<ParquetBatches>(std::move(file), std::move(batches));
}

/// `first` are the first rows, a null pointer if there are none.
std::shared_ptr<parquet::WriterProperties> WriterProperties(const arrow::RecordBatch* first) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(BufferPool())
      ->compression(parquet::Compression::SNAPPY)
      ->max_row_group_length(kRowGroupRows)
      ->enable_page_checksum();
  for (int i = 0; first != nullptr && i < first->num_columns(); ++i) {
    const arrow::Array& column = *first->column(i);
    if (DictionaryPays(column)) continue;
    const auto path =
        std::make_shared<parquet::schema::ColumnPath>(std::vector<std::string>{first->column_name(i)});
    builder.disable_dictionary(path);
    if (!CompressionPays(column, arrow::Compression::SNAPPY))
      builder.compression(path, parquet::Compression::UNCOMPRESSED);
  }
  return builder.build();
}

/// Hands `batch` and all that follow it to `write`. Returns how many rows there were.
template <typename Write>
arrow::Result<std::int64_t> WriteAll(std::shared_ptr<arrow::RecordBatch> batch,
                                     arrow::RecordBatchReader& rows, const Write& write) {
  std::int64_t written = 0;
  while (batch != nullptr) {
    written += batch->num_rows();
    ARROW_RETURN_NOT_OK(write(std::move(batch)));
    ARROW_RETURN_NOT_OK(rows.ReadNext(&batch));
  }
  return written;
}

std::int64_t BytesOf(const arrow::RecordBatch& batch) {
  // Some types cannot be measured by what they refer to; then the whole buffers count.
  const auto referenced = arrow::util::ReferencedBufferSize(batch);
  return referenced.ok() ? *referenced : arrow::util::TotalBufferSize(batch);
}

/// Ends a row group before it takes more memory than it may: encoded columns wait for the last row of theirs.
/// The writer itself ends those that have kRowGroupRows.
class RowGroups {
 public:
  RowGroups(parquet::arrow::FileWriter& writer, std::int64_t bytes_max)
      : writer_(writer), bytes_max_(bytes_max) {}

  arrow::Status Write(const std::shared_ptr<arrow::RecordBatch>& batch) {
    const std::int64_t bytes = BytesOf(*batch);
    if (bytes_ > 0 && bytes_ + bytes > bytes_max_) {
      ARROW_RETURN_NOT_OK(writer_.NewBufferedRowGroup());
      rows_ = 0;
      bytes_ = 0;
    }
    rows_ += batch->num_rows();
    bytes_ += bytes;
    if (rows_ >= kRowGroupRows) {  // the end of the batch begins another
      rows_ %= kRowGroupRows;
      bytes_ = bytes * rows_ / batch->num_rows();
    }
    return writer_.WriteRecordBatch(*batch);
  }

  arrow::Status Close() { return writer_.Close(); }

 private:
  parquet::arrow::FileWriter& writer_;
  const std::int64_t bytes_max_;
  std::int64_t rows_ = 0;  // of the row group at hand
  std::int64_t bytes_ = 0;
};

/// The same for columns that are not nested: batches wait until they are a row group.
class FlatRowGroups {
 public:
  FlatRowGroups(FlatFileWriter& writer, std::int64_t bytes_max) : writer_(writer), bytes_max_(bytes_max) {}

  arrow::Status Write(std::shared_ptr<arrow::RecordBatch> batch) {
    const std::int64_t bytes = BytesOf(*batch);
    if (bytes_ > 0 && bytes_ + bytes > bytes_max_) ARROW_RETURN_NOT_OK(End());
    while (rows_ + batch->num_rows() >= kRowGroupRows) {
      const std::int64_t some = kRowGroupRows - rows_;
      waiting_.push_back(batch->Slice(0, some));
      batch = batch->Slice(some);
      ARROW_RETURN_NOT_OK(End());
    }
    if (batch->num_rows() == 0) return arrow::Status::OK();
    rows_ += batch->num_rows();
    bytes_ += BytesOf(*batch);
    waiting_.push_back(std::move(batch));
    return arrow::Status::OK();
  }

  arrow::Status Close() {
    ARROW_RETURN_NOT_OK(End());
    return writer_.Close();
  }

 private:
  arrow::Status End() {
    rows_ = 0;
    bytes_ = 0;
    return writer_.WriteRowGroup(std::exchange(waiting_, {}));
  }

  FlatFileWriter& writer_;
  const std::int64_t bytes_max_;
  arrow::RecordBatchVector waiting_;
  std::int64_t rows_ = 0;
  std::int64_t bytes_ = 0;
};

/// Columns some of which may be nested.
arrow::Result<std::int64_t> WriteNested(std::shared_ptr<arrow::RecordBatch> first,
                                        arrow::RecordBatchReader& rows,
                                        const std::shared_ptr<WriteBehindFile>& output,
                                        const TableWriteOptions& options) {
  auto arrow_builder = parquet::ArrowWriterProperties::Builder();
  arrow_builder.store_schema();
  std::shared_ptr<arrow::internal::ThreadPool> pool;
  if (options.threads > 1) {
    ARROW_ASSIGN_OR_RAISE(pool, arrow::internal::ThreadPool::Make(static_cast<int>(options.threads)));
    arrow_builder.set_use_threads(true)->set_executor(pool.get());
  }
  ARROW_ASSIGN_OR_RAISE(
      auto writer, parquet::arrow::FileWriter::Open(*rows.schema(), BufferPool(), output,
                                                    WriterProperties(first.get()), arrow_builder.build()));
  RowGroups groups(*writer, options.row_group_bytes_max);
  ARROW_ASSIGN_OR_RAISE(const std::int64_t written, WriteAll(std::move(first), rows, [&](const auto& batch) {
                          return groups.Write(batch);
                        }));
  ARROW_RETURN_NOT_OK(groups.Close());
  return written;
}

arrow::Result<std::int64_t> WriteFlat(std::shared_ptr<arrow::RecordBatch> first,
                                      arrow::RecordBatchReader& rows,
                                      const std::shared_ptr<WriteBehindFile>& output,
                                      const TableWriteOptions& options) {
  ARROW_ASSIGN_OR_RAISE(
      const auto writer,
      FlatFileWriter::Open(rows.schema(), output, WriterProperties(first.get()), options.threads));
  FlatRowGroups groups(*writer, options.row_group_bytes_max);
  ARROW_ASSIGN_OR_RAISE(const std::int64_t written, WriteAll(std::move(first), rows, [&](auto batch) {
                          return groups.Write(std::move(batch));
                        }));
  ARROW_RETURN_NOT_OK(groups.Close());
  return written;
}

arrow::Result<std::int64_t> WriteParquet(arrow::RecordBatchReader& rows, const std::string& path,
                                         const TableWriteOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto output,
                        WriteBehindFile::Open(path, std::min(kWaitingBytesMax, options.row_group_bytes_max)));
  ARROW_ASSIGN_OR_RAISE(auto first, rows.Next());
  const auto write = FlatFileWriter::Takes(*rows.schema()) ? WriteFlat : WriteNested;
  ARROW_ASSIGN_OR_RAISE(const std::int64_t written, write(std::move(first), rows, output, options));
  ARROW_RETURN_NOT_OK(output->Close());
  return written;
}

arrow::Result<std::int64_t> WriteCsv(arrow::RecordBatchReader& rows, const std::string& path, bool gzip) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::io::OutputStream> output,
                        arrow::io::FileOutputStream::Open(path));
  if (gzip) {
    ARROW_ASSIGN_OR_RAISE(auto codec, arrow::util::Codec::Create(arrow::Compression::GZIP));
    ARROW_ASSIGN_OR_RAISE(output, arrow::io::CompressedOutputStream::Make(codec.get(), output));
  }
  ARROW_ASSIGN_OR_RAISE(
      auto writer, arrow::csv::MakeCSVWriter(output, rows.schema(), arrow::csv::WriteOptions::Defaults()));
  ARROW_ASSIGN_OR_RAISE(auto first, rows.Next());
  ARROW_ASSIGN_OR_RAISE(const std::int64_t written, WriteAll(std::move(first), rows, [&](const auto& batch) {
                          return writer->WriteRecordBatch(*batch);
                        }));
  ARROW_RETURN_NOT_OK(writer->Close());
  ARROW_RETURN_NOT_OK(output->Close());
  return written;
}

Error SystemError(std::string_view what, const std::filesystem::path& path) {
  const int error = errno;
  return {IsFull(error) ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          fmt::format("cannot {}: {}", what, std::generic_category().message(error)), PlaceOf(path)};
}

Result<void> SyncPath(const std::filesystem::path& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return std::unexpected(SystemError("open to sync", path));
  const int failed = fsync(file);
  const Error error = failed == 0 ? Error{} : SystemError("sync", path);
  close(file);
  if (failed != 0) return std::unexpected(error);
  return {};
}

/// A file that is removed unless it was put in its place.
class PendingFile {
 public:
  explicit PendingFile(const std::filesystem::path& place)
      : place_(place),
        path_(place.parent_path() / fmt::format(".{}.{}-{}{}", place.filename().string(), getpid(),
                                                files_begun.fetch_add(1), kUnfinishedEnding)) {}
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

  /// `other_place` is in the same folder; null: there is none.
  Result<void> PutInPlace(const std::function<std::filesystem::path()>& other_place) {
    if (other_place != nullptr) place_ = other_place();
    TM_TRY(SyncPath(path_, O_RDONLY));
    if (rename(path_.c_str(), place_.c_str()) != 0)
      return std::unexpected(SystemError("put in its place", place_));
    path_.clear();
    const auto folder = place_.parent_path();
    return SyncPath(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  }

 private:
  inline static std::atomic<unsigned> files_begun{
      0};  // two threads may write at the same time, even to one place
  std::filesystem::path place_;
  std::string path_;
};

Result<void> CheckCsvColumns(const arrow::Schema& schema) {
  for (const auto& field : schema.fields()) {
    const auto type = field->type()->id();
    const bool is_bytes = type == arrow::Type::BINARY || type == arrow::Type::LARGE_BINARY ||
                          type == arrow::Type::BINARY_VIEW || type == arrow::Type::FIXED_SIZE_BINARY;
    if (!arrow::is_nested(type) && !is_bytes) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("column '{}' is {}, which CSV cannot hold: write Parquet", field->name(),
                            field->type()->ToString()));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> OpenTableFile(
    const std::filesystem::path& path, std::size_t threads,
    const std::map<std::string, DataType>& column_types, const std::stop_token& stop) {
  TM_ASSIGN(const Format format, FormatOf(path));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file '{}'", path.string()));
  }
  if (format != Format::kParquet) return OpenCsvStream(path, column_types, stop);
  auto reader = WithoutExceptions([&] { return OpenParquet(path.string(), threads); });
  if (!reader.ok()) return std::unexpected(ReadError(reader.status(), path));
  return std::make_shared<NamedReader>(std::move(reader).ValueUnsafe(), path);
}

std::int64_t FirstRowNumber(const std::filesystem::path& path) {
  const auto format = FormatOf(path);
  return format && *format != Format::kParquet ? kCsvFirstDataRow : 0;
}

Result<void> CheckCanHold(const std::filesystem::path& path, const arrow::Schema& schema) {
  TM_ASSIGN(const Format format, FormatOf(path));
  return format == Format::kParquet ? Result<void>() : CheckCsvColumns(schema);
}

Result<std::int64_t> WriteTableFile(arrow::RecordBatchReader& rows, const std::filesystem::path& path,
                                    const TableWriteOptions& options) {
  TM_TRY(CheckCanHold(path, *rows.schema()));
  TM_ASSIGN(const Format format, FormatOf(path));
  PendingFile pending(path);
  const auto plain = WithPlainColumns(rows, {.is_csv = format != Format::kParquet});
  const auto written = WithoutExceptions([&] {
    return format == Format::kParquet ? WriteParquet(*plain, pending.path(), options)
                                      : WriteCsv(*plain, pending.path(), format == Format::kCsvGzip);
  });
  if (!written.ok()) return std::unexpected(FileError(written.status(), path, ErrorCode::kInvalidData));
  TM_TRY(pending.PutInPlace(options.place));
  return *written;
}

}  // namespace tidemark
