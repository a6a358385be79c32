// Changes that were answered, by the keys that their clients sent with them.
//
// A client whose answer was lost sends the same request again, under the same key. Where doing it twice
// differs from doing it once (a group made again is one that exists; a record that was updated is newer than
// its update), it gets the answer of the first time.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "server/http/message.h"

namespace tidemark::sagemaker {

/// What a client sends again with a request that it repeats; empty: it sends none.
std::string RetryKeyOf(const http::Request& request);

/// Known to this server until it ends, and forgotten beyond so many, oldest first. Thread safe. An empty key
/// is that of no request.
class DoneRequests {
 public:
  explicit DoneRequests(std::size_t kept_max) : kept_max_(kept_max) {}

  /// The answer given before; nothing for a request that is new.
  std::optional<std::string> AnswerTo(const std::string& key);
  void Add(const std::string& key, std::string answer);

 private:
  const std::size_t kept_max_;
  std::mutex mutex_;  // guards both
  std::unordered_map<std::string, std::string> answers_;
  std::deque<std::string> order_;  // oldest first
};

}  // namespace tidemark::sagemaker
