// Keys whose rows are to stay away: which the store's own records say.
//
// Under view id 0, which no view has:
//
//   "erasures"                    u64 how often something was erased, u64 how many fences there are
//   "fence" tag(2, big-endian) digest(32)   i64 rows of this key up to this sequence are passed over
//
// Tag and digest are the key's marks (base/keyed_hash.h): of the key itself nothing is left. All integers but
// the tag are little-endian.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/keyed_hash.h"
#include "base/result.h"
#include "store/online_store.h"

namespace tidemark::lmdb {

class Environment;

inline constexpr std::string_view kErasuresKey("\0\0\0\0erasures", 12);

struct ErasuresRecord {
  std::uint64_t changes = 0;
  std::uint64_t fences = 0;
};
/// Zeros for bytes that are no such record.
ErasuresRecord ReadErasures(std::string_view bytes);

/// How many records of the store's own there are because of erasures.
Result<std::int64_t> CountErasureRecords(MDB_txn* txn, MDB_dbi rows);

/// As OnlineStore::Erase and ForgetErasures, but not synced.
Result<std::int64_t> EraseRows(Environment& environment, std::span<const OnlineErasure> keys);
Result<void> ForgetFences(Environment& environment, std::int64_t sequence_max);

/// The fences as one write transaction sees them.
class Fences {
 public:
  /// Nothing if none stands. kCorruption if the secret's file is gone.
  static Result<std::optional<Fences>> Open(MDB_txn* txn, MDB_dbi rows, const KeyedHashFile& hash);
  Fences(Fences&& other) noexcept;
  Fences& operator=(Fences&&) = delete;
  ~Fences();

  /// True if a row of this key and sequence is to stay away.
  Result<bool> KeepOut(std::string_view key, std::int64_t sequence);

 private:
  Fences(MDB_cursor* cursor, std::shared_ptr<const KeyedHash> hash)
      : cursor_(cursor), hash_(std::move(hash)) {}

  MDB_cursor* cursor_;
  std::shared_ptr<const KeyedHash> hash_;
};

}  // namespace tidemark::lmdb
