// What sessions that read streams tell of themselves, in files that other processes read.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/json.h"
#include "base/result.h"
#include "engine/streams/stream_progress.h"

namespace tidemark {

/// The file of one session, of this process.
class StreamReportFile {
 public:
  /// Makes the folder, and removes what processes that are gone have left of the view.
  static Result<StreamReportFile> Open(const std::filesystem::path& folder, std::uint32_t view_id);

  /// Replaces what was told before. A report that cannot be written is not worth an end of reading: kIo is
  /// for who wants to know.
  Result<void> Write(const StreamSessionStatus& status) const;

 private:
  explicit StreamReportFile(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

/// What the sessions of a view tell together, by the names of Store::StreamStatus: their sums, the worst of
/// freshness, the last error.
Json StreamReportSum(const std::filesystem::path& folder, std::uint32_t view_id);

}  // namespace tidemark
