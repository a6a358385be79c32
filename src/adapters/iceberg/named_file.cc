#include "adapters/iceberg/named_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>

#include "base/crc32c.h"
#include "base/disk_full.h"
#include "base/file_descriptor.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "-crc";
constexpr std::size_t kDigits = 8;

Result<void> WriteAndSync(const fs::path& path, std::string_view bytes) {
  const FileDescriptor file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  if (!file.is_open()) return std::unexpected(SystemError("make", path, errno));
  const int error = WriteAll(file, std::as_bytes(std::span(bytes)));
  if (error != 0) return std::unexpected(SystemError("write", path, error));
  if (::fsync(file.get()) != 0) return std::unexpected(SystemError("sync", path, errno));
  return {};
}

}  // namespace

Error SystemError(std::string_view doing, const fs::path& path, int system_errno) {
  const bool is_full = IsDiskFull(system_errno);
  const ErrorCode code = is_full                  ? ErrorCode::kOutOfSpace
                         : system_errno == ENOENT ? ErrorCode::kNotFound
                                                  : ErrorCode::kIo;
  return {code,
          fmt::format("cannot {} '{}': {}{}", doing, path.string(), std::strerror(system_errno),
                      is_full ? ". Free some space and try again" : ""),
          {}};
}

std::string ChecksumName(std::string_view stem, std::uint32_t crc, std::string_view ending) {
  return fmt::format("{}{}{:08x}{}", stem, kMark, crc, ending);
}

std::optional<std::uint32_t> ChecksumOf(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t mark = name.rfind(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string_view after = name.substr(mark + kMark.size());
  if (after.size() <= kDigits || after[kDigits] != '.') return std::nullopt;
  std::uint32_t crc = 0;
  const auto [end, failed] = std::from_chars(after.data(), after.data() + kDigits, crc, 16);
  if (failed != std::errc{} || end != after.data() + kDigits) return std::nullopt;
  return crc;
}

Result<fs::path> WriteNamedFile(const fs::path& folder, std::string_view stem, std::string_view ending,
                                std::string_view bytes) {
  fs::path path = folder / ChecksumName(stem, Crc32c(std::as_bytes(std::span(bytes))), ending);
  if (auto written = WriteAndSync(path, bytes); !written) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(written).error());
  }
  return path;
}

Result<std::string> ReadNamedFile(const fs::path& path, std::optional<std::int64_t> length) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::unexpected(SystemError("open", path, errno));
  struct stat found{};
  if (::fstat(file.get(), &found) != 0) return std::unexpected(SystemError("look at", path, errno));
  std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(SystemError("read", path, errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  const auto damaged = [&](std::string what) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' is damaged: {}. Restore the file from a backup", path.string(), what));
  };
  if (done != bytes.size()) return damaged("it ends while it is read");
  if (length && *length != found.st_size)
    return damaged(fmt::format("it is {} bytes long and should be {}", found.st_size, *length));
  const auto crc = ChecksumOf(path.native());
  if (crc && *crc != Crc32c(std::as_bytes(std::span(bytes)))) return damaged("its checksum does not hold");
  return bytes;
}

Result<void> SyncFolder(const fs::path& folder) {
  const int error = SyncPath(folder);
  if (error != 0) return std::unexpected(SystemError("sync the folder", folder, error));
  return {};
}

std::string ToLocation(const fs::path& path) {
  return "file://" + path.string();
}

Result<fs::path> ToPath(std::string_view location) {
  if (location.starts_with("file://")) location.remove_prefix(std::string_view("file://").size());
  if (location.starts_with("file:/")) location.remove_prefix(std::string_view("file:").size());
  if (location.starts_with('/') && location.find('\0') == std::string_view::npos) return fs::path(location);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("'{}' does not lie in this machine's file system: only file:// is read", location));
}

}  // namespace tidemark::iceberg
