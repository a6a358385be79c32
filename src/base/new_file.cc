// A name that nobody looks for, then a rename.
#include "base/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>
#include <utility>

#include "base/disk_full.h"
#include "base/keyed_hash.h"

namespace tidemark {
namespace {

std::unexpected<Error> FileFailed(std::string_view doing, const std::filesystem::path& path, int error) {
  const ErrorCode code = IsDiskFull(error) ? ErrorCode::kOutOfSpace
                         : error == ENOENT ? ErrorCode::kNotFound
                                           : ErrorCode::kIo;
  return Fail(code, fmt::format("cannot {} '{}': {}", doing, path.string(),
                                std::error_code(error, std::generic_category()).message()));
}

}  // namespace

Result<std::unique_ptr<NewFile>> NewFile::Begin(const std::filesystem::path& place) {
  std::random_device random;
  std::string path = fmt::format("{}.{:08x}{:08x}.unfinished", place.string(), random(), random());
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return FileFailed("make", path, errno);
  return std::unique_ptr<NewFile>(new NewFile(place, std::move(path), std::move(file)));
}

NewFile::NewFile(std::filesystem::path place, std::string path, FileDescriptor file)
    : place_(std::move(place)), path_(std::move(path)), file_(std::move(file)) {}

NewFile::~NewFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<void> NewFile::Append(std::span<const std::byte> bytes) {
  if (const int error = WriteAll(file_, bytes); error != 0) return FileFailed("write", path_, error);
  sum_.Add(bytes);
  return {};
}

std::string NewFile::Hash() {
  return ToHex(sum_.Finish());
}

Result<void> NewFile::Put() {
  if (::fsync(file_.get()) != 0) return FileFailed("sync", path_, errno);
  if (std::rename(path_.c_str(), place_.c_str()) != 0) return FileFailed("put in its place", place_, errno);
  path_.clear();
  const std::filesystem::path folder = std::filesystem::absolute(place_).parent_path();
  const int error = SyncPath(folder.string());
  return error == 0 ? Result<void>() : FileFailed("sync the folder", folder, error);
}

}  // namespace tidemark
