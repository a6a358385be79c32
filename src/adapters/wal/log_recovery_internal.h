// Checks every frame of a log that nobody owns, and cuts its torn tail.
//
// A frame that does not hold is a torn tail: it was being written when the process or the machine died, and
// nobody was told that it was there. Unless something says that it was durable: the word `durable`, a head
// behind it, or a later segment, which is only begun when all before it is synced. Then the disk has lost or
// changed what it had promised, and the log is refused. So it is when its first segments are gone without
// having been trimmed.
#pragma once

#include <vector>

#include "adapters/wal/log_folder_internal.h"
#include "base/result.h"

namespace tidemark::wal {

struct RecoveredLog {
  std::vector<OwnedSegments::Segment> segments;  // none if the log was never finished making
  std::uint64_t last_lsn = 0;
};

/// The caller holds the log's locks. When this returns, every frame that is left is durable and the word says
/// so. Nothing is changed after kCorruption. Running it again changes nothing.
Result<RecoveredLog> RecoverLog(LogDisk& disk, const std::string& folder, LogId id);

}  // namespace tidemark::wal
