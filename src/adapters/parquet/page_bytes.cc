// Snappy's format (github.com/google/snappy, format_description.txt): the length as a varint, then elements,
// each with its kind in the two lowest bits of its first byte. A literal's bytes follow it as they are; a
// copy repeats bytes from so far back.
#include "adapters/parquet/page_bytes.h"

#include <arrow/buffer.h>
#include <parquet/exception.h>
#include <parquet/types.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

// Pages with more copies than one for so many bytes are put together: it takes less time.
constexpr std::int64_t kBytesPerCopyMin = 512;
constexpr std::int64_t kCopyBytesMax = 64;

// More than so many bytes that are asked for in one piece are a dictionary, or encoded values.
constexpr std::int64_t kViewBytesMax = 64 * 1024;

// Reads the elements of a snappy stream.
class SnappyElements {
 public:
  SnappyElements(const std::uint8_t* data, std::int64_t bytes) : at_(data), end_(data + bytes) {}

  struct Element {
    const std::uint8_t* literal = nullptr;  // null: a copy
    std::int64_t bytes = 0;
    std::int64_t distance = 0;  // of a copy
  };

  bool at_end() const { return at_ == end_; }

  bool ReadLength(std::int64_t& length) {
    length = 0;
    for (int shift = 0; shift <= 28 && at_ != end_; shift += 7) {
      length |= std::int64_t{*at_ & 0x7F} << shift;
      if ((*at_++ & 0x80) == 0) return true;
    }
    return false;
  }

  /// False if the stream breaks off.
  bool Next(Element& element) {
    const std::uint32_t tag = *at_++;
    if ((tag & 3) == 0) return ReadLiteral(tag >> 2, element);
    element.literal = nullptr;
    element.bytes = (tag & 3) == 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1;
    const int distance_bytes = (tag & 3) == 3 ? 4 : static_cast<int>(tag & 3);
    if (!ReadNumber(distance_bytes, element.distance)) return false;
    if ((tag & 3) == 1) element.distance |= std::int64_t{tag >> 5} << 8;
    return true;
  }

 private:
  static constexpr std::uint32_t kShortLiteralMax = 60;

  bool ReadNumber(int bytes, std::int64_t& number) {
    if (end_ - at_ < bytes) return false;
    number = 0;
    for (int i = 0; i < bytes; ++i)
      number |= std::int64_t{*at_++} << (8 * i);
    return true;
  }

  bool ReadLiteral(std::uint32_t length, Element& element) {
    element.bytes = length;
    if (length >= kShortLiteralMax &&
        !ReadNumber(static_cast<int>(length - kShortLiteralMax) + 1, element.bytes)) {
      return false;
    }
    ++element.bytes;
    if (end_ - at_ < element.bytes) return false;
    element.literal = at_;
    at_ += element.bytes;
    return true;
  }

  const std::uint8_t* at_;
  const std::uint8_t* const end_;
};

}  // namespace

PageBytes::PageBytes(arrow::Compression::type compression)
    : compression_(compression), codec_(parquet::GetCodec(compression)) {}

void PageBytes::Reset(const Stored& stored, std::int64_t bytes, bool is_compressed) {
  size_ = bytes;
  pieces_.clear();
  repeated_.clear();
  if (stored.plain > stored.bytes || stored.plain > bytes)
    throw parquet::ParquetException("a page is shorter than it says");
  // A page of nulls alone may have no compressed bytes at all.
  if (!is_compressed || codec_ == nullptr || stored.bytes == stored.plain) {
    size_ = stored.bytes;
    pieces_ = {{0, stored.data}, {size_, nullptr}};
    return;
  }
  if (compression_ == arrow::Compression::SNAPPY && FindPieces(stored)) return;
  pieces_.clear();
  Decompress(stored);
}

// False if the page is better put together, or cannot be read.
bool PageBytes::FindPieces(const Stored& stored) {
  SnappyElements elements(stored.data + stored.plain, stored.bytes - stored.plain);
  std::int64_t length = 0;
  if (!elements.ReadLength(length) || length != size_ - stored.plain) return false;
  std::int64_t copies = size_ / kBytesPerCopyMin;
  repeated_.reserve(static_cast<std::size_t>(copies * kCopyBytesMax));  // so that it stays in its place
  if (stored.plain > 0) pieces_.push_back({0, stored.data});
  std::int64_t at = stored.plain;
  while (!elements.at_end()) {
    SnappyElements::Element element;
    if (!elements.Next(element) || element.bytes > size_ - at) return false;
    if (element.literal == nullptr) {
      if (copies-- == 0 || element.distance < 1 || element.distance > at - stored.plain) return false;
      element.literal = Repeat(at, element.distance, element.bytes);
    }
    pieces_.push_back({at, element.literal});
    at += element.bytes;
  }
  if (pieces_.empty()) pieces_.push_back({0, stored.data});
  pieces_.push_back({at, nullptr});
  return at == size_;
}

// The bytes from `distance` before `at` on; where they overlap with what they make, that is repeated.
const std::uint8_t* PageBytes::Repeat(std::int64_t at, std::int64_t distance, std::int64_t bytes) {
  const std::size_t begin = repeated_.size();
  repeated_.resize(begin + static_cast<std::size_t>(bytes));
  std::uint8_t* const out = repeated_.data() + begin;
  pieces_.push_back({at, nullptr});
  Copy(at - distance, std::min(bytes, distance), out);
  pieces_.pop_back();
  for (std::int64_t i = distance; i < bytes; ++i)
    out[i] = out[i - distance];
  return out;
}

void PageBytes::MakeWhole() {
  if (whole_ == nullptr) {
    PARQUET_ASSIGN_OR_THROW(whole_, arrow::AllocateResizableBuffer(0, BufferPool()));
  }
  PARQUET_THROW_NOT_OK(whole_->Resize(size_, /*shrink_to_fit=*/false));
}

// One piece of all.
void PageBytes::PutTogether() {
  MakeWhole();
  Copy(0, size_, whole_->mutable_data());
  pieces_ = {{0, whole_->data()}, {size_, nullptr}};
}

void PageBytes::Decompress(const Stored& stored) {
  MakeWhole();
  if (stored.plain > 0)
    std::memcpy(whole_->mutable_data(), stored.data, static_cast<std::size_t>(stored.plain));
  PARQUET_ASSIGN_OR_THROW(const std::int64_t got,
                          codec_->Decompress(stored.bytes - stored.plain, stored.data + stored.plain,
                                             size_ - stored.plain, whole_->mutable_data() + stored.plain));
  if (got != size_ - stored.plain) throw parquet::ParquetException("a page is shorter than it says");
  pieces_ = {{0, whole_->data()}, {size_, nullptr}};
}

const PageBytes::Piece* PageBytes::PieceOf(std::int64_t at) const {
  return &*std::prev(std::ranges::upper_bound(pieces_, at, {}, &Piece::begin));
}

void PageBytes::CheckWithin(std::int64_t from, std::int64_t bytes) const {
  if (from < 0 || bytes < 0 || bytes > pieces_.back().begin - from)
    throw parquet::ParquetException("a page is shorter than it says");
}

const std::uint8_t* PageBytes::View(std::int64_t from, std::int64_t bytes) {
  CheckWithin(from, bytes);
  if (bytes == 0) return view_.data();
  const Piece* const piece = PieceOf(from);
  if (from + bytes <= piece[1].begin) return piece->data + (from - piece->begin);
  if (bytes > kViewBytesMax) {
    PutTogether();
    return whole_->data() + from;
  }
  view_.resize(static_cast<std::size_t>(bytes));
  Copy(from, bytes, view_.data());
  return view_.data();
}

void PageBytes::Copy(std::int64_t from, std::int64_t bytes, void* out) const {
  CheckWithin(from, bytes);
  if (bytes == 0) return;
  auto* to = static_cast<std::uint8_t*>(out);
  for (const Piece* piece = PieceOf(from); bytes > 0; ++piece) {
    const std::int64_t some = std::min(bytes, piece[1].begin - from);
    std::memcpy(to, piece->data + (from - piece->begin), static_cast<std::size_t>(some));
    to += some;
    from += some;
    bytes -= some;
  }
}

}  // namespace tidemark
