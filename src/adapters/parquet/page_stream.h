// The bytes of one column chunk as Parquet's page reader asks for them.
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace tidemark {

/// A range of a file, read forwards through a window. Each byte is read once and handed over without a copy,
/// and pages that are skipped are not read at all (Arrow's own buffered stream copies pages and reads what it
/// skips; a memory map would die with the file being truncated). Not thread safe.
class PageStream final : public arrow::io::InputStream {
 public:
  /// `file` is read from `start` for `length` bytes by positional reads.
  PageStream(std::shared_ptr<arrow::io::RandomAccessFile> file, std::int64_t start, std::int64_t length);

  arrow::Status Close() override;
  bool closed() const override { return file_ == nullptr; }
  arrow::Result<std::int64_t> Tell() const override { return position_ - start_; }

  /// The next Read only moves on, and its buffer is empty: Arrow's Advance is a Read whose result is dropped.
  void PassOverNextRead() { pass_over_ = true; }

  arrow::Result<std::string_view> Peek(std::int64_t bytes) override;
  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override;

 private:
  // Has the window hold up to `bytes` bytes from the position on (fewer at the end) and tells how many.
  arrow::Result<std::int64_t> Fill(std::int64_t bytes);
  // Has it begin at the position, with room for `size` bytes, of which it holds the first `kept` already.
  arrow::Status MoveWindow(std::int64_t kept, std::int64_t size);

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  const std::int64_t start_;
  const std::int64_t end_;
  std::int64_t position_;                           // in the file, as are those below
  std::shared_ptr<arrow::ResizableBuffer> window_;  // moved in its place if no page lies in it any more
  std::shared_ptr<arrow::ResizableBuffer> spare_;   // the window before, used again when its pages are gone
  std::int64_t window_start_;
  std::int64_t window_end_;
  std::int64_t page_bytes_ = 0;  // of the last page that was read
  bool pass_over_ = false;
};

}  // namespace tidemark
