// Parquet goes out in row groups of bounded size, its columns encoded on several threads.
#include "adapters/files/table_file.h"

#include <arrow/csv/api.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/compression.h>
#include <arrow/util/thread_pool.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "adapters/files/arrow_error.h"
#include "adapters/files/csv_blocks.h"
#include "adapters/files/csv_nulls.h"
#include "adapters/files/dictionary_choice.h"
#include "adapters/files/file_listing.h"
#include "adapters/files/plain_columns.h"
#include "adapters/files/write_behind.h"
#include "base/result.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

// A row group is held encoded until it is whole, so its size bounds the memory of a write.
constexpr std::int64_t kRowGroupRows = std::int64_t{1} << 17;
constexpr std::int64_t kReadBatchRows = std::int64_t{1} << 16;

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

Error ReadError(const arrow::Status& status, const std::filesystem::path& path, Format format) {
  return FileError(status, path,
                   format == Format::kParquet ? ErrorCode::kCorruption : ErrorCode::kInvalidData);
}

/// Parquet throws where it does not return.
template <typename Work>
auto WithoutExceptions(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const parquet::ParquetException& error) {
    return arrow::Status::IOError(error.what());
  }
}

/// Turns errors of the wrapped reader into ours, with the file's name.
class NamedReader final : public arrow::RecordBatchReader {
 public:
  NamedReader(std::shared_ptr<arrow::RecordBatchReader> reader, std::filesystem::path path, Format format)
      : reader_(std::move(reader)), path_(std::move(path)), format_(format) {}

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    const arrow::Status status = WithoutExceptions([&] { return reader_->ReadNext(batch); });
    return status.ok() ? status : ToStatus(ReadError(status, path_, format_));
  }

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  const std::filesystem::path path_;
  const Format format_;
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
  parquet::ReaderProperties reader_properties(BufferPool());
  reader_properties.set_page_checksum_verification(true);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(input, reader_properties));
  std::unique_ptr<parquet::arrow::FileReader> file;
  ARROW_RETURN_NOT_OK(builder.memory_pool(BufferPool())->properties(properties)->Build(&file));
  ARROW_ASSIGN_OR_RAISE(auto batches, file->GetRecordBatchReader());
  return std::make_shared<ParquetBatches>(std::move(file), std::move(batches));
}

/// Timestamps stay text, which is read by the same rules everywhere.
std::shared_ptr<arrow::DataType> CsvType(const DataType& type) {
  return type.kind == TypeKind::kTimestamp ? arrow::utf8() : ToArrow(type);
}

arrow::Result<std::shared_ptr<arrow::io::InputStream>> OpenText(const std::string& path, bool gzip) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::io::InputStream> input, arrow::io::ReadableFile::Open(path));
  if (!gzip) return input;
  ARROW_ASSIGN_OR_RAISE(const auto codec, arrow::util::Codec::Create(arrow::Compression::GZIP));
  return arrow::io::CompressedInputStream::Make(codec.get(), input);
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenCsv(
    const std::string& path, bool gzip, std::size_t threads,
    const std::map<std::string, DataType>& column_types) {
  auto read = arrow::csv::ReadOptions::Defaults();
  read.use_threads = threads > 1;
  auto parse = arrow::csv::ParseOptions::Defaults();
  parse.newlines_in_values = true;
  // All of it is read at once: types are found over every row, not over the first block.
  const auto parsed =
      [&](const arrow::csv::ConvertOptions& convert) -> arrow::Result<std::shared_ptr<arrow::Table>> {
    ARROW_ASSIGN_OR_RAISE(const auto input, OpenText(path, gzip));
    ARROW_ASSIGN_OR_RAISE(const auto reader, arrow::csv::TableReader::Make(arrow::io::default_io_context(),
                                                                           input, read, parse, convert));
    return reader->Read();
  };
  auto convert = arrow::csv::ConvertOptions::Defaults();
  for (const auto& [name, type] : column_types)
    convert.column_types[name] = CsvType(type);
  ARROW_ASSIGN_OR_RAISE(auto table, parsed(convert));
  ARROW_ASSIGN_OR_RAISE(table, WithNullText(std::move(table), parsed));
  return std::make_shared<arrow::TableBatchReader>(std::move(table));
}

/// `first` are the first rows, a null pointer if there are none.
std::shared_ptr<parquet::WriterProperties> WriterProperties(const arrow::RecordBatch* first) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(BufferPool())
      ->compression(parquet::Compression::SNAPPY)
      ->max_row_group_length(kRowGroupRows)
      ->enable_page_checksum();
  for (int i = 0; first != nullptr && i < first->num_columns(); ++i) {
    if (DictionaryPays(*first->column(i))) continue;
    builder.disable_dictionary(
        std::make_shared<parquet::schema::ColumnPath>(std::vector<std::string>{first->column_name(i)}));
  }
  return builder.build();
}

/// `batch` and all that follow it through the writer of a format; then both are closed.
template <typename Writer>
arrow::Result<std::int64_t> WriteAll(std::shared_ptr<arrow::RecordBatch> batch,
                                     arrow::RecordBatchReader& rows, Writer& writer,
                                     arrow::io::OutputStream& output) {
  std::int64_t written = 0;
  while (batch != nullptr) {
    ARROW_RETURN_NOT_OK(writer.WriteRecordBatch(*batch));
    written += batch->num_rows();
    ARROW_RETURN_NOT_OK(rows.ReadNext(&batch));
  }
  ARROW_RETURN_NOT_OK(writer.Close());
  ARROW_RETURN_NOT_OK(output.Close());
  return written;
}

arrow::Result<std::int64_t> WriteParquet(arrow::RecordBatchReader& rows, const std::string& path,
                                         std::size_t threads) {
  ARROW_ASSIGN_OR_RAISE(const auto output, WriteBehindFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(auto first, rows.Next());
  auto arrow_builder = parquet::ArrowWriterProperties::Builder();
  arrow_builder.store_schema();
  std::shared_ptr<arrow::internal::ThreadPool> pool;
  if (threads > 1) {
    ARROW_ASSIGN_OR_RAISE(pool, arrow::internal::ThreadPool::Make(static_cast<int>(threads)));
    arrow_builder.set_use_threads(true)->set_executor(pool.get());
  }
  const auto properties = WriterProperties(first.get());
  ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(*rows.schema(), BufferPool(), output,
                                                                      properties, arrow_builder.build()));
  return WriteAll(std::move(first), rows, *writer, *output);
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
  return WriteAll(std::move(first), rows, *writer, *output);
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
        path_(fmt::format("{}.{}-{}.tmp", place.string(), getpid(), files_begun.fetch_add(1))) {}
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

  Result<void> PutInPlace() {
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
  const std::filesystem::path place_;
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
    const std::map<std::string, DataType>& column_types) {
  TM_ASSIGN(const Format format, FormatOf(path));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file '{}'", path.string()));
  }
  if (format != Format::kParquet) {
    TM_ASSIGN(const SourceFile file, DescribeFile(path));
    TM_TRY_IN(CheckCsvQuotes(file), PlaceOf(path));
  }
  auto reader = WithoutExceptions([&] {
    return format == Format::kParquet
               ? OpenParquet(path.string(), threads)
               : OpenCsv(path.string(), format == Format::kCsvGzip, threads, column_types);
  });
  if (!reader.ok()) return std::unexpected(ReadError(reader.status(), path, format));
  return std::make_shared<NamedReader>(std::move(reader).ValueUnsafe(), path, format);
}

Result<std::int64_t> WriteTableFile(arrow::RecordBatchReader& rows, const std::filesystem::path& path,
                                    std::size_t threads) {
  TM_ASSIGN(const Format format, FormatOf(path));
  if (format != Format::kParquet) TM_TRY(CheckCsvColumns(*rows.schema()));
  PendingFile pending(path);
  const auto plain = WithPlainColumns(rows, {.is_csv = format != Format::kParquet});
  const auto written = WithoutExceptions([&] {
    return format == Format::kParquet ? WriteParquet(*plain, pending.path(), threads)
                                      : WriteCsv(*plain, pending.path(), format == Format::kCsvGzip);
  });
  if (!written.ok()) return std::unexpected(FileError(written.status(), path, ErrorCode::kInvalidData));
  TM_TRY(pending.PutInPlace());
  return *written;
}

}  // namespace tidemark
