// Processes that run the Python functions of on-demand feature views, for stores that are opened with them.
//
//   auto workers = PythonWorkers::Start({.workers = 2});
//   auto store = Store::Open({.path = "store", .python_workers = *workers});
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tidemark/error.h"
#include "tidemark/export.h"

namespace tidemark {

class FunctionRunner;

/// Functions come from the registry: whoever may apply definitions runs code in these processes, with the
/// rights of this process's user. Limits are against mistakes.
struct PythonWorkersOptions {
  std::size_t workers = 1;                                   // processes
  std::string interpreter = "python3";                       // found by PATH; has the package `tidemark`
  std::int64_t call_us_max = 5'000'000;                      // then the process is killed
  std::int64_t memory_bytes_max = std::int64_t{1} << 30;     // of a process; at least 256 MiB
  std::size_t waiting_max = 64;                              // calls that wait for a process
  std::int64_t start_us_max = std::int64_t{60} * 1'000'000;  // of a process, or to read a function
};

/// Counts since the workers were started.
struct PythonWorkersStats {
  std::int64_t workers = 0;     // processes that are there now
  std::int64_t waiting = 0;     // calls that wait now
  std::int64_t calls = 0;       // that a process was given
  std::int64_t errors = 0;      // of these, that had no answer
  std::int64_t refused = 0;     // calls that no process was free for
  std::int64_t restarts = 0;    // processes started in the place of one that was killed or ended
  std::int64_t running_us = 0;  // spent in calls
};

/// Thread safe. The processes end with this object, and with the process that made it.
class TIDEMARK_EXPORT PythonWorkers {
 public:
  /// Waits until one process is ready. kInvalidArgument for options that make no sense, kNotFound for an
  /// interpreter that is not there, kUnavailable for one that cannot run the package.
  static Result<std::shared_ptr<PythonWorkers>> Start(const PythonWorkersOptions& options);

  explicit PythonWorkers(std::shared_ptr<FunctionRunner> runner) : runner_(std::move(runner)) {}

  PythonWorkersStats Stats() const;
  /// What stores call; of no use elsewhere.
  const std::shared_ptr<FunctionRunner>& runner() const { return runner_; }

 private:
  std::shared_ptr<FunctionRunner> runner_;
};

}  // namespace tidemark
