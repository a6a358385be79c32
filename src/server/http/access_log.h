// One line of JSON for each request that was answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace tidemark::http {

/// What a line says.
struct AccessLine {
  std::string_view id;
  std::string_view trace;  // the client's traceparent, if it sent one
  std::string_view peer;
  std::string_view method;
  std::string_view path;
  std::string_view route;
  std::string_view dialect;
  std::string_view key_id;
  int status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t nanoseconds = 0;
};

/// Lines are gathered and written together. Thread safe.
class AccessLog {
 public:
  /// `place` is "-" for standard error, or a file that is appended to. kIo if it cannot be opened.
  static Result<std::unique_ptr<AccessLog>> Open(const std::string& place);

  void Append(const AccessLine& line);
  /// Writes what was gathered. Lines that cannot be written are lost, which is said once on standard error.
  void Flush();
  ~AccessLog() { Flush(); }

 private:
  explicit AccessLog(FileDescriptor file) : file_(std::move(file)) {}
  void FlushLocked();

  std::mutex mutex_;  // guards what follows
  FileDescriptor file_;
  std::string lines_;
  bool told_ = false;
};

}  // namespace tidemark::http
