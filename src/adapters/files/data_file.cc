// Opening files, and noticing that they change.
#include "adapters/files/data_file.h"

#include <fmt/format.h>

#include "adapters/files/arrow_error.h"
#include "adapters/files/file_listing.h"

namespace tidemark {

Result<void> CheckUnchanged(const SourceFile& file) {
  TM_ASSIGN(const SourceFile now, DescribeFile(file.path));
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
