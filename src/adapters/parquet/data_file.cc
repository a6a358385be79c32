// Opening files, and noticing that they change.
#include "adapters/parquet/data_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "adapters/parquet/arrow_error.h"

namespace tidemark {

namespace fs = std::filesystem;

Result<struct stat> StatFile(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0) return found;
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file or folder {}", path.string()));
  }
  return Fail(ErrorCode::kIo, fmt::format("cannot look at {}: {}", path.string(), std::strerror(error)));
}

SourceFile DescribeFile(const fs::path& path, const struct stat& found) {
  return {path.string(), fmt::format("{}:{}", found.st_dev, found.st_ino), found.st_size,
          std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
}

Result<void> CheckUnchanged(const SourceFile& file) {
  TM_ASSIGN(const struct stat found, StatFile(file.path));
  const SourceFile now = DescribeFile(file.path, found);
  if (now == file) return {};
  const std::string what = now.size != file.size
                               ? fmt::format("its size was {} bytes and is {}", file.size, now.size)
                           : now.id != file.id ? "another file has taken its place"
                                               : "it was written to";
  return Fail(
      ErrorCode::kInvalidData,
      fmt::format("the file changed while it was read ({}): run this again when it is complete, and replace "
                  "files by renaming",
                  what));
}

Result<std::shared_ptr<arrow::io::ReadableFile>> OpenUnchanged(const SourceFile& file) {
  auto opened = arrow::io::ReadableFile::Open(file.path);
  // After opening: a file that is put in place later is not what this handle reads.
  TM_TRY(CheckUnchanged(file));
  TM_ASSIGN_ARROW(auto handle, std::move(opened), ErrorCode::kIo);
  return handle;
}

Result<void> UnlessChanged(const SourceFile& file, Result<void> outcome) {
  if (!outcome && outcome.error().code == ErrorCode::kCancelled) return outcome;
  TM_TRY(CheckUnchanged(file));
  return outcome;
}

}  // namespace tidemark
