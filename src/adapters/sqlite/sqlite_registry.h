// The registry in one SQLite file: what an embedded store uses.
//
// A rollback journal and full syncs (SQLite's WAL mode needs shared memory and had a corruption race
// before 3.51.3), so the file belongs on a local disk. Several processes may open it; each waits for the
// others up to a time-out.
#pragma once

#include <memory>
#include <string>

#include "store/registry.h"

namespace tidemark {

struct SqliteRegistryOptions {
  std::string path;            // of the file; its folder must exist
  int busy_timeout_ms = 5000;  // how long to wait for another process before kBusy
};

/// Opens the registry at `path`, or makes an empty one if there is no such file. The whole file is checked
/// first. kInvalidArgument: an SQLite database of somebody else. kUnsupported: written by a newer Tidemark.
/// kCorruption: damaged, or no database at all. kBusy: held by another process for longer than the time-out.
/// kIo, kOutOfSpace: the file or its folder cannot be read or written. A file that can only be read can be
/// opened; changes are then kIo.
Result<std::unique_ptr<Registry>> OpenSqliteRegistry(const SqliteRegistryOptions& options);

}  // namespace tidemark
