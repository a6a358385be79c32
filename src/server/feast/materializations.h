// POST /materialize and /materialize-incremental, at once or in the background.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/catalog/services.h"
#include "server/feast/refusal.h"
#include "server/http/message.h"
#include "server/http/settings.h"
#include "tidemark/store.h"

namespace tidemark::server::feast {

/// Thread safe. Those that run in the background are interrupted, and waited for, when this ends.
class Materializations {
 public:
  Materializations(Services& services, const http::Limits& limits) : services_(services), limits_(limits) {}
  ~Materializations() = default;
  Materializations(const Materializations&) = delete;
  Materializations& operator=(const Materializations&) = delete;

  enum class Kind : std::uint8_t { kRange, kIncremental };
  Answer<void> Respond(Kind kind, const http::Request& request, http::Response& response);

 private:
  struct Job {
    std::string project;
    std::vector<std::string> views;
    bool is_done = false;  // guarded by mutex_
    std::jthread thread;
  };

  Answer<MaterializeOptions> ReadBody(Kind kind, const http::Request& request, const Store& store);
  Answer<void> Start(const http::Request& request, http::Response& response, std::shared_ptr<Store> store,
                     MaterializeOptions options);
  std::vector<std::string> Running(const std::string& project, const std::vector<std::string>& views) const;
  std::list<Job> TakeDone();

  Services& services_;
  const http::Limits limits_;
  mutable std::mutex mutex_;  // guards jobs_
  std::list<Job> jobs_;       // last: the threads end before the rest goes
};

}  // namespace tidemark::server::feast
