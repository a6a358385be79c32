// Waits end by time, by a stop token, or by the check that the thread's host has set.
#include "remote/waiting.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "tidemark/remote.h"

namespace tidemark {
namespace {

thread_local const std::function<bool()>* current_check = nullptr;

}  // namespace

WaitingCheck::WaitingCheck(std::function<bool()> interrupted)
    : interrupted_(std::move(interrupted)), outer_(current_check) {
  current_check = &interrupted_;
}

WaitingCheck::~WaitingCheck() {
  current_check = outer_;
}

namespace remote {

bool Waiting::IsCancelled() const {
  return stop_.stop_requested() || (current_check != nullptr && *current_check && (*current_check)());
}

NetworkResult<void> Wait::GoOn() const {
  if (waiting_->IsCancelled()) {
    return std::unexpected(NetworkError{NetworkError::Kind::kCancelled, "interrupted"});
  }
  if (std::chrono::steady_clock::now() < end_) return {};
  return std::unexpected(
      NetworkError{NetworkError::Kind::kTooSlow,
                   fmt::format("nothing was heard for {} s",
                               static_cast<double>(waiting_->silence_max().count()) / 1000)});
}

NetworkResult<void> Pause(std::chrono::milliseconds time, const Waiting& waiting) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (true) {
    if (waiting.IsCancelled()) {
      return std::unexpected(NetworkError{NetworkError::Kind::kCancelled, "interrupted"});
    }
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return {};
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, kSlice));
  }
}

}  // namespace remote
}  // namespace tidemark
