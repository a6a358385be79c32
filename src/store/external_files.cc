// Whether a file of other people is the one that a table has seen.
#include "store/external_files.h"

#include <utility>

namespace tidemark {

Result<SourceFile> ExternalFiles::LookAgain(const SourceFile& seen) const {
  const std::string where = "file " + seen.path;
  auto now = Look(seen.path);
  if (!now && now.error().code == ErrorCode::kNotFound) {
    return std::unexpected(
        Error{ErrorCode::kNotFound,
              "the file is gone that the table was registered with: put it back, or refresh the table, which "
              "takes it out",
              where});
  }
  if (!now) return std::unexpected(std::move(now).error());
  const bool is_same = now->size == seen.size && (seen.id.empty() || now->mtime_ns == seen.mtime_ns);
  if (is_same) return now;
  return std::unexpected(Error{
      ErrorCode::kInvalidData,
      "the file was written over since the table saw it last: refresh the table, which looks into it anew",
      where});
}

}  // namespace tidemark
