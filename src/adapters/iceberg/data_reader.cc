#include "adapters/iceberg/data_reader.h"

#include <arrow/io/file.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <parquet/metadata.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/iceberg/block_checksums.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/parquet/arrow_error.h"
#include "base/crc32c.h"

namespace tidemark::iceberg {
namespace {

using Handle = std::shared_ptr<arrow::io::RandomAccessFile>;

constexpr std::string_view kParquetMagic = "PAR1";
// The footer's length, and the magic.
constexpr std::int64_t kTailBytes = 8;
// As much of the end is read at once as most footers need.
constexpr std::int64_t kEndBytes = 64 * 1024;

std::unexpected<Error> Damaged(std::string what) {
  return Fail(ErrorCode::kCorruption,
              fmt::format("the data file is damaged: {}. Restore it from a backup", what));
}

Result<Handle> OpenHandle(const std::string& path) {
  std::error_code failed;
  // The table names it and its snapshot is leased, so that it is gone is damage.
  if (!std::filesystem::exists(path, failed) && !failed)
    return Fail(ErrorCode::kCorruption, "the data file is missing. Restore it from a backup");
  TM_ASSIGN_ARROW(auto handle, arrow::io::ReadableFile::Open(path), ErrorCode::kIo);
  return handle;
}

Result<std::string> ReadExactly(arrow::io::RandomAccessFile& file, std::int64_t from, std::int64_t bytes) {
  std::string text(static_cast<std::size_t>(bytes), '\0');
  TM_ASSIGN_ARROW(const std::int64_t got, file.ReadAt(from, bytes, text.data()), ErrorCode::kIo);
  if (got != bytes) return Damaged("it ends while it is read");
  return text;
}

/// The footer with its tail.
Result<std::string> ReadFooter(arrow::io::RandomAccessFile& file, std::int64_t size) {
  if (size < kTailBytes + std::ssize(kParquetMagic)) return Damaged(fmt::format("it is {} bytes long", size));
  TM_ASSIGN(std::string end,
            ReadExactly(file, std::max<std::int64_t>(size - kEndBytes, 0), std::min(size, kEndBytes)));
  std::uint32_t length = 0;
  std::memcpy(&length, end.data() + (std::ssize(end) - kTailBytes), sizeof(length));
  const std::int64_t bytes = std::int64_t{length} + kTailBytes;
  if (!end.ends_with(kParquetMagic) || bytes > size) return Damaged("it does not end as Parquet does");
  if (bytes <= std::ssize(end)) return end.substr(end.size() - static_cast<std::size_t>(bytes));
  return ReadExactly(file, size - bytes, bytes);
}

class PlainBytes final : public FileBytes {
 public:
  explicit PlainBytes(std::string path) : path_(std::move(path)) {}
  Result<Handle> Open() const override { return OpenHandle(path_); }

 private:
  const std::string path_;
};

class CheckedBytes final : public FileBytes {
 public:
  CheckedBytes(std::string path, CheckedBlocks blocks)
      : path_(std::move(path)), blocks_(std::make_shared<const CheckedBlocks>(std::move(blocks))) {}
  Result<Handle> Open() const override {
    TM_ASSIGN(Handle file, OpenHandle(path_));
    return WithCheckedBlocks(std::move(file), blocks_);
  }
  bool are_checked() const override { return true; }

 private:
  const std::string path_;
  const std::shared_ptr<const CheckedBlocks> blocks_;
};

Result<std::shared_ptr<parquet::FileMetaData>> ParseFooter(std::string_view footer) {
  return Guarded(ErrorCode::kCorruption, [&]() -> Result<std::shared_ptr<parquet::FileMetaData>> {
    return parquet::FileMetaData::Make(footer.data(), std::ssize(footer) - kTailBytes);
  });
}

/// Checksums of the blocks, which end where the footer begins.
Result<CheckedBlocks> BlocksOf(const parquet::FileMetaData& metadata, std::int64_t footer_at) {
  const auto& values = metadata.key_value_metadata();
  const int place = values == nullptr ? -1 : values->FindKey(kBlocksKey);
  if (place < 0) return Damaged("its footer does not have the checksums of its blocks");
  TM_ASSIGN(CheckedBlocks blocks, ParseBlocks(values->value(place)));
  if (blocks.bytes != footer_at) return Damaged("its blocks do not end where the footer begins");
  return blocks;
}

Result<CheckedFooter> FooterOf(const std::string& path, arrow::io::RandomAccessFile& file,
                               std::int64_t size) {
  TM_ASSIGN(const std::string footer, ReadFooter(file, size));
  if (Crc32c(std::as_bytes(std::span(footer))) != ChecksumOf(path))
    return Damaged("the footer's checksum does not hold");
  TM_ASSIGN(auto metadata, ParseFooter(footer));
  TM_ASSIGN(CheckedBlocks blocks, BlocksOf(*metadata, size - std::ssize(footer)));
  return CheckedFooter{std::move(metadata), std::move(blocks)};
}

}  // namespace

Result<std::unique_ptr<ParquetFile>> OpenDataFile(const DataFileInfo& file) {
  TM_ASSIGN(const Handle handle, OpenHandle(file.path));
  TM_ASSIGN_ARROW(const std::int64_t size, handle->GetSize(), ErrorCode::kIo);
  if (size != file.bytes)
    return Damaged(fmt::format("it is {} bytes long and should be {}", size, file.bytes));
  if (!ChecksumOf(file.path)) return OpenParquetFile(std::make_unique<PlainBytes>(file.path), nullptr);
  TM_ASSIGN(CheckedFooter footer, FooterOf(file.path, *handle, size));
  return OpenParquetFile(std::make_unique<CheckedBytes>(file.path, std::move(footer.blocks)),
                         std::move(footer.metadata));
}

Result<CheckedFooter> ReadCheckedFooter(const std::string& path) {
  TM_ASSIGN(const Handle handle, OpenHandle(path));
  TM_ASSIGN_ARROW(const std::int64_t size, handle->GetSize(), ErrorCode::kIo);
  return FooterOf(path, *handle, size);
}

Result<SourceFile> FindForeignFile(const DataFileInfo& file) {
  const auto found = StatFile(file.path);
  if (!found && found.error().code == ErrorCode::kNotFound) {
    return Fail(
        ErrorCode::kNotFound,
        "the file is gone that the table was registered with: put it back, or refresh the table, which "
        "takes it out");
  }
  if (!found) return std::unexpected(found.error());
  SourceFile now = DescribeFile(file.path, *found);
  if (now.size == file.bytes) return now;
  return Fail(
      ErrorCode::kInvalidData,
      fmt::format("the file is {} bytes long and had {} when the table saw it last: it changed. Refresh "
                  "the table",
                  now.size, file.bytes));
}

}  // namespace tidemark::iceberg
