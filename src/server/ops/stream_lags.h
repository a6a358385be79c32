// How far behind their streams the views of a server are: asked of the brokers now and then by a thread of
// its own, so that no scrape waits for a broker. Projects that nobody has asked for yet are not opened for
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/catalog/services.h"

namespace tidemark::server {

/// What was found when a view's stream was asked last.
struct StreamLagSample {
  std::string project;
  std::string view;
  bool is_reachable = false;
  std::map<std::string, std::int64_t> messages = {};  // by partition, where it is known
};

/// Thread safe.
class StreamLags {
 public:
  /// Begins to ask, at once and then at intervals. `services` outlives it.
  explicit StreamLags(Services& services);

  std::vector<StreamLagSample> Latest() const;

 private:
  static constexpr std::chrono::seconds kEvery{15};

  void Run(const std::stop_token& stop);
  /// Of one project; nothing if its definitions cannot be read.
  static std::vector<std::string> ViewsOf(const Store& store);
  static StreamLagSample Ask(Store& store, const std::string& project, const std::string& view);

  Services& services_;
  mutable std::mutex mutex_;  // guards latest_
  std::vector<StreamLagSample> latest_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tidemark::server
