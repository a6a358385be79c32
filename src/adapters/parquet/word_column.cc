// Values go straight into a page: what Parquet calls definition levels is, for a column of depth one, Arrow's
// bitmap of valid values in one run.
#include "adapters/parquet/word_column.h"

#include <arrow/array/concatenate.h>
#include <arrow/io/memory.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <parquet/column_page.h>
#include <parquet/column_writer.h>
#include <parquet/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "adapters/parquet/page_crc.h"
#include "adapters/parquet/page_header.h"
#include "base/check.h"
#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

constexpr std::int64_t kPageRows = std::int64_t{16} << 10;  // their values stay in the second-level cache
constexpr std::int64_t kBitmapBytesMax = kPageRows / 8;
// Room for levels before a page's values, which begin where a cache line does: the length of the levels, the
// head of their run, the bitmap.
constexpr std::int64_t kLevelsRoom = kBitmapBytesMax + 64;
constexpr std::int64_t kPageHeaderBytes = 64;  // of a page, at most

/// Least and greatest value; NaN is neither.
template <typename Word>
class WordBounds {
 public:
  void Add(std::span<const Word> values) {
    std::size_t at = 0;
    for (; at + kLanes <= values.size(); at += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        AddTo(lane, values[at + lane]);
    }
    for (; at < values.size(); ++at)
      AddTo(0, values[at]);
  }

  Word low() const { return *std::ranges::min_element(low_); }
  Word high() const { return *std::ranges::max_element(high_); }

 private:
  static constexpr std::size_t kLanes = 8;  // independent of each other, so that none waits for the last
  using Lanes = std::array<Word, kLanes>;

  void AddTo(std::size_t lane, Word value) {
    low_[lane] = value < low_[lane] ? value : low_[lane];
    high_[lane] = value > high_[lane] ? value : high_[lane];
  }

  static Lanes All(Word value) {
    Lanes lanes;
    lanes.fill(value);
    return lanes;
  }

  using Limits = std::numeric_limits<Word>;
  Lanes low_ = All(Limits::has_infinity ? Limits::infinity() : Limits::max());
  Lanes high_ = All(Limits::has_infinity ? -Limits::infinity() : Limits::lowest());
};

/// Copies the values that `bitmap` has a bit for to `out`, which has room for all of them.
template <typename Word>
std::size_t CopyValid(std::span<const Word> values, const std::uint8_t* bitmap, Word* out) {
  std::size_t kept = 0;
  const std::size_t whole = values.size() / 8;
  for (std::size_t byte = 0; byte < whole; ++byte) {
    const Word* const eight = values.data() + byte * 8;
    const unsigned bits = bitmap[byte];
    if (bits == 0xFF) {
      std::memcpy(out + kept, eight, 8 * sizeof(Word));
      kept += 8;
      continue;
    }
    for (std::size_t i = 0; i < 8; ++i) {
      out[kept] = eight[i];
      kept += (bits >> i) & 1;
    }
  }
  for (std::size_t i = whole * 8; i < values.size(); ++i) {
    out[kept] = values[i];
    kept += arrow::bit_util::GetBit(bitmap, i) ? 1 : 0;
  }
  return kept;
}

/// Takes pages as they are, behind each other, into memory that has room for all of them.
class PlainPages {
 public:
  explicit PlainPages(std::shared_ptr<arrow::Buffer> out) : out_(std::move(out)) {}

  /// Returns how many bytes it takes with its header.
  std::int64_t Add(const arrow::Buffer& page, std::int64_t rows) {
    const std::span<const std::uint8_t> bytes(page.data(), static_cast<std::size_t>(page.size()));
    const std::string header = PlainPageHeader(page.size(), rows, PageCrc32(bytes));
    const std::int64_t taken = std::ssize(header) + page.size();
    TM_CHECK(taken <= out_->size() - size_, "a page has no room");
    std::uint8_t* const to = out_->mutable_data() + std::exchange(size_, size_ + taken);
    std::memcpy(to, header.data(), header.size());
    std::memcpy(to + header.size(), bytes.data(), bytes.size());
    return taken;
  }

  std::shared_ptr<arrow::Buffer> Finish() const { return arrow::SliceBuffer(out_, 0, size_); }

 private:
  const std::shared_ptr<arrow::Buffer> out_;
  std::int64_t size_ = 0;
};

/// Compresses pages.
class CompressedPages {
 public:
  static arrow::Result<CompressedPages> Open(std::int64_t expected, parquet::Compression::type codec) {
    CompressedPages pages;
    ARROW_ASSIGN_OR_RAISE(pages.sink_, arrow::io::BufferOutputStream::Create(expected, BufferPool()));
    ARROW_ASSIGN_OR_RAISE(pages.compressed_, arrow::AllocateResizableBuffer(0, BufferPool()));
    // It is never closed, as then it would state places in this buffer as those in the file.
    pages.writer_ =
        parquet::PageWriter::Open(pages.sink_, codec, nullptr, -1, -1, BufferPool(), false, nullptr, nullptr,
                                  /*page_write_checksum_enabled=*/true);
    return pages;
  }

  /// Returns how many bytes it would take with its header, if it were not compressed.
  std::int64_t Add(const arrow::Buffer& page, std::int64_t rows) {
    writer_->Compress(page, compressed_.get());
    const parquet::DataPageV1 whole(compressed_, static_cast<std::int32_t>(rows), parquet::Encoding::PLAIN,
                                    parquet::Encoding::RLE, parquet::Encoding::RLE, page.size());
    return writer_->WriteDataPage(whole);
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Finish() { return sink_->Finish(); }

 private:
  std::shared_ptr<arrow::io::BufferOutputStream> sink_;
  std::shared_ptr<arrow::ResizableBuffer> compressed_;
  std::unique_ptr<parquet::PageWriter> writer_;
};

/// Writes one column chunk, page by page.
template <typename DType, typename Pages>
class WordPages {
 public:
  using Word = typename DType::c_type;

  WordPages(const parquet::ColumnDescriptor& column, Pages& out) : column_(column), out_(out) {}

  arrow::Status Open() {
    constexpr std::int64_t kPageBytes = kLevelsRoom + kPageRows * std::int64_t{sizeof(Word)};
    ARROW_ASSIGN_OR_RAISE(page_, arrow::AllocateBuffer(kPageBytes, BufferPool()));
    return arrow::Status::OK();
  }

  void Write(const arrow::Array& values) {
    for (std::int64_t row = 0; row < values.length(); row += kPageRows)
      WritePage(values, row, std::min(kPageRows, values.length() - row));
  }

  ColumnBytes Finish() {
    const auto statistics = parquet::MakeStatistics<DType>(&column_, BufferPool());
    if (bounds_.low() <= bounds_.high() && values_ > 0) {
      const std::array<Word, 2> both{bounds_.low(), bounds_.high()};
      statistics->Update(both.data(), std::ssize(both), 0);
    }
    statistics->IncrementNullCount(nulls_);
    ColumnBytes out;
    out.uncompressed_bytes = uncompressed_bytes_;
    out.page_count = pages_;
    out.statistics = statistics->Encode();
    out.statistics.set_is_signed(column_.sort_order() == parquet::SortOrder::SIGNED);
    return out;
  }

 private:
  void WritePage(const arrow::Array& values, std::int64_t first, std::int64_t rows) {
    auto* const words = reinterpret_cast<Word*>(page_->mutable_data() + kLevelsRoom);
    const std::span<const Word> all(values.data()->GetValues<Word>(1) + first,
                                    static_cast<std::size_t>(rows));
    std::size_t kept = all.size();
    if (values.null_count() > 0) {
      const std::uint8_t* const valid = values.null_bitmap_data();
      arrow::internal::CopyBitmap(valid, values.offset() + first, rows, bitmap_.data(), 0);
      kept = CopyValid(all, bitmap_.data(), words);
    } else {
      std::memcpy(words, all.data(), all.size_bytes());
    }
    bounds_.Add({words, kept});
    values_ += static_cast<std::int64_t>(kept);
    nulls_ += rows - static_cast<std::int64_t>(kept);
    const std::int64_t levels =
        column_.max_definition_level() > 0 ? WriteLevels(rows, kept == all.size()) : 0;
    Hand(rows, kLevelsRoom - levels, kept * sizeof(Word));
  }

  /// One run, right before the values: of bits, or of ones. Returns how many bytes it takes with its length.
  std::int64_t WriteLevels(std::int64_t rows, bool all_valid) {
    std::array<std::uint8_t, 8> head{};
    std::size_t head_bytes = sizeof(std::uint32_t);  // the length, written last
    const std::int64_t bitmap_bytes = all_valid ? 1 : (rows + 7) / 8;
    auto run = static_cast<std::uint32_t>(all_valid ? rows << 1 : (bitmap_bytes << 1) | 1);
    for (; run >= 0x80; run >>= 7)
      head[head_bytes++] = static_cast<std::uint8_t>(run | 0x80);
    head[head_bytes++] = static_cast<std::uint8_t>(run);
    const auto length = static_cast<std::uint32_t>(
        static_cast<std::int64_t>(head_bytes - sizeof(std::uint32_t)) + bitmap_bytes);
    std::memcpy(head.data(), &length, sizeof(length));
    if (all_valid) bitmap_[0] = 1;
    std::uint8_t* const end = page_->mutable_data() + kLevelsRoom;
    std::memcpy(end - bitmap_bytes, bitmap_.data(), static_cast<std::size_t>(bitmap_bytes));
    std::memcpy(end - bitmap_bytes - head_bytes, head.data(), head_bytes);
    return static_cast<std::int64_t>(head_bytes) + bitmap_bytes;
  }

  void Hand(std::int64_t rows, std::int64_t begin, std::size_t value_bytes) {
    const std::int64_t bytes = kLevelsRoom - begin + static_cast<std::int64_t>(value_bytes);
    uncompressed_bytes_ += out_.Add(*arrow::SliceBuffer(page_, begin, bytes), rows);
    ++pages_;
  }

  const parquet::ColumnDescriptor& column_;
  Pages& out_;
  std::shared_ptr<arrow::Buffer> page_;
  std::array<std::uint8_t, kBitmapBytesMax> bitmap_{};
  WordBounds<Word> bounds_;
  std::int64_t values_ = 0;
  std::int64_t nulls_ = 0;
  std::int64_t uncompressed_bytes_ = 0;
  std::int32_t pages_ = 0;
};

template <typename DType, typename Pages>
arrow::Result<ColumnBytes> EncodeInto(Pages& out, const arrow::Array& values,
                                      const parquet::ColumnDescriptor& column) {
  WordPages<DType, Pages> words(column, out);
  ARROW_RETURN_NOT_OK(words.Open());
  words.Write(values);
  return words.Finish();
}

template <typename DType>
arrow::Result<ColumnBytes> EncodeAs(const arrow::Array& values, const parquet::ColumnDescriptor& column,
                                    parquet::Compression::type codec) {
  const std::int64_t page_count = values.length() / kPageRows + 1;
  const std::int64_t expected = values.length() * std::int64_t{sizeof(typename DType::c_type)} +
                                page_count * (kLevelsRoom + kPageHeaderBytes);
  if (codec == parquet::Compression::UNCOMPRESSED) {
    ARROW_ASSIGN_OR_RAISE(auto room, arrow::AllocateBuffer(expected, BufferPool()));
    PlainPages pages(std::move(room));
    ARROW_ASSIGN_OR_RAISE(ColumnBytes out, EncodeInto<DType>(pages, values, column));
    out.pages = pages.Finish();
    return out;
  }
  ARROW_ASSIGN_OR_RAISE(CompressedPages pages, CompressedPages::Open(expected, codec));
  ARROW_ASSIGN_OR_RAISE(ColumnBytes out, EncodeInto<DType>(pages, values, column));
  ARROW_ASSIGN_OR_RAISE(out.pages, pages.Finish());
  return out;
}

}  // namespace

bool IsOfWordsInParquet(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::DATE32:
      return true;
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(type).unit() != arrow::TimeUnit::SECOND;
    default:
      return false;
  }
}

arrow::Result<ColumnBytes> EncodeWords(const arrow::ArrayVector& pieces,
                                       const parquet::ColumnDescriptor& column,
                                       parquet::Compression::type codec) {
  std::shared_ptr<arrow::Array> values = pieces.front();
  if (pieces.size() > 1) {
    ARROW_ASSIGN_OR_RAISE(values, arrow::Concatenate(pieces, BufferPool()));
  }
  if (column.max_definition_level() == 0 && values->null_count() > 0) {
    return arrow::Status::Invalid("column '", column.name(), "' is declared without nulls and has some");
  }
  switch (column.physical_type()) {
    case parquet::Type::INT32:
      return EncodeAs<parquet::Int32Type>(*values, column, codec);
    case parquet::Type::INT64:
      return EncodeAs<parquet::Int64Type>(*values, column, codec);
    case parquet::Type::FLOAT:
      return EncodeAs<parquet::FloatType>(*values, column, codec);
    case parquet::Type::DOUBLE:
      return EncodeAs<parquet::DoubleType>(*values, column, codec);
    default:
      return arrow::Status::Invalid("column '", column.name(), "' is not of words");
  }
}

}  // namespace tidemark
