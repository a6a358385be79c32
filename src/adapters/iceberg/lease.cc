#include "adapters/iceberg/lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <random>

#include "adapters/iceberg/named_file.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".lease";
// Until it is locked and written a lease has another name, so that nobody takes it for a dead one's.
constexpr std::string_view kUnfinished = ".new";

bool IsReadOnly(int error) {
  return error == EROFS || error == EACCES || error == EPERM;
}

Result<LeasedSnapshot> ReadLease(const fs::path& path) {
  TM_ASSIGN(const std::string text, ReadNamedFile(path));
  LeasedSnapshot leased;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), leased.snapshot_id);
  if (failed != std::errc{} || end == text.data() + text.size() || *end != ' ') {
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("lease '{}' cannot be read; remove it when nobody reads the table", path.string()));
  }
  leased.manifest_list = text.substr(static_cast<std::size_t>(end - text.data()) + 1);
  return leased;
}

/// Whether the file's owner lives: its lock cannot be had. What is left of a dead one is removed.
Result<bool> IsHeld(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return false;
  if (descriptor < 0) return std::unexpected(SystemError("open", path, errno));
  const bool is_free = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  const int error = errno;
  if (is_free) ::unlink(path.c_str());
  ::close(descriptor);
  if (!is_free && error != EWOULDBLOCK) return std::unexpected(SystemError("lock", path, error));
  return !is_free;
}

}  // namespace

Result<std::shared_ptr<Lease>> Lease::Take(const fs::path& folder, const LeasedSnapshot& snapshot) {
  std::random_device random;
  const std::string stem = fmt::format("{}-{:08x}{:08x}", ::getpid(), random(), random());
  const fs::path unfinished = folder / (stem + std::string(kUnfinished));
  std::shared_ptr<Lease> lease(new Lease);
  lease->descriptor_ = ::open(unfinished.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (lease->descriptor_ < 0 && errno == ENOENT) {
    std::error_code ignored;
    fs::create_directory(folder, ignored);
    lease->descriptor_ = ::open(unfinished.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  }
  if (lease->descriptor_ < 0 && IsReadOnly(errno)) return lease;
  if (lease->descriptor_ < 0) return std::unexpected(SystemError("make", unfinished, errno));
  lease->path_ = unfinished;
  if (::flock(lease->descriptor_, LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(SystemError("lock", unfinished, errno));
  const std::string text = fmt::format("{} {}", snapshot.snapshot_id, snapshot.manifest_list);
  const ssize_t written = ::write(lease->descriptor_, text.data(), text.size());
  if (written != std::ssize(text))
    return std::unexpected(SystemError("write", unfinished, written < 0 ? errno : ENOSPC));
  const fs::path path = folder / (stem + std::string(kEnding));
  if (::rename(unfinished.c_str(), path.c_str()) != 0)
    return std::unexpected(SystemError("name", path, errno));
  lease->path_ = path;
  return lease;
}

Lease::~Lease() {
  if (!path_.empty()) ::unlink(path_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::vector<LeasedSnapshot>> LiveLeases(const fs::path& folder) {
  std::vector<LeasedSnapshot> leases;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  if (failed == std::errc::no_such_file_or_directory) return leases;
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (entry->path().extension() != kEnding) continue;
    TM_ASSIGN(const bool is_held, IsHeld(entry->path()));
    if (!is_held) continue;
    auto leased = ReadLease(entry->path());
    if (!leased && leased.error().code == ErrorCode::kNotFound) continue;  // given back just now
    if (!leased) return std::unexpected(std::move(leased).error());
    leases.push_back(*std::move(leased));
  }
  if (failed) return std::unexpected(SystemError("list", folder, failed.value()));
  return leases;
}

}  // namespace tidemark::iceberg
