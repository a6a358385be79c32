// Commits that run ahead of the disk, and the checkpoints that bring the disk up to them.
//
// Rows that need be on the disk only after the next Sync come in small commits, up to a thousand a second;
// syncing each would be most of what it costs, and lookups would see it as late. So when they come often, the
// environment commits them without a sync. A process that is killed loses nothing by that, as the system has
// the pages. A loss of power may leave any of them out, so:
//
//   - the last synced root is kept in synced.root (lmdb_synced_root_internal.h), and whoever opens the folder
//     after another start of the system goes back to it; what was committed behind it is in the callers' log;
//   - none of its pages is used again while it counts: a read transaction of its snapshot, the pin, stays
//     open in the process that wrote the record, its holder. LMDB gives out no page that a reader may see.
//
// A checkpoint makes the newest root the synced one: pin it, sync data.mdb, write the record, end the old
// pin. Whoever makes one becomes the holder; the pin of the one before is of no more use and goes at its next
// look. It is made on Sync, when much has been written, and by a thread of its own once a second or when
// nothing more comes; then the state is clean again, and commits are synced as they always were.
//
// The pin goes with its process, not at once but when LMDB's table of readers is cleared. Who writes has
// LMDB's lock for writers, and looks first whether the holder lives; if not, there is a checkpoint before
// anything is written. Whoever clears the table has that lock, too.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "adapters/lmdb/lmdb_environment_internal.h"

namespace tidemark::lmdb {
namespace {

using std::chrono::milliseconds;

// Rows that come alone are synced at once: that costs less than to begin to run ahead.
constexpr auto kOften = milliseconds(100);
constexpr auto kTick = milliseconds(50);
constexpr auto kAgeMax = milliseconds(1000);
// Each may have changed a page, and pages are not used again before a checkpoint.
constexpr std::int64_t kRowsAheadMax = 4096;
constexpr std::int64_t kRowsAheadAtMost = 4 * kRowsAheadMax;  // then writing waits for the checkpoint
constexpr std::int64_t kRowsOfCommit = 8;                     // what a commit changes beside its rows' pages

class RecordTurn {
 public:
  static Result<RecordTurn> Take(SyncedRoot& root) {
    TM_TRY(root.TakeTurn());
    return RecordTurn(root);
  }
  RecordTurn(RecordTurn&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
  RecordTurn& operator=(RecordTurn&&) = delete;
  ~RecordTurn() {
    if (root_ != nullptr) root_->GiveTurnBack();
  }

 private:
  explicit RecordTurn(SyncedRoot& root) : root_(&root) {}
  SyncedRoot* root_;
};

}  // namespace

// Called within a write transaction, with the writer's mutex held.
Result<Environment::Standing> Environment::StandingOf(const WriteOptions& options) {
  if (root_ == nullptr) return Standing::kSynced;
  TM_ASSIGN(const RootRecord record, root_->Read());
  const bool is_often = std::chrono::steady_clock::now() - last_for_later_ < kOften;
  switch (record.state) {
    case RootRecord::State::kClean: {
      const bool may_run_ahead = options.is_for_later && is_often;
      return may_run_ahead && boot_ != BootId{} ? Standing::kNeedsCheckpoint : Standing::kSynced;
    }
    case RootRecord::State::kAhead: {
      TM_ASSIGN(const bool is_held, record.holder == root_->self() ? Result<bool>(pin_ != nullptr)
                                                                   : root_->IsAlive(record.holder));
      return is_held && rows_ahead_ < kRowsAheadAtMost ? Standing::kAhead : Standing::kNeedsCheckpoint;
    }
    case RootRecord::State::kSuspect:
      break;
  }
  return FailWith(MDB_PANIC, "write", place_);
}

// Called with the writer's mutex held.
void Environment::NoteAhead(std::int64_t rows) {
  rows_ahead_ += rows + kRowsOfCommit;
  const bool is_news = !std::exchange(is_followed_, true) || rows_ahead_ >= kRowsAheadMax;
  if (!follower_.joinable()) follower_ = std::thread([this] { FollowUp(); });
  if (is_news) news_.notify_one();
}

// A snapshot of the newest root, which nobody writes behind meanwhile, and the root.
Result<MDB_txn*> Environment::PinNewest(const RootRecord& before, Root* root) {
  bool is_held = true;
  if (before.state == RootRecord::State::kAhead) {
    TM_ASSIGN(is_held, root_->IsAlive(before.holder));
  }
  const std::lock_guard lock(writer_mutex_);
  MDB_txn* writing = nullptr;
  if (const int code = BeginWrite(&writing); code != 0) return FailWith(code, "make a checkpoint", place_);
  int cleared = 0;
  MDB_txn* pin = nullptr;
  int code = is_held ? 0 : mdb_reader_check(env_, &cleared);
  if (code == 0) code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &pin);
  if (code == MDB_READERS_FULL && mdb_reader_check(env_, &cleared) == 0)
    code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &pin);
  auto newest = ReadNewestRoot(data_fd_, place_);
  const std::uint64_t snapshot = mdb_txn_id(writing) - 1;
  mdb_txn_abort(writing);
  if (code != 0) return FailWith(code, "make a checkpoint", place_);
  if (newest && newest->snapshot() == snapshot && mdb_txn_id(pin) == snapshot) {
    *root = *newest;
    rows_ahead_ = 0;
    return pin;
  }
  mdb_txn_abort(pin);
  if (!newest) return std::unexpected(std::move(newest).error());
  return FailWith(MDB_CORRUPTED, "make a checkpoint", place_);
}

// A failure is final, and after it the pages that the system may have dropped are not to be used by anybody.
Result<void> Environment::SyncData(const RootRecord& before) {
  // Not mdb_env_sync, which looks into the map and could meet a change of its size.
  if (::fdatasync(data_fd_) == 0) return {};
  auto failed = FailWith(errno, "sync", place_);
  has_failed_.store(true, std::memory_order_relaxed);
  if (root_ != nullptr && before.state == RootRecord::State::kAhead) {
    RootRecord suspect = before;
    suspect.state = RootRecord::State::kSuspect;
    if (const auto marked = root_->Write(suspect); !marked) {
      failed.error().message += fmt::format(
          "; nor could that be noted ({}): start the system anew before the "
          "store is opened again",
          marked.error().message);
    }
  }
  return failed;
}

Result<void> Environment::Checkpoint(When when) {
  const std::lock_guard checkpoint_lock(checkpoint_mutex_);
  TM_TRY(CheckUsable());
  TM_ASSIGN(const RecordTurn turn, RecordTurn::Take(*root_));
  TM_ASSIGN(const RootRecord before, root_->Read());
  if (before.state == RootRecord::State::kSuspect) return FailWith(MDB_PANIC, "sync", place_);
  if (when == When::kIfAhead && before.state == RootRecord::State::kClean) return SyncData(before);
  RootRecord next{
      .sequence = 0, .state = RootRecord::State::kAhead, .boot = boot_, .holder = root_->self(), .root = {}};
  TM_ASSIGN(MDB_txn* const pin, PinNewest(before, &next.root));
  auto done = SyncData(before);
  if (done) done = root_->Write(next);
  const std::lock_guard lock(writer_mutex_);
  if (done) {
    DropPin();
    pin_ = pin;
    last_checkpoint_ = std::chrono::steady_clock::now();
    return {};
  }
  // Whichever record the disk has now, the older snapshot keeps its pages as well.
  has_failed_.store(true, std::memory_order_relaxed);
  if (pin_ == nullptr) {
    pin_ = pin;
  } else {
    mdb_txn_abort(pin);
  }
  return done;
}

// Called with the writer's mutex held, or by the last user.
void Environment::DropPin() {
  if (pin_ != nullptr) mdb_txn_abort(std::exchange(pin_, nullptr));
}

Result<void> Environment::BecomeClean(bool even_if_written) {
  const std::lock_guard checkpoint_lock(checkpoint_mutex_);
  return BecomeCleanInTurn(even_if_written);
}

// Ends the running ahead if it is this process that holds the root, and nothing was written behind it.
// Called with the mutex of checkpoints held. A pin that is of no use goes.
Result<void> Environment::BecomeCleanInTurn(bool even_if_written) {
  TM_ASSIGN(const RecordTurn turn, RecordTurn::Take(*root_));
  TM_ASSIGN(RootRecord record, root_->Read());
  const std::lock_guard lock(writer_mutex_);
  if (record.state != RootRecord::State::kAhead || record.holder != root_->self()) {
    if (record.state != RootRecord::State::kSuspect) DropPin();
    is_followed_ = false;
    return {};
  }
  MDB_txn* writing = nullptr;  // nobody else commits while it is open
  if (const int code = BeginWrite(&writing); code != 0) return FailWith(code, "sync", place_);
  const bool is_written = mdb_txn_id(writing) - 1 != record.root.snapshot();
  Result<void> done;
  if (even_if_written || !is_written) {
    done = SyncData(record);
    record.state = RootRecord::State::kClean;
    record.holder = 0;
    if (done) done = root_->Write(record);
    if (done) DropPin();
    if (!done) has_failed_.store(true, std::memory_order_relaxed);
    is_followed_ = false;
  }
  mdb_txn_abort(writing);
  return done;
}

// Ends a pin that keeps nothing: another process has made a checkpoint since.
void Environment::LetGo() {
  const std::lock_guard checkpoint_lock(checkpoint_mutex_);
  const auto record = root_->Read();
  if (!record || record->state == RootRecord::State::kSuspect || record->holder == root_->self()) return;
  const std::lock_guard lock(writer_mutex_);
  DropPin();
  is_followed_ = false;
}

// What the thread does. Errors that last are those of the next write or Sync, too.
void Environment::FollowUp() {
  std::unique_lock lock(writer_mutex_);
  std::size_t seen = 0;
  while (true) {
    news_.wait(lock, [this] { return is_over_ || is_followed_; });
    news_.wait_for(lock, kTick, [this] { return is_over_ || rows_ahead_ >= kRowsAheadMax; });
    if (is_over_) return;
    MDB_envinfo info{};
    mdb_env_info(env_, &info);
    const bool is_idle = std::exchange(seen, info.me_last_txnid) == info.me_last_txnid;
    const bool is_due =
        rows_ahead_ >= kRowsAheadMax || std::chrono::steady_clock::now() - last_checkpoint_ > kAgeMax;
    lock.unlock();
    LetGo();
    Result<void> done;
    if (is_idle) done = BecomeClean(/*even_if_written=*/false);
    lock.lock();
    const bool is_ahead = is_followed_ && pin_ != nullptr;
    if (done && is_ahead && (is_idle || is_due)) {
      lock.unlock();
      done = Checkpoint(When::kAlways);
      lock.lock();
    }
    if (has_failed_.load(std::memory_order_relaxed)) is_followed_ = false;
    if (!done) news_.wait_for(lock, kTick, [this] { return is_over_; });
  }
}

// After the environment was opened.
Result<void> Environment::ClearReadersAtFirst() {
  int cleared = 0;
  const auto clear = [&]() -> Result<void> {
    const int code = mdb_reader_check(env_, &cleared);
    return code == 0 ? Result<void>() : FailWith(code, "clear readers", place_);
  };
  if (!place_.contents->may_run_ahead) return clear();
  if (root_ == nullptr) return {};  // who may only read cannot keep a writer away meanwhile
  TM_ASSIGN(const RecordTurn turn, RecordTurn::Take(*root_));
  TM_ASSIGN(const RootRecord record, root_->Read());
  // Else the next checkpoint does it, if a holder has died.
  return record.state == RootRecord::State::kClean ? clear() : Result<void>();
}

void Environment::StopFollowing() {
  {
    const std::lock_guard lock(writer_mutex_);
    is_over_ = true;
  }
  news_.notify_one();
  if (follower_.joinable()) follower_.join();
}

}  // namespace tidemark::lmdb
