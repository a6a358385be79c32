// A window over a column chunk; pages are slices of it.
#include "adapters/parquet/page_stream.h"
#include "pit/buffer_pool.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tidemark {
namespace {

// Pages are about 160 kB (Arrow's 20,000 rows of 8 bytes) to 1 MB; what is left of one at the end of a window
// is copied into the next.
constexpr std::int64_t kWindowBytes = 512 * 1024;
constexpr std::int64_t kHeaderBytes = 16 * 1024;  // of a page, and a page somewhat larger

// A sparse read takes little more than a page's header, so the window begins small and grows while the stream
// is read without gaps.
constexpr std::int64_t kFirstWindowBytes = 32 * 1024;

}  // namespace

PageStream::PageStream(std::shared_ptr<arrow::io::RandomAccessFile> file, std::int64_t start,
                       std::int64_t length)
    : file_(std::move(file)),
      start_(start),
      end_(start + length),
      position_(start),
      window_start_(start),
      window_end_(start) {}

arrow::Status PageStream::Close() {
  file_.reset();
  return arrow::Status::OK();
}

arrow::Result<std::string_view> PageStream::Peek(std::int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(const std::int64_t held, Fill(bytes));
  return std::string_view(reinterpret_cast<const char*>(window_->data() + (position_ - window_start_)),
                          static_cast<std::size_t>(held));
}

arrow::Result<std::int64_t> PageStream::Read(std::int64_t bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const std::int64_t held, Fill(bytes));
  std::memcpy(out, window_->data() + (position_ - window_start_), static_cast<std::size_t>(held));
  position_ += held;
  return held;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> PageStream::Read(std::int64_t bytes) {
  if (std::exchange(pass_over_, false)) {
    position_ = std::min(position_ + std::max<std::int64_t>(bytes, 0), end_);
    return std::make_shared<arrow::Buffer>(nullptr, 0);
  }
  ARROW_ASSIGN_OR_RAISE(const std::int64_t held, Fill(bytes));
  page_bytes_ = held;
  auto page = arrow::SliceBuffer(window_, position_ - window_start_, held);
  position_ += held;
  return page;
}

arrow::Result<std::int64_t> PageStream::Fill(std::int64_t bytes) {
  if (file_ == nullptr) return arrow::Status::Invalid("the stream is closed");
  if (bytes < 0) return arrow::Status::Invalid("a page of negative size");
  const std::int64_t wanted = std::min(bytes, end_ - position_);
  if (window_ != nullptr && position_ >= window_start_ && position_ + wanted <= window_end_) return wanted;

  const bool without_gap = window_ != nullptr && position_ >= window_start_ && position_ <= window_end_;
  const std::int64_t kept = without_gap ? window_end_ - position_ : 0;
  // The next page is about as large as this one: reading it with its header saves a copy of its beginning.
  const std::int64_t ahead =
      without_gap ? std::max(kWindowBytes, page_bytes_ + kHeaderBytes) : kFirstWindowBytes;
  const std::int64_t size = std::min(std::max(wanted, ahead), end_ - position_);

  ARROW_RETURN_NOT_OK(MoveWindow(kept, size));
  ARROW_ASSIGN_OR_RAISE(const std::int64_t got,
                        file_->ReadAt(position_ + kept, size - kept, window_->mutable_data() + kept));
  if (kept + got < wanted) return arrow::Status::Invalid("the file ends within a column");
  window_end_ += got;
  return wanted;
}

arrow::Status PageStream::MoveWindow(std::int64_t kept, std::int64_t size) {
  const bool is_free = window_ != nullptr && window_.use_count() == 1;  // no page lies in it any more
  std::shared_ptr<arrow::ResizableBuffer> next = is_free ? window_ : std::move(spare_);
  if (next == nullptr || (!is_free && next.use_count() > 1)) {
    ARROW_ASSIGN_OR_RAISE(next, arrow::AllocateResizableBuffer(0, BufferPool()));
  }
  if (!is_free) ARROW_RETURN_NOT_OK(next->Resize(size, /*shrink_to_fit=*/false));
  if (kept > 0) {
    std::memmove(next->mutable_data(), window_->data() + (position_ - window_start_),
                 static_cast<std::size_t>(kept));
  }
  if (is_free) {
    ARROW_RETURN_NOT_OK(next->Resize(size, /*shrink_to_fit=*/false));
  } else {
    spare_ = std::exchange(window_, std::move(next));
  }
  window_start_ = position_;
  window_end_ = position_ + kept;
  return arrow::Status::OK();
}

}  // namespace tidemark
