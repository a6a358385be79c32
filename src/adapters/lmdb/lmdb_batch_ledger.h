// The batch ledger in a folder: an LMDB file that all processes of a store share.
//
//   folder/data.mdb, lock.mdb   as of the online store (lmdb_online_store.h)
//   folder/keys.lock            4,096 bytes to lock: who writes a batch holds the one at its key's hash
//
// Records of data.mdb; integers in keys are big-endian, so that they sort:
//
//   table id (4), batch key     log id (8), lsn (8), time_us (8), content (16), CRC32C of key and value (4);
//                               earlier versions wrote no content
//   0 (4), "t", time_us (8), table id, batch key
//                               empty: the batches in the order of their times
//   0 (4), "format" and "identity"
//                               the file's own
//
// What was recorded is on the disk after Sync; before, a loss of power may take the last records, never the
// order of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "store/batch_ledger.h"

namespace tidemark {

struct LmdbLedgerOptions {
  std::string folder;  // made if it is not there
  std::int64_t map_bytes_max = std::int64_t{16} << 30;
};

/// Opens the ledger in a folder, or makes one there; errors as OpenLmdbOnlineStore.
Result<std::unique_ptr<BatchLedger>> OpenLmdbBatchLedger(const LmdbLedgerOptions& options);

}  // namespace tidemark
