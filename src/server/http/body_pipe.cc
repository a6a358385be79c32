// A bounded buffer between two threads.
#include <algorithm>
#include <cstring>

#include "server/http/body_pipe_internal.h"

namespace tidemark::http {

void BodyPipe::Take(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (taken_ == bytes_.size()) {
    bytes_.clear();
    taken_ = 0;
  }
  bytes_.append(bytes);
  arrived_.notify_one();
}

bool BodyPipe::IsFull() {
  const std::lock_guard lock(mutex_);
  told_full_ = bytes_.size() - taken_ >= kFullBytes;
  return told_full_;
}

void BodyPipe::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  arrived_.notify_one();
}

void BodyPipe::Break(Error error) {
  const std::lock_guard lock(mutex_);
  if (ended_ || broken_) return;
  broken_ = std::move(error);
  arrived_.notify_one();
}

Result<std::size_t> BodyPipe::Read(std::span<std::byte> into) {
  std::size_t count = 0;
  bool has_room_again = false;
  {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return broken_ || ended_ || taken_ < bytes_.size(); });
    if (broken_) return std::unexpected(*broken_);
    count = std::min(into.size(), bytes_.size() - taken_);
    if (count > 0) std::memcpy(into.data(), bytes_.data() + taken_, count);
    taken_ += count;
    has_room_again = told_full_ && bytes_.size() - taken_ < kFullBytes / 2;
    if (has_room_again) told_full_ = false;
  }
  if (has_room_again) drained_();
  return count;
}

}  // namespace tidemark::http
