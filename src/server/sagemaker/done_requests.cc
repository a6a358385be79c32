// A map, and the order in which its keys came.
#include "server/sagemaker/done_requests.h"

#include <utility>

namespace tidemark::sagemaker {

std::string RetryKeyOf(const http::Request& request) {
  const auto key = request.Header("idempotency-key");
  return std::string(key ? *key : request.Header("amz-sdk-invocation-id").value_or(""));
}

std::optional<std::string> DoneRequests::AnswerTo(const std::string& key) {
  if (key.empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(key);
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

void DoneRequests::Add(const std::string& key, std::string answer) {
  if (key.empty()) return;
  const std::lock_guard lock(mutex_);
  if (!answers_.emplace(key, std::move(answer)).second) return;
  order_.push_back(key);
  if (order_.size() <= kept_max_) return;
  answers_.erase(order_.front());
  order_.pop_front();
}

}  // namespace tidemark::sagemaker
