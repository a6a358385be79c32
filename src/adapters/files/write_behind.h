// A file that is written by a thread of its own, so that whoever makes the bytes does not wait for them.
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace tidemark {

/// Bytes are written in order, and the system is told to bring them to the disk as they come, so that little
/// is left to do for a sync at the end. An error of a write comes out of the next call; Close waits for
/// all writes and has every error. Not thread safe.
class WriteBehindFile final : public arrow::io::OutputStream {
 public:
  static arrow::Result<std::shared_ptr<WriteBehindFile>> Open(const std::string& path);
  ~WriteBehindFile() override;

  arrow::Status Close() override;
  bool closed() const override { return file_ < 0; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Status Write(const void* data, std::int64_t bytes) override;
  /// Keeps the buffer instead of a copy.
  arrow::Status Write(const std::shared_ptr<arrow::Buffer>& data) override;

 private:
  explicit WriteBehindFile(int file) : file_(file), writer_([this] { WriteAll(); }) {}

  arrow::Status Enqueue(std::shared_ptr<arrow::Buffer> data);
  arrow::Status EnqueueSmall();
  void WriteAll();
  void Finish();  // has the thread write what waits, and end

  int file_;
  std::int64_t position_ = 0;
  std::shared_ptr<arrow::ResizableBuffer> small_;  // small writes, put together

  std::mutex mutex_;  // guards those below
  std::condition_variable changed_;
  std::deque<std::shared_ptr<arrow::Buffer>> waiting_;
  std::int64_t waiting_bytes_ = 0;
  bool finished_ = false;
  arrow::Status status_;
  std::thread writer_;  // last: it uses all the others
};

}  // namespace tidemark
