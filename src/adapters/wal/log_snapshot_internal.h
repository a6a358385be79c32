// A log's durable frames at one moment, with its segments open.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/wal/log_folder_internal.h"
#include "store/write_log.h"

namespace tidemark::wal {

/// Null if there is nothing in the log, or it is gone. Waits for a recovery that is going on.
Result<std::unique_ptr<LogSnapshot>> OpenSnapshot(LogDisk& disk, const std::string& logs, LogId id);

}  // namespace tidemark::wal
