// Which root of the tree a loss of power goes back to, while commits run ahead of the disk.
//
//   folder/synced.root   two records, at 0 and 4096, written in turn; the valid one of the greater sequence
//                        counts. None: "clean".
//
//   a record    0  8  "tmroot 1"           40  u64 holder, 0: nobody    312  u32 CRC32C of what is before it
//               8  u64 sequence            48  u64 bytes of the root
//              16  u32 state               56  the root: the first bytes of a meta page of data.mdb
//              20  u32 -, 24 16 run of the system, and of data.mdb
//
// Integers are little-endian. Bytes of the file that are locked while something goes on:
//
//   0                   somebody writes a record; taken before the writers' lock of LMDB
//   1                   shared: the folder is open for writing; alone: it is brought back to the root
//   2 + holder          the process whose snapshot keeps the root's pages from being used again
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/lmdb/lmdb_error_internal.h"
#include "base/lock_file.h"
#include "base/result.h"

namespace tidemark::lmdb {

/// What the system is known by from one start to the next; zeros if it does not tell.
using BootId = std::array<std::byte, 16>;
BootId ThisBoot();
/// For tests: what ThisBoot answers from now on in this process, and in its children.
void SetBootForTests(const BootId& boot);
/// The same for one file: what was written to it in this run of the system is in it. A copy, or a snapshot of
/// its disk, is another file. Zeros if the system, or the file, is not known.
BootId RunOf(const std::string& path);

/// The part of a meta page that says where its trees are.
inline constexpr std::size_t kRootBytes = 152;
struct Root {
  std::array<std::byte, kRootBytes> bytes{};

  std::uint64_t snapshot() const;
  std::size_t page_bytes() const;
  /// The same trees, as an older snapshot.
  Root OneOlder() const;
};
/// The newest root in the file. Nobody may write to it meanwhile.
Result<Root> ReadNewestRoot(int fd, const Place& place);

struct RootRecord {
  enum class State : std::uint32_t {
    kClean = 0,    // what is in the file holds after a loss of power
    kAhead = 1,    // the root holds, what was committed behind it may be torn by a loss of power
    kSuspect = 2,  // the same, and the disk has failed since: what is behind it is not to be used
  };
  std::uint64_t sequence = 0;
  State state = State::kClean;
  BootId boot{};  // RunOf data.mdb
  std::uint64_t holder = 0;
  Root root{};

  /// Whether the file has to be brought back to the root before it is used.
  bool is_behind(const BootId& now) const {
    return state == State::kSuspect || (state == State::kAhead && boot != now);
  }
};

/// The file of records. Thread safe but for Write and GoBack.
class SyncedRoot {
 public:
  /// Makes the file if it is not there. If the last system ended with commits ahead of the disk, data.mdb is
  /// brought back to the root; then nobody else may have the folder open: kBusy.
  static Result<std::unique_ptr<SyncedRoot>> Open(const Place& place);
  /// For who may only read: kIo if the folder has to be opened for writing first.
  static Result<void> CheckToRead(const Place& place);
  ~SyncedRoot();
  SyncedRoot(const SyncedRoot&) = delete;
  SyncedRoot& operator=(const SyncedRoot&) = delete;

  /// The record that counts.
  Result<RootRecord> Read() const;
  /// Puts a record in the place of the one that counts no more, with the next sequence; on the disk when it
  /// returns. Called within Alone.
  Result<void> Write(RootRecord record);

  /// Waits for the right to write records; given back by GiveBack. Threads of a process keep each other out
  /// by themselves.
  Result<void> TakeTurn() { return locks_->Lock(kTurn); }
  void GiveTurnBack() { locks_->Unlock(kTurn); }

  /// Who this is, as a holder.
  std::uint64_t self() const { return self_; }
  /// False if the process, or what it had open, is gone.
  Result<bool> IsAlive(std::uint64_t holder) const;

 private:
  static constexpr off_t kTurn = 0;
  static constexpr off_t kOpen = 1;
  static constexpr off_t kHolders = 2;

  SyncedRoot(Place place, std::unique_ptr<LockFile> locks, int fd);
  Result<void> Begin();
  Result<void> GoBack(const Root& root);

  const Place place_;
  const std::unique_ptr<LockFile> locks_;
  const int fd_;
  std::uint64_t self_ = 0;
};

}  // namespace tidemark::lmdb
