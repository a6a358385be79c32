// The online store in a folder: LMDB, a memory-mapped B+ tree that several processes read while one writes.
//
//   folder/data.mdb   the tree: stored key (model/key_codec.h) -> packed row (store/packed_row.h)
//   folder/lock.mdb   the table of readers and the writers' lock; holds nothing that must survive
//   folder/synced.root   the root to go back to after a loss of power (lmdb_synced_root_internal.h); belongs
//                     to data.mdb
//
// The store's own records lie under view id 0, which no view has: "format" -> "tidemark-online 1",
// "identity" -> 32 random hexadecimal digits, and what has been erased (lmdb_erasures_internal.h).
//
// Commits flush data before the page that points to them (MDB_NOMETASYNC, no WRITEMAP); small ones that need
// not be durable at once are flushed some at a time, with a root that is kept whole meanwhile
// (lmdb_ahead.cc). A crash at any moment leaves the last synced state or a later one, whole. The folder must
// be on a local disk: the locks do not work over a network.
//
// What the checksums find: a changed byte in a value or its key. LMDB keeps no checksum of its inner pages:
// damage there is an error where it contradicts itself, and may otherwise hide a row. A file cut short is
// found on opening.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "store/online_store.h"

namespace tidemark {

struct LmdbOptions {
  std::string folder;  // made if it is not there

  /// The limit. Of several processes with different limits the greatest counts.
  std::int64_t map_bytes_max = std::int64_t{64} << 30;

  /// Address space mapped at first. 0: all of map_bytes_max, or as much as the process may have, which costs
  /// no memory or disk. It doubles when it is full; that waits for the lookups and scans that run in this
  /// process.
  std::int64_t map_bytes_initial = 0;

  /// The file of the secret that erased keys are marked with (base/keyed_hash.h). Empty: "erase.key" beside
  /// the folder.
  std::string erase_key = {};

  /// How many lookups may run at the same moment in all processes. The first process to open sets it.
  std::uint32_t readers_max = 1024;
};

/// Opens the store in a folder, or makes one there. Opening a folder twice in a process shares what is open
/// (with the greater of the limits). After a fork the child opens its own at its first call.
///
/// After a loss of power the store is brought back to the last synced state, by the first to open it.
///
/// kInvalidArgument for a limit below 1 MiB or no readers; kBusy when a sync has failed and another process
/// still has the store open; kIo when the folder cannot be made, read or
/// written; kCorruption when the file is damaged or cut short; kUnsupported when it is not Tidemark's, or of
/// a newer format.
Result<std::unique_ptr<OnlineStore>> OpenLmdbOnlineStore(const LmdbOptions& options);

}  // namespace tidemark
