// Where the latest row of each entity is kept for lookups.
//
// Values are packed rows (packed_row.h). A store keeps, for each key, the greatest row by the order of
// pit/rule.h, deleted and expired ones included: merging is commutative and idempotent, so late, repeated and
// shuffled writes end in the same state. ttl and deletion are applied by the reader.
//
// Keys are full keys by model/key_codec.h everywhere in this interface. Long ones are shortened inside the
// store, which compares the full key that the row carries, so that two keys never share a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/function_ref.h"
#include "base/keyed_hash.h"
#include "base/result.h"

namespace tidemark {

/// One row to merge. The views must stay valid during the call.
struct OnlineWrite {
  std::string_view key;              // the full key
  std::span<const std::byte> value;  // the row that was packed for this key
};

struct MergeCounts {
  std::int64_t written = 0;  // was greater than what was there, or nothing was there
  std::int64_t kept = 0;     // what was there is greater or the same row
  bool operator==(const MergeCounts&) const = default;
};

struct MergeOptions {
  bool durable = false;  // on the disk when the call returns; otherwise after the next Sync
  bool replaces_damaged =
      false;  // a stored row whose checksum does not hold gives way to the one that is written
  std::int64_t replaces_before = 0;  // so does one of a sequence (write_time) before this: it counts no more
};

/// A key whose rows are to be gone, and to stay away.
struct OnlineErasure {
  KeyMark mark;
  std::string_view key;           // the full key; empty if it is not known: then only what comes is refused
  std::int64_t sequence_max = 0;  // rows up to this sequence (write_time)
};

struct OnlineStats {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::int64_t bytes_max = 0;  // the set limit; 0: none
};

/// Thread safe; several processes may use one store at the same time, and a process may fork. Visitors run
/// while the store holds a snapshot: they must not call the store, nor throw. A key without the view's id in
/// front (ids begin at 1) is kInvalidArgument.
class OnlineStore {
 public:
  virtual ~OnlineStore() = default;

  /// Looks every key up in one consistent snapshot and calls `visit(index, value)` in the order of `keys`,
  /// with an empty span for an absent key. The bytes are valid only during the call: decode in place. A value
  /// whose checksum does not hold is kCorruption and names the key; keys before it have been visited then.
  using Visitor = FunctionRef<void(std::size_t index, std::span<const std::byte> value)>;
  virtual Result<void> Get(std::span<const std::string_view> keys, Visitor visit) const = 0;

  /// Merges rows, all or none. Fast when `writes` are in ascending order of key. Concurrent durable calls
  /// share a sync (group commit). kOutOfSpace when the limit or the disk is full; then nothing of this call
  /// is written. kCorruption when a row that is there already is damaged: it is not overwritten, because it
  /// may be the greater one, unless `replaces_damaged`: nothing in it can be trusted, its order neither, so
  /// that any row goes before it. kInvalidArgument for a value that is not the row of its key.
  virtual Result<MergeCounts> Merge(std::span<const OnlineWrite> writes, const MergeOptions& options) = 0;

  /// Everything merged so far is on the disk when this returns.
  virtual Result<void> Sync() = 0;

  /// Removes every row whose key starts with `prefix` (a view's id; empty: all rows), damaged ones too, in
  /// steps that do not block readers. Returns how many there were. An interrupted removal can be repeated.
  virtual Result<std::int64_t> RemovePrefix(std::string_view prefix) = 0;

  /// Removes the rows with the prefix whose checksum does not hold, and returns how many there were. For the
  /// end of a load that has written all rows again: those that are still damaged then are nobody's.
  virtual Result<std::int64_t> RemoveDamaged(std::string_view prefix) = 0;

  /// Removes the rows with the prefix that are of a sequence (write_time) before this, in steps that do not
  /// block readers, and returns how many there were.
  virtual Result<std::int64_t> RemoveBefore(std::string_view prefix, std::int64_t sequence) = 0;

  /// Removes rows, and from then on passes over rows of these keys, up to these sequences, that are merged:
  /// whoever writes late brings nothing back; they count as kept. Of a key that is erased twice the greater
  /// sequence holds. Durable when the call returns. Returns how many rows there were.
  virtual Result<std::int64_t> Erase(std::span<const OnlineErasure> keys) = 0;

  /// Overwrites what rows that were removed or replaced have left in the store's files, and waits until that
  /// is on the disk. False if a reader that was there before still sees some of it: try again later.
  virtual Result<bool> ScrubRemoved() = 0;

  /// Forgets erasures up to a sequence: nobody can write such rows any more.
  virtual Result<void> ForgetErasures(std::int64_t sequence_max) = 0;

  /// Visits rows with the prefix in key order (long keys: in the order of their stored forms) until `visit`
  /// answers false. One consistent snapshot. `prefix` has at most kOnlineKeyPrefixBytes.
  using RowVisitor = FunctionRef<bool(std::string_view key, std::span<const std::byte> value)>;
  Result<void> Scan(std::string_view prefix, RowVisitor visit) const { return ScanAfter(prefix, {}, visit); }
  /// The same from the row on that comes after the full key `after`, which need not be there (any more);
  /// empty: from the first.
  virtual Result<void> ScanAfter(std::string_view prefix, std::string_view after, RowVisitor visit) const = 0;

  virtual Result<OnlineStats> Stats() const = 0;

  /// An opaque text that was given to this store when it was made and that no other has: what was noted of
  /// another store's contents does not hold for this one.
  virtual const std::string& identity() const = 0;
};

}  // namespace tidemark
