// One process that runs Python functions.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "adapters/python_workers/worker_frame_internal.h"
#include "base/result.h"

namespace tidemark::python_workers {

struct ProcessOptions {
  std::string interpreter;
  std::int64_t memory_bytes_max = 0;
  int stop = -1;  // becomes readable when all is to end
};

/// Belongs to one thread, which has to stay as long as the process does: the process ends with it.
class WorkerProcess {
 public:
  /// Waits until it is ready. kNotFound for an interpreter that is not there, kUnavailable if it ends or does
  /// not get ready in time.
  static Result<std::unique_ptr<WorkerProcess>> Start(const ProcessOptions& options, Deadline deadline);

  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess() { End(); }

  /// False once it has ended.
  bool IsThere() const;

  const Channel& channel() const { return channel_; }

  /// Kills it, with all that it has started, and says how it had ended if it did so by itself: "it ended with
  /// exit code 3", "it was ended by signal 11"; empty if it was there until now.
  std::string End();

  /// Definitions that it has prepared, by what it knows them by.
  std::unordered_map<std::string, std::int64_t>& prepared() { return prepared_; }

 private:
  WorkerProcess(pid_t pid, Channel channel) : pid_(pid), channel_(channel) {}

  pid_t pid_;
  Channel channel_;
  std::unordered_map<std::string, std::int64_t> prepared_;
};

}  // namespace tidemark::python_workers
