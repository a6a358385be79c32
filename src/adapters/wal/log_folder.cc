// Names, listings, the mapped word, and removals.
#include "adapters/wal/log_folder_internal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <span>
#include <string_view>

#include "adapters/wal/log_error_internal.h"
#include "base/crc32c.h"

namespace tidemark::wal {
namespace {

constexpr std::string_view kSegmentSuffix = ".log";
constexpr std::string_view kRemovedSuffix = ".removed";
constexpr std::size_t kSegmentDigits = 8;

// The names in a folder; none if it is not there.
Result<std::vector<std::string>> ListNames(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error))
    names.push_back(at->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    return FailWith(error.value(), "list the folder", folder);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::uint64_t> SegmentNumber(std::string_view name) {
  if (!name.ends_with(kSegmentSuffix)) return std::nullopt;
  name.remove_suffix(kSegmentSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < kSegmentDigits || error != std::errc{} || end != name.data() + name.size())
    return std::nullopt;
  return number;
}

Result<void> RemoveFolderWithFiles(LogDisk& disk, const std::string& folder) {
  TM_ASSIGN(const std::vector<std::string> names, ListNames(folder));
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (const int code = disk.Remove(path); code < 0 && code != -ENOENT)
      return FailWith(-code, "remove", path);
  }
  const int code = disk.RemoveFolder(folder);
  if (code < 0 && code != -ENOENT) return FailWith(-code, "remove the folder", folder);
  return {};
}

using TrimmedBytes = std::array<std::uint64_t, 2>;

TrimmedBytes EncodeTrimmed(LogId id, std::uint64_t lsn) {
  const std::array<std::uint64_t, 2> checked{id, lsn};
  return {lsn, Crc32c(std::as_bytes(std::span(checked)))};
}

}  // namespace

std::string CreatingPath(const std::string& logs) {
  return logs + "/creating";
}
std::string LogFolder(const std::string& logs, LogId id) {
  return logs + "/" + FormatLogId(id);
}
std::string OwnerPath(const std::string& folder) {
  return folder + "/owner";
}
std::string DurablePath(const std::string& folder) {
  return folder + "/durable";
}
std::string TrimmedPath(const std::string& folder) {
  return folder + "/trimmed";
}
std::string SegmentPath(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/{:0{}}{}", folder, number, kSegmentDigits, kSegmentSuffix);
}

Result<std::vector<std::uint64_t>> ListSegments(const std::string& folder) {
  TM_ASSIGN(const std::vector<std::string> names, ListNames(folder));
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (const auto number = SegmentNumber(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<std::vector<LogId>> ListLogs(const std::string& logs) {
  TM_ASSIGN(const std::vector<std::string> names, ListNames(logs));
  std::vector<LogId> ids;
  for (const std::string& name : names) {
    if (const auto id = ParseLogId(name)) ids.push_back(*id);
  }
  return ids;
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::int64_t> OpenFile::Bytes(const std::string& path) const {
  struct stat about{};
  if (::fstat(fd_, &about) != 0) return FailWith(errno, "look at", path);
  return static_cast<std::int64_t>(about.st_size);
}

Result<OpenFile> Open(LogDisk& disk, const std::string& path, int flags) {
  const int fd = disk.Open(path, flags);
  if (fd < 0) return FailWith(-fd, "open", path);
  return OpenFile(fd);
}

int WriteAll(LogDisk& disk, int fd, std::span<const std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const std::int64_t written = disk.Write(fd, bytes, offset);
    if (written < 0) return static_cast<int>(-written);
    if (written == 0) return EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
  return 0;
}

Result<DurableWord> DurableWord::OpenToWrite(LogDisk& disk, const std::string& folder) {
  const std::string path = DurablePath(folder);
  TM_ASSIGN(const OpenFile file, Open(disk, path, O_RDWR | O_CREAT));
  TM_ASSIGN(const std::int64_t bytes, file.Bytes(path));
  // Room for the word is really there, so that storing to the mapping cannot fail later.
  if (bytes < static_cast<std::int64_t>(sizeof(std::uint64_t))) {
    if (const int error = ::posix_fallocate(file.fd(), 0, sizeof(std::uint64_t)); error != 0)
      return FailWith(error, "make room in", path);
  }
  void* page = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
  if (page == MAP_FAILED) return FailWith(errno, "map", path);
  return DurableWord(static_cast<std::uint64_t*>(page));
}

Result<std::uint64_t> DurableWord::Look(LogDisk& disk, const std::string& folder) {
  const std::string path = DurablePath(folder);
  const int fd = disk.Open(path, O_RDONLY);
  if (fd == -ENOENT) return 0;
  if (fd < 0) return FailWith(-fd, "open", path);
  const OpenFile file(fd);
  TM_ASSIGN(const std::int64_t bytes, file.Bytes(path));
  if (bytes < static_cast<std::int64_t>(sizeof(std::uint64_t))) return 0;
  // Mapped, because a word that is being stored is then read whole.
  void* page = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return FailWith(errno, "map", path);
  const DurableWord word(static_cast<std::uint64_t*>(page));
  return word.load();
}

DurableWord::~DurableWord() {
  if (word_ != nullptr) ::munmap(word_, sizeof(std::uint64_t));
}

Result<void> TrimmedMark::Write(LogDisk& disk, const std::string& folder, LogId id, std::uint64_t lsn) {
  const std::string path = TrimmedPath(folder);
  TM_ASSIGN(const OpenFile file, Open(disk, path, O_RDWR | O_CREAT));
  const TrimmedBytes bytes = EncodeTrimmed(id, lsn);
  if (const int error = WriteAll(disk, file.fd(), std::as_bytes(std::span(bytes)), 0); error != 0)
    return FailWith(error, "write", path);
  if (const int code = disk.Sync(file.fd()); code < 0) return FailWith(-code, "sync", path);
  return {};
}

Result<std::optional<std::uint64_t>> TrimmedMark::Look(LogDisk& disk, const std::string& folder, LogId id) {
  const std::string path = TrimmedPath(folder);
  const int fd = disk.Open(path, O_RDONLY);
  if (fd == -ENOENT) return std::nullopt;
  if (fd < 0) return FailWith(-fd, "open", path);
  const OpenFile file(fd);
  TrimmedBytes bytes{};
  const ssize_t got = ::pread(fd, bytes.data(), sizeof(bytes), 0);
  if (got < 0) return FailWith(errno, "read", path);
  if (bytes != EncodeTrimmed(id, bytes[0])) return std::nullopt;
  return bytes[0];
}

Result<std::string> MissingBefore(LogDisk& disk, const std::string& folder, const SegmentHeader& oldest) {
  TM_ASSIGN(const auto trimmed, TrimmedMark::Look(disk, folder, oldest.place.log));
  if (!trimmed || oldest.first_lsn <= *trimmed + 1) return std::string();
  return fmt::format(
      "segment {} is missing before it, with frames up to {}, of which only those up to {} were trimmed",
      oldest.place.number - 1, oldest.first_lsn - 1, *trimmed);
}

void OwnedSegments::Add(const Segment& segment) {
  const std::lock_guard lock(mutex_);
  segments_.push_back(segment);
}

std::uint64_t OwnedSegments::first_lsn() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? 1 : segments_.front().first_lsn;
}

Result<void> OwnedSegments::RemoveUpTo(std::uint64_t lsn) {
  const std::lock_guard removal(removal_mutex_);
  std::uint64_t trimmed = 0;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t next = 1; next < segments_.size() && segments_[next].first_lsn <= lsn + 1; ++next)
      trimmed = segments_[next].first_lsn - 1;
  }
  if (trimmed == 0) return {};
  TM_TRY(TrimmedMark::Write(disk_, folder_, id_, trimmed));
  while (true) {
    std::uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (segments_.size() < 2 || segments_[1].first_lsn > lsn + 1) return {};
      number = segments_.front().number;
    }
    const std::string path = SegmentPath(folder_, number);
    if (const int code = disk_.Remove(path); code < 0 && code != -ENOENT)
      return FailWith(-code, "remove", path);
    // Before the next is removed: no loss of power leaves a gap in the numbers.
    if (const int code = disk_.SyncFolder(folder_); code < 0)
      return FailWith(-code, "sync the folder", folder_);
    const std::lock_guard lock(mutex_);
    segments_.erase(segments_.begin());
  }
}

Result<void> RemoveLog(LogDisk& disk, const std::string& logs, LogId id) {
  const std::string folder = LogFolder(logs, id);
  const std::string removed = folder + std::string(kRemovedSuffix);
  if (const int code = disk.Rename(folder, removed); code < 0 && code != -ENOENT)
    return FailWith(-code, "rename", folder);
  if (const int code = disk.SyncFolder(logs); code < 0) return FailWith(-code, "sync the folder", logs);
  TM_TRY(RemoveFolderWithFiles(disk, removed));
  if (const int code = disk.SyncFolder(logs); code < 0) return FailWith(-code, "sync the folder", logs);
  return {};
}

Result<void> FinishRemovals(LogDisk& disk, const std::string& logs) {
  TM_ASSIGN(const std::vector<std::string> names, ListNames(logs));
  for (const std::string& name : names) {
    if (name.ends_with(kRemovedSuffix)) TM_TRY(RemoveFolderWithFiles(disk, fmt::format("{}/{}", logs, name)));
  }
  return {};
}

}  // namespace tidemark::wal
