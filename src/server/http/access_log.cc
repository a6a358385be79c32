// Lines of JSON, gathered in memory and appended to a file.
#include "server/http/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <iterator>
#include <span>
#include <system_error>

#include "model/time.h"
#include "server/json/json_text.h"

namespace tidemark::http {
namespace {

constexpr std::size_t kGatheredBytesMax = 64UL << 10U;

void AppendMember(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
  json::AppendText(out, text);
}

std::int64_t NowUs() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& place) {
  FileDescriptor file(place == "-" ? dup(STDERR_FILENO)
                                   : open(place.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file.is_open()) {
    const std::error_code code(errno, std::generic_category());
    return Fail(ErrorCode::kIo, fmt::format("the access log {} cannot be opened: {}", place, code.message()));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(std::move(file)));
}

void AccessLog::Append(const AccessLine& line) {
  const std::lock_guard lock(mutex_);
  fmt::format_to(std::back_inserter(lines_), "{{\"time\":\"{}\",\"method\":\"{}\"",
                 FormatTimestampUs(NowUs()), line.method);
  AppendMember(lines_, "path", line.path);
  AppendMember(lines_, "route", line.route);
  AppendMember(lines_, "dialect", line.dialect);
  AppendMember(lines_, "id", line.id);
  AppendMember(lines_, "trace", line.trace);
  AppendMember(lines_, "peer", line.peer);
  AppendMember(lines_, "key", line.key_id);
  fmt::format_to(std::back_inserter(lines_),
                 ",\"status\":{},\"bytes_in\":{},\"bytes_out\":{},\"seconds\":{:.6f}}}\n", line.status,
                 line.bytes_in, line.bytes_out, static_cast<double>(line.nanoseconds) * 1e-9);
  if (lines_.size() >= kGatheredBytesMax) FlushLocked();
}

void AccessLog::Flush() {
  const std::lock_guard lock(mutex_);
  FlushLocked();
}

void AccessLog::FlushLocked() {
  if (lines_.empty()) return;
  const int failed = WriteAll(file_, std::as_bytes(std::span(lines_)));
  lines_.clear();
  if (failed != 0 && !told_) {
    told_ = true;
    const std::error_code code(failed, std::generic_category());
    fmt::print(stderr, "tidemark: lines of the access log are lost: {}\n", code.message());
  }
}

}  // namespace tidemark::http
