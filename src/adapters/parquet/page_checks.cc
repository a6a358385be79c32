// Walks over the pages of a chunk from header to header.
#include "adapters/parquet/page_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/chunk_begin.h"
#include "adapters/parquet/page_crc.h"
#include "adapters/parquet/page_header.h"

namespace tidemark {
namespace {

constexpr std::int64_t kCheckWindowBytes = std::int64_t{1} << 20;
constexpr std::int64_t kBareHeadersMax = 16;  // without a checksum, until it is believed that there are none
constexpr std::int64_t kHeaderBytesMin = 4096;
constexpr std::int64_t kHeaderBytesMax = std::int64_t{16} << 20;  // with statistics of long values

std::unexpected<Error> BadPage(std::int64_t at, std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("at byte {} of it, {}", at, what));
}

class ChunkWalk {
 public:
  ChunkWalk(arrow::io::RandomAccessFile& file, std::int64_t begin, std::int64_t end)
      : file_(file), at_(begin), begin_(begin), end_(end) {}

  Result<PageChecksums> Run(const parquet::ColumnChunkMetaData& chunk) {
    while (at_ < end_ && (with_ > 0 || (values_ < chunk.num_values() && without_ < kBareHeadersMax)))
      TM_TRY(Step());
    // Old writers, which knew no checksums, miscount what a column has.
    if (with_ == 0) return PageChecksums::kNone;
    if (at_ != end_ || values_ != chunk.num_values())
      return BadPage(begin_, "a column's pages are not those that its footer tells of");
    if (without_ > 0) return BadPage(begin_, "only some of a column's pages have checksums");
    return PageChecksums::kHold;
  }

 private:
  // At least `wanted` bytes from the position on, unless the chunk ends before.
  Result<std::string_view> Look(std::int64_t wanted) {
    wanted = std::min(wanted, end_ - at_);
    const bool is_held = at_ >= window_at_ && at_ + wanted <= window_at_ + std::ssize(window_);
    if (!is_held) {
      const std::int64_t ahead = without_ == 0 ? kCheckWindowBytes : kHeaderBytesMin;
      const std::int64_t size = std::min(std::max(wanted, ahead), end_ - at_);
      window_.resize(static_cast<std::size_t>(size));
      TM_ASSIGN_ARROW(const std::int64_t got, file_.ReadAt(at_, size, window_.data()), ErrorCode::kIo);
      if (got != size) return BadPage(at_, "it ends within a column");
      window_at_ = at_;
    }
    return std::string_view(window_).substr(static_cast<std::size_t>(at_ - window_at_));
  }

  Result<PageHeader> Header() {
    for (std::int64_t wanted = kHeaderBytesMin;; wanted *= 8) {
      TM_ASSIGN(const std::string_view bytes, Look(wanted));
      auto header = ReadPageHeader(bytes);
      if (header) return header;
      const bool may_go_on =
          header.error().code == ErrorCode::kOutOfSpace && wanted < end_ - at_ && wanted < kHeaderBytesMax;
      if (!may_go_on) return BadPage(at_, header.error().message);
    }
  }

  Result<void> Step() {
    const std::int64_t page_at = at_;
    TM_ASSIGN(const PageHeader header, Header());
    at_ += header.bytes;
    values_ += header.values.value_or(0);
    (header.crc ? with_ : without_) += 1;
    if (!header.crc) {
      at_ = std::min(at_ + header.page_bytes, end_);
      return {};
    }
    if (header.page_bytes > end_ - at_) return BadPage(page_at, "a page goes beyond its column");
    std::uint32_t crc = 0;
    for (std::int64_t left = header.page_bytes; left > 0;) {
      TM_ASSIGN(const std::string_view bytes, Look(1));
      const std::int64_t some = std::min(left, std::ssize(bytes));
      crc = PageCrc32({reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::size_t>(some)},
                      crc);
      at_ += some;
      left -= some;
    }
    if (crc != *header.crc) return BadPage(page_at, "the checksum of a page does not hold");
    return {};
  }

  arrow::io::RandomAccessFile& file_;
  std::int64_t at_;
  const std::int64_t begin_;
  const std::int64_t end_;
  std::string window_;
  std::int64_t window_at_ = 0;
  std::int64_t values_ = 0;
  std::int64_t with_ = 0;
  std::int64_t without_ = 0;
};

}  // namespace

Result<PageChecksums> CheckPages(arrow::io::RandomAccessFile& file, const parquet::FileMetaData& footer,
                                 int row_group, int column) {
  const auto group = footer.RowGroup(row_group);
  const auto chunk = group->ColumnChunk(column);
  if (chunk->crypto_metadata() != nullptr) return PageChecksums::kNone;
  const std::int64_t begin = ChunkBegin(*chunk);
  const std::int64_t bytes = chunk->total_compressed_size();
  TM_ASSIGN_ARROW(const std::int64_t size, file.GetSize(), ErrorCode::kIo);
  if (begin < 4 || bytes < 0 || begin > size || bytes > size - begin)
    return BadPage(begin, "a column would lie outside of the file");
  return ChunkWalk(file, begin, begin + bytes).Run(*chunk);
}

}  // namespace tidemark
