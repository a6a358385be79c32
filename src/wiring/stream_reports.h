// What sessions that read streams tell of themselves, in files that other processes read:
//
//   <view id>-<pid>    of the session of a process
//   <view id>-ended    the counts of all that have ended, but for those whose own file is still there
//   reports            empty: locked by who adds up
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "engine/streams/stream_progress.h"

namespace tidemark {

/// The file of one session, of this process.
class StreamReportFile {
 public:
  /// Makes the folder, and adds up what sessions of the view have left that have ended. kIo.
  static Result<StreamReportFile> Open(const std::filesystem::path& folder, std::uint32_t view_id);

  /// Replaces what was told before. A report that cannot be written is not worth an end of reading: kIo is
  /// for who wants to know.
  Result<void> Write(const StreamSessionStatus& status) const;

 private:
  explicit StreamReportFile(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

/// The partitions that sessions of other processes have which live.
std::set<std::string> StreamPartitionsElsewhere(const std::filesystem::path& folder, std::uint32_t view_id);

/// What the sessions of a view tell together, by the names of Store::StreamStatus: the sums of all that there
/// have been, the worst of freshness, the last error.
Json StreamReportSum(const std::filesystem::path& folder, std::uint32_t view_id);

}  // namespace tidemark
