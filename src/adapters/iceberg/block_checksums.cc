#include "adapters/iceberg/block_checksums.h"

#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <vector>

#include "base/crc32c.h"
#include "pit/buffer_pool.h"

namespace tidemark::iceberg {
namespace {

std::span<const std::byte> AsBytes(const void* data, std::int64_t size) {
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
}

// Not thread safe: each read has a handle of its own.
class CheckedFile final : public arrow::io::RandomAccessFile {
 public:
  CheckedFile(std::shared_ptr<arrow::io::RandomAccessFile> file, std::shared_ptr<const CheckedBlocks> blocks)
      : file_(std::move(file)), blocks_(std::move(blocks)) {}

  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }
  arrow::Result<std::int64_t> GetSize() override { return file_->GetSize(); }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Status Seek(std::int64_t position) override {
    position_ = position;
    return arrow::Status::OK();
  }

  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, ReadAt(position_, bytes, out));
    position_ += got;
    return got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, bytes));
    position_ += buffer->size();
    return buffer;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(std::int64_t position, std::int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(bytes, BufferPool()));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, ReadAt(position, bytes, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(got, /*shrink_to_fit=*/false));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

  // Whole blocks go straight to `out`; of those at the edges the rest is read beside it.
  arrow::Result<std::int64_t> ReadAt(std::int64_t position, std::int64_t bytes, void* out) override {
    auto* to = static_cast<std::uint8_t*>(out);
    std::int64_t done = 0;
    while (done < bytes) {
      const std::int64_t at = position + done;
      if (at < 0 || at >= blocks_->bytes)
        return arrow::Status::Invalid("a column lies outside of the blocks");
      const std::int64_t block = at / kBlockBytes;
      const std::int64_t start = block * kBlockBytes;
      if (at == start && bytes - done >= BlockSize(block)) {
        ARROW_ASSIGN_OR_RAISE(const std::int64_t whole, ReadWhole(block, bytes - done, to + done));
        done += whole;
        continue;
      }
      ARROW_RETURN_NOT_OK(ReadEdge(block));
      const std::int64_t some = std::min(BlockSize(block) - (at - start), bytes - done);
      std::memcpy(to + done, edge_.data() + (at - start), static_cast<std::size_t>(some));
      done += some;
    }
    return done;
  }

 private:
  std::int64_t BlockSize(std::int64_t block) const {
    return std::min(kBlockBytes, blocks_->bytes - block * kBlockBytes);
  }

  // As many whole blocks from `block` on as `bytes` has room for; tells how many bytes that were.
  arrow::Result<std::int64_t> ReadWhole(std::int64_t block, std::int64_t bytes, std::uint8_t* out) {
    std::int64_t blocks = 0;
    std::int64_t size = 0;
    while (block + blocks < std::ssize(blocks_->crcs) && size + BlockSize(block + blocks) <= bytes)
      size += BlockSize(block + blocks++);
    ARROW_RETURN_NOT_OK(ReadChecked(block, blocks, out));
    return size;
  }

  // A read mostly begins in the block where the one before it ended.
  arrow::Status ReadEdge(std::int64_t block) {
    if (edge_block_ == block) return arrow::Status::OK();
    edge_.resize(static_cast<std::size_t>(kBlockBytes));
    edge_block_ = -1;
    ARROW_RETURN_NOT_OK(ReadChecked(block, 1, edge_.data()));
    edge_block_ = block;
    return arrow::Status::OK();
  }

  arrow::Status ReadChecked(std::int64_t first, std::int64_t count, std::uint8_t* out) {
    const std::int64_t start = first * kBlockBytes;
    const std::int64_t size = (count - 1) * kBlockBytes + BlockSize(first + count - 1);
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, file_->ReadAt(start, size, out));
    if (got != size) return arrow::Status::Invalid("the file ends within a column");
    for (std::int64_t block = first; block < first + count; ++block) {
      const std::int64_t at = block * kBlockBytes;
      const std::uint32_t crc = blocks_->crcs[static_cast<std::size_t>(block)];
      if (Crc32c(AsBytes(out + (at - start), BlockSize(block))) == crc) continue;
      return arrow::Status::Invalid("the checksum of the bytes ", at, " to ", at + BlockSize(block),
                                    " does not hold");
    }
    return arrow::Status::OK();
  }

  const std::shared_ptr<arrow::io::RandomAccessFile> file_;
  const std::shared_ptr<const CheckedBlocks> blocks_;
  std::int64_t position_ = 0;
  std::vector<std::uint8_t> edge_;  // the block that was last read in part
  std::int64_t edge_block_ = -1;
};

std::unexpected<Error> Unreadable() {
  return Fail(ErrorCode::kCorruption, "the checksums of the file's blocks cannot be read");
}

}  // namespace

void BlockChecksums::Add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::int64_t filled = bytes_ % kBlockBytes;
    const auto some = std::min(bytes.size(), static_cast<std::size_t>(kBlockBytes - filled));
    partial_ = Crc32c(std::as_bytes(std::span(bytes.substr(0, some))), partial_);
    bytes_ += static_cast<std::int64_t>(some);
    bytes.remove_prefix(some);
    if (bytes_ % kBlockBytes != 0) continue;
    full_.push_back(partial_);
    partial_ = 0;
  }
}

std::string BlockChecksums::ToString() const {
  std::string text = fmt::format("{} {} ", kBlockBytes, bytes_);
  for (const std::uint32_t crc : full_)
    text += fmt::format("{:08x}", crc);
  if (bytes_ % kBlockBytes != 0) text += fmt::format("{:08x}", partial_);
  return text;
}

Result<CheckedBlocks> ParseBlocks(std::string_view text) {
  constexpr std::size_t kDigits = 8;
  std::int64_t block_bytes = 0;
  std::int64_t bytes = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, block_bytes);
  if (first.ec != std::errc{} || first.ptr == end || block_bytes != kBlockBytes) return Unreadable();
  const auto second = std::from_chars(first.ptr + 1, end, bytes);
  if (second.ec != std::errc{} || second.ptr == end || bytes < 0) return Unreadable();
  std::string_view digits(second.ptr + 1, static_cast<std::size_t>(end - second.ptr - 1));
  std::vector<std::uint32_t> crcs;
  for (; !digits.empty(); digits.remove_prefix(std::min(kDigits, digits.size()))) {
    std::uint32_t crc = 0;
    const auto read =
        std::from_chars(digits.data(), digits.data() + std::min(kDigits, digits.size()), crc, 16);
    if (read.ec != std::errc{} || read.ptr != digits.data() + kDigits) return Unreadable();
    crcs.push_back(crc);
  }
  if (std::ssize(crcs) != (bytes + kBlockBytes - 1) / kBlockBytes) return Unreadable();
  return CheckedBlocks{std::move(crcs), bytes};
}

std::shared_ptr<arrow::io::RandomAccessFile> WithCheckedBlocks(
    std::shared_ptr<arrow::io::RandomAccessFile> file, std::shared_ptr<const CheckedBlocks> blocks) {
  return std::make_shared<CheckedFile>(std::move(file), std::move(blocks));
}

}  // namespace tidemark::iceberg
