// Work that outlives the request that started it: watched and cancelled by its id.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "server/http/access.h"
#include "tidemark/store.h"

namespace tidemark::server {

struct JobsLimits {
  std::size_t running_max = 4;
  std::size_t waiting_max = 100;               // beyond: kBusy
  std::int64_t kept_us = 3'600LL * 1'000'000;  // after their end
  std::size_t ended_max = 10'000;              // beyond, the oldest go earlier
  std::function<std::int64_t()> now_us = {};   // the clock; empty: the system's
};

/// What is to be done: its report as JSON.
using JobWork = std::function<Result<std::string>(const WorkOptions&)>;

struct JobRequest {
  std::string project;
  std::string operation;                    // "materialize"
  http::Scope scope = http::Scope::kWrite;  // that cancelling asks for
  JobWork work;
};

/// Thread safe. Its destructor interrupts what runs, drops what waits, and waits for it.
class Jobs {
 public:
  explicit Jobs(JobsLimits limits);
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  ~Jobs();

  /// The job as JSON. kBusy if too many wait.
  Result<std::string> Start(JobRequest request);
  /// All jobs of a project, newest first: JSON objects.
  std::vector<std::string> List(std::string_view project);
  /// One job as JSON, once its version is another than `version` or `wait_ms` are over, or `stop` is asked
  /// for. kNotFound: there is none, or it is forgotten.
  Result<std::string> Get(std::string_view project, std::string_view id, std::int64_t version,
                          std::int64_t wait_ms, const std::stop_token& stop);
  /// The scope that cancelling a job asks for.
  Result<http::Scope> ScopeOf(std::string_view project, std::string_view id);
  /// False if it had ended. One that waits is cancelled at once; one that runs, when it notices.
  Result<bool> Cancel(std::string_view project, std::string_view id);

 private:
  struct Job;
  std::shared_ptr<Job> FindLocked(std::string_view project, std::string_view id);
  void ForgetLocked();
  void RunJobs(const std::stop_token& stop);
  void Run(Job& job);
  void EndLocked(Job& job, Result<std::string> result);
  std::string ToJsonLocked(const Job& job) const;

  const JobsLimits limits_;
  std::mutex mutex_;  // guards all below, and what is in jobs
  std::condition_variable_any changed_;
  std::vector<std::shared_ptr<Job>> jobs_;  // oldest first
  std::uint64_t last_number_ = 0;
  bool is_ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace tidemark::server
