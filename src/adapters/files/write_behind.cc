// One queue between the caller and the writing thread, bounded by its bytes.
#include "adapters/files/write_behind.h"

#include <arrow/util/io_util.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

constexpr std::int64_t kWaitingBytesMax = std::int64_t{32} << 20;
constexpr std::int64_t kSmallBytesMax = std::int64_t{64} << 10;

arrow::Status WriteWhole(int file, const arrow::Buffer& data, std::int64_t at) {
  for (std::int64_t done = 0; done < data.size();) {
    const auto written =
        pwrite(file, data.data() + done, static_cast<std::size_t>(data.size() - done), at + done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return arrow::internal::IOErrorFromErrno(errno, "Error writing bytes to file");
    done += written;
  }
  // Only a beginning: a sync afterwards decides whether the bytes are safe, so a failure here tells nothing.
  sync_file_range(file, at, data.size(), SYNC_FILE_RANGE_WRITE);
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::shared_ptr<WriteBehindFile>> WriteBehindFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return arrow::internal::IOErrorFromErrno(errno, "Failed to open local file '", path, "'");
  return std::shared_ptr<WriteBehindFile>(new WriteBehindFile(file));
}

WriteBehindFile::~WriteBehindFile() {
  Finish();
  if (file_ >= 0) close(file_);
}

arrow::Status WriteBehindFile::Close() {
  if (closed()) return arrow::Status::OK();
  const arrow::Status enqueued = EnqueueSmall();
  Finish();
  const int closed_with = close(std::exchange(file_, -1)) == 0 ? 0 : errno;
  ARROW_RETURN_NOT_OK(status_);
  ARROW_RETURN_NOT_OK(enqueued);
  if (closed_with != 0) return arrow::internal::IOErrorFromErrno(closed_with, "error closing file");
  return arrow::Status::OK();
}

arrow::Status WriteBehindFile::Write(const void* data, std::int64_t bytes) {
  position_ += bytes;
  const auto* from = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    if (small_ == nullptr) {
      ARROW_ASSIGN_OR_RAISE(small_, arrow::AllocateResizableBuffer(kSmallBytesMax, BufferPool()));
      ARROW_RETURN_NOT_OK(small_->Resize(0, /*shrink_to_fit=*/false));
    }
    const std::int64_t held = small_->size();
    const std::int64_t some = std::min(bytes, kSmallBytesMax - held);
    ARROW_RETURN_NOT_OK(small_->Resize(held + some, /*shrink_to_fit=*/false));
    std::memcpy(small_->mutable_data() + held, from, static_cast<std::size_t>(some));
    from += some;
    bytes -= some;
    if (small_->size() == kSmallBytesMax) ARROW_RETURN_NOT_OK(EnqueueSmall());
  }
  return arrow::Status::OK();
}

arrow::Status WriteBehindFile::Write(const std::shared_ptr<arrow::Buffer>& data) {
  if (data->size() < kSmallBytesMax) return Write(data->data(), data->size());
  ARROW_RETURN_NOT_OK(EnqueueSmall());
  position_ += data->size();
  return Enqueue(data);
}

arrow::Status WriteBehindFile::EnqueueSmall() {
  if (small_ == nullptr) return arrow::Status::OK();
  return Enqueue(std::exchange(small_, nullptr));
}

arrow::Status WriteBehindFile::Enqueue(std::shared_ptr<arrow::Buffer> data) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_bytes_ < kWaitingBytesMax || !status_.ok(); });
  ARROW_RETURN_NOT_OK(status_);
  waiting_bytes_ += data->size();
  waiting_.push_back(std::move(data));
  changed_.notify_all();
  return arrow::Status::OK();
}

void WriteBehindFile::WriteAll() {
  std::int64_t at = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !waiting_.empty() || finished_; });
    if (waiting_.empty()) return;
    auto data = std::move(waiting_.front());
    waiting_.pop_front();
    const bool wanted = status_.ok();
    lock.unlock();
    const std::int64_t bytes = data->size();
    arrow::Status written = wanted ? WriteWhole(file_, *data, at) : arrow::Status::OK();
    at += bytes;
    data.reset();
    lock.lock();
    if (!written.ok()) status_ = std::move(written);
    waiting_bytes_ -= bytes;
    changed_.notify_all();
  }
}

void WriteBehindFile::Finish() {
  if (!writer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  writer_.join();
}

}  // namespace tidemark
