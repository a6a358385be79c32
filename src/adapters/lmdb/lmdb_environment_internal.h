// One LMDB environment: snapshots from a pool of reader slots, write transactions, and the growing of the
// map.
#pragma once

#include <lmdb.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/lmdb/lmdb_row_places_internal.h"
#include "adapters/lmdb/lmdb_synced_root_internal.h"
#include "base/function_ref.h"
#include "base/result.h"

namespace tidemark::lmdb {

inline MDB_val ToVal(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}
inline MDB_val ToVal(std::span<const std::byte> bytes) {
  return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}
inline std::string_view ToText(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}
inline std::span<const std::byte> ToBytes(const MDB_val& val) {
  return {static_cast<const std::byte*>(val.mv_data), val.mv_size};
}

/// Thread safe. Lives in the process that opened it; across a fork it is abandoned, never closed: its reader
/// slots and its lock are the parent's.
class Environment {
 public:
  static Result<std::unique_ptr<Environment>> Open(const LmdbOptions& options, const Contents& contents);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// A read transaction, taken from the pool and given back.
  class Snapshot {
   public:
    Snapshot(Environment& environment, std::size_t slot, const Environment* outer)
        : environment_(&environment), slot_(slot), outer_(outer) {}
    Snapshot(Snapshot&& other) noexcept
        : environment_(std::exchange(other.environment_, nullptr)),
          slot_(other.slot_),
          outer_(other.outer_) {}
    Snapshot& operator=(Snapshot&&) = delete;
    ~Snapshot() {
      if (environment_ != nullptr) environment_->EndRead(slot_, outer_);
    }
    MDB_txn* txn() const { return environment_->slots_[slot_].txn; }
    /// Where rows of this snapshot were found by earlier lookups.
    RowPlaces& places() const { return environment_->slots_[slot_].places; }

   private:
    Environment* environment_;
    std::size_t slot_;
    const Environment* outer_;  // what this thread was reading before
  };
  Result<Snapshot> Read();

  /// Runs `body` in a write transaction and commits it. `body` answers an LMDB code (0: go on and commit) or
  /// an error of its own; it may run more than once, because a full map is grown and the transaction begun
  /// anew.
  struct WriteOptions {
    bool may_exceed_limit = false;  // the map may grow a little past the limit: removing needs room too
    bool is_for_later = false;      // on the disk after the next Sync is soon enough (lmdb_ahead.cc)
    std::int64_t rows = 0;          // about so many are changed
  };
  using WriteBody = FunctionRef<Result<int>(MDB_txn* txn)>;
  Result<void> Write(WriteBody body, const WriteOptions& options);

  /// Makes the pages that the last commit freed of use to the next one; LMDB gives them out only to the one
  /// after it, which a store that is full would never reach.
  Result<void> FreeForNextWrite();

  /// Flushes everything committed. A failure is final: the environment refuses writes from then on, because
  /// the system may have dropped the pages that it could not write.
  Result<void> Sync();

  /// Calls `work` within a write transaction that is ended without a commit; `work` looks at the file through
  /// the descriptor, and may overwrite what no snapshot has. `oldest_reader` is the oldest snapshot that
  /// anybody reads, or the newest there is.
  using FileWork = FunctionRef<Result<void>(int fd, std::uint64_t oldest_reader)>;
  Result<void> WorkOnFile(FileWork work);

  MDB_dbi rows() const { return rows_; }
  const Place& place() const { return place_; }
  const std::string& identity() const { return identity_; }
  std::int64_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
  void RaiseLimit(std::int64_t bytes);

 private:
  // Its own cache line: threads take different slots and do not disturb each other.
  struct alignas(64) ReaderSlot {
    std::atomic<bool> is_taken{false};
    MDB_txn* txn = nullptr;  // reset while not taken; null before its first use
    RowPlaces places;
  };

  Environment(MDB_env* env, bool is_read_only, const LmdbOptions& options, const Contents& contents);
  std::unexpected<Error> FailCut(std::int64_t there, std::int64_t wanted) const;
  Result<void> CheckFileLength();
  Result<int> ReadFormat(MDB_txn* txn);
  Result<void> CheckFormat();
  std::size_t TakeSlot();
  int BeginRead(MDB_txn** txn);
  void EndRead(std::size_t slot, const Environment* outer);
  std::int64_t map_bytes() const;
  int Resize(std::int64_t bytes);
  int FollowGrownFile();
  int Grow(std::int64_t most_bytes);
  Result<std::uint64_t> ErasuresOf(MDB_txn* txn) const;
  Result<void> Renew(std::uint64_t erasures);
  Result<void> Reopen();
  Result<std::uint64_t> OldestReader();
  Result<void> CheckUsable() const;
  int ClearReaders();
  Result<void> ClearReadersAtFirst();
  int BeginWrite(MDB_txn** txn);
  std::unexpected<Error> FailWrite(int code, bool was_commit);

  // lmdb_ahead.cc
  enum class Standing : std::uint8_t {
    kSynced,           // the commit syncs what it wrote
    kAhead,            // it does not
    kNeedsCheckpoint,  // before that nothing may be written
  };
  Result<Standing> MakeReady(MDB_txn* txn, const WriteOptions& options, std::unique_lock<std::mutex>& lock);
  Result<Standing> StandingOf(const WriteOptions& options);
  void NoteAhead(std::int64_t rows);
  enum class When : std::uint8_t { kAlways, kIfAhead };
  Result<void> Checkpoint(When when);
  Result<MDB_txn*> PinNewest(const RootRecord& before, Root* root);
  Result<void> SyncData(const RootRecord& before);
  Result<void> BecomeClean(bool even_if_written);
  Result<void> BecomeCleanInTurn(bool even_if_written);
  void DropPin();
  void LetGo();
  void FollowUp();
  void StopFollowing();

  const LmdbOptions options_;  // to open it again
  MDB_env* env_;               // another one after Reopen: used with a reader slot or the writer's mutex held
  int data_fd_ = -1;
  std::uint64_t erasures_seen_ = 0;  // guarded by the writer's mutex
  const bool is_read_only_;          // the folder cannot be written
  const Place place_;
  MDB_dbi rows_ = 0;
  std::string identity_;  // made with the folder's first file
  std::atomic<std::int64_t> limit_bytes_;
  std::mutex checkpoint_mutex_;  // a turn of synced.root, or a closing of env_; before the writer's
  std::mutex writer_mutex_;      // one write transaction, or one change of the map's size, at a time
  std::atomic<bool> has_failed_{false};
  std::vector<ReaderSlot> slots_;

  using Moment = std::chrono::steady_clock::time_point;
  std::unique_ptr<SyncedRoot> root_;  // null: every commit is synced
  BootId boot_{};
  MDB_txn* pin_ = nullptr;        // a snapshot that keeps the synced root's pages; guarded by writer_mutex_
  std::int64_t rows_ahead_ = 0;   // since the last checkpoint of this process; guarded by writer_mutex_
  Moment last_for_later_{};       // when rows for later were last written; guarded by writer_mutex_
  Moment last_checkpoint_{};      // guarded by writer_mutex_
  bool is_followed_ = false;      // the thread is to look; guarded by writer_mutex_
  bool is_over_ = false;          // guarded by writer_mutex_
  std::condition_variable news_;  // of these two, or of many rows ahead
  std::thread follower_;          // syncs what runs ahead when time has passed; made with the first such row
};

}  // namespace tidemark::lmdb
