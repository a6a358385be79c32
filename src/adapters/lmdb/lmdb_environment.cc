// Opening, snapshots, write transactions and growth of one LMDB environment.
//
// LMDB lets a process change the size of its map only while it has no transaction. Every transaction of this
// process holds a reader slot or the writer's mutex, so a change of size takes them all.
#include "adapters/lmdb/lmdb_environment_internal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include "adapters/lmdb/lmdb_erasures_internal.h"
#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_guard_internal.h"
#include "base/check.h"
#include "base/file_descriptor.h"

namespace tidemark::lmdb {
namespace {

constexpr std::int64_t kLeastMapBytes = std::int64_t{1} << 20;
constexpr std::int64_t kRemovalRoomBytes = std::int64_t{16} << 20;
constexpr std::size_t kSlotsMax = 64;
constexpr unsigned kPinsMax = 32;  // reader slots beyond those of lookups

// View id 0 in front: no view's row can have this key.
constexpr std::string_view kFormatKey("\0\0\0\0format", 10);
constexpr std::string_view kIdentityKey("\0\0\0\0identity", 12);

// The environment that this thread reads; a visitor that calls the store again would wait for itself.
thread_local const Environment* t_reading = nullptr;

std::string DataFile(const std::string& folder) {
  return folder + "/data.mdb";
}

// LMDB itself never syncs the folder that its files are new in.
Result<void> SyncNewFiles(const Place& place) {
  const std::string& folder = place.folder;
  const std::string parent = std::filesystem::path(folder).parent_path().string();
  int code = SyncPath(folder);
  // The parent may be one that this user cannot read; then the folder was not made by us just now.
  if (const int parent_code = SyncPath(parent); code == 0 && parent_code != EACCES) code = parent_code;
  return code == 0 ? Result<void>{} : FailWith(code, "sync the folder", place);
}

std::int64_t PageBytes() {
  return static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
}

std::int64_t RoundToPage(std::int64_t bytes) {
  return (bytes + PageBytes() - 1) / PageBytes() * PageBytes();
}

// True if the process may map that much more. LMDB unmaps before it maps, and cannot go back if that fails.
bool HasAddressSpace(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  void* at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return false;
  ::munmap(at, size);
  return true;
}

int OpenEnv(const LmdbOptions& options, std::int64_t map_bytes, unsigned access, MDB_env** env) {
  int code = mdb_env_create(env);
  if (code != 0) return code;
  if (code == 0) code = mdb_env_set_maxreaders(*env, options.readers_max + kPinsMax);
  if (code == 0) code = mdb_env_set_mapsize(*env, static_cast<std::size_t>(map_bytes));
  if (code == 0) code = mdb_env_set_assert(*env, &OnAssertion);
  // NOTLS: a read transaction belongs to a slot of our pool, not to a thread.
  if (code == 0) code = mdb_env_open(*env, options.folder.c_str(), MDB_NOTLS | MDB_NOMETASYNC | access, 0644);
  if (code != 0) mdb_env_close(*env);
  return code;
}

bool MayNotWrite(int code) {
  return code == EACCES || code == EPERM || code == EROFS;
}

// Opens the folder for writing, or else for reading only. Reading takes a slot in the lock file; where that
// file cannot be written either, nobody who writes would see the reader, and the folder must be one that
// nobody writes: a read-only mount, an image, a copy.
int OpenEnvAnyway(const LmdbOptions& options, std::int64_t map_bytes, bool* is_read_only, MDB_env** env) {
  const int refused = OpenEnv(options, map_bytes, 0, env);
  if (!MayNotWrite(refused)) return refused;
  *is_read_only = true;
  for (const unsigned access : {MDB_RDONLY, MDB_RDONLY | MDB_NOLOCK}) {
    const int code = OpenEnv(options, map_bytes, access, env);
    if (code == 0 || code == ENOMEM) return code;
  }
  return refused;  // there is no store in it, or one that this user may not read either
}

// A lookup ends within microseconds, a scan may take long.
void Pause(std::size_t tries) {
  if (tries < 100) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

Result<void> CheckOptions(const LmdbOptions& options, const Contents& contents) {
  if (options.map_bytes_max < kLeastMapBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the {}'s limit is {} bytes; give at least {}", contents.name,
                            options.map_bytes_max, kLeastMapBytes));
  }
  if (options.readers_max == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the {}'s readers_max is 0; give at least 1", contents.name));
  }
  return {};
}

// True if all pages [begin, end) are in LMDB's list of free pages: its database 0, whose values are arrays of
// page numbers behind their count.
bool AreFreePages(MDB_env* env, std::int64_t begin, std::int64_t end) {
  MDB_txn* txn = nullptr;  // LMDB shows database 0 to readers only
  if (mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) != 0) return false;
  MDB_cursor* cursor = nullptr;
  MDB_val key{};
  MDB_val value{};
  std::int64_t found = 0;
  const auto is_asked_for = [&](std::size_t page) {
    return page >= static_cast<std::size_t>(begin) && page < static_cast<std::size_t>(end);
  };
  int code = mdb_cursor_open(txn, 0, &cursor);
  if (code == 0) code = CursorGet(cursor, &key, &value, MDB_FIRST);
  for (; code == 0; code = CursorGet(cursor, &key, &value, MDB_NEXT)) {
    std::vector<std::size_t> pages(value.mv_size / sizeof(std::size_t));
    std::memcpy(pages.data(), value.mv_data, pages.size() * sizeof(std::size_t));
    if (pages.empty() || pages[0] >= pages.size()) break;
    pages.resize(pages[0] + 1);
    found += std::count_if(pages.begin() + 1, pages.end(), is_asked_for);
  }
  if (cursor != nullptr) mdb_cursor_close(cursor);
  mdb_txn_abort(txn);
  return code == MDB_NOTFOUND && found >= end - begin;
}

}  // namespace

Environment::Environment(MDB_env* env, bool is_read_only, const LmdbOptions& options,
                         const Contents& contents)
    : options_(options),
      env_(env),
      is_read_only_(is_read_only),
      place_{.folder = options.folder, .contents = &contents},
      limit_bytes_(RoundToPage(options.map_bytes_max)),
      slots_(std::min<std::size_t>(kSlotsMax, options.readers_max)) {}

Result<std::unique_ptr<Environment>> Environment::Open(const LmdbOptions& options, const Contents& contents) {
  TM_TRY(CheckOptions(options, contents));
  const Place place{.folder = options.folder, .contents = &contents};
  std::error_code made;
  const bool is_new = std::filesystem::create_directories(options.folder, made);
  if (made) return FailWith(made.value(), "make the folder", place);

  std::unique_ptr<SyncedRoot> root;
  if (contents.may_run_ahead) {
    // Before anybody looks into data.mdb.
    auto opened = SyncedRoot::Open(place);
    if (opened) {
      root = *std::move(opened);
    } else if (opened.error().code != ErrorCode::kIo) {
      return std::unexpected(std::move(opened).error());
    } else if (auto readable = SyncedRoot::CheckToRead(place); !readable) {
      return std::unexpected(std::move(readable).error());
    }
  }

  const std::int64_t limit = RoundToPage(options.map_bytes_max);
  std::int64_t map_bytes = options.map_bytes_initial == 0
                               ? limit
                               : std::clamp(RoundToPage(options.map_bytes_initial), kLeastMapBytes, limit);
  MDB_env* env = nullptr;
  bool is_read_only = false;
  int code = OpenEnvAnyway(options, map_bytes, &is_read_only, &env);
  while (code == ENOMEM && map_bytes > kLeastMapBytes) {
    map_bytes = std::max(kLeastMapBytes, RoundToPage(map_bytes / 2));
    code = OpenEnvAnyway(options, map_bytes, &is_read_only, &env);
  }
  if (code != 0) return FailWith(code, "open it", place);

  std::unique_ptr<Environment> opened(new Environment(env, is_read_only, options, contents));
  if (is_read_only) {
    root.reset();
  } else if (contents.may_run_ahead && root == nullptr) {
    return Fail(ErrorCode::kIo,
                fmt::format("{} {}: this user may write data.mdb, but not synced.root beside it",
                            contents.name, options.folder));
  }
  opened->root_ = std::move(root);
  opened->boot_ = RunOf(DataFile(options.folder));
  // Slots of processes that died would keep old pages from being used again.
  TM_TRY(opened->ClearReadersAtFirst());
  opened->data_fd_ = ::open(DataFile(options.folder).c_str(), (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (opened->data_fd_ < 0) return FailWith(errno, "open its file", place);
  TM_TRY(opened->CheckFileLength());
  TM_TRY(opened->CheckFormat());
  if (is_new) TM_TRY(SyncNewFiles(place));
  return opened;
}

Environment::~Environment() {
  StopFollowing();
  if (root_ != nullptr && !has_failed_.load()) {
    // Else the next one to open it does what is to be done.
    if (auto clean = BecomeClean(/*even_if_written=*/true); !clean) has_failed_.store(true);
  }
  DropPin();
  for (ReaderSlot& slot : slots_) {
    if (slot.txn != nullptr) mdb_txn_abort(slot.txn);
  }
  mdb_env_close(env_);
  if (data_fd_ >= 0) ::close(data_fd_);
}

// A file may end before the last page that was given out, if those behind its end are free and were never
// written. Any other short file was cut, and reading behind its end would kill the process.
Result<void> Environment::CheckFileLength() {
  const auto bytes_missing = [this](std::int64_t* wanted, std::int64_t* there) {
    MDB_envinfo info{};
    MDB_stat about{};
    struct stat file{};
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &about);
    if (::stat(DataFile(place_.folder).c_str(), &file) != 0) return errno;
    *wanted = static_cast<std::int64_t>((info.me_last_pgno + 1) * about.ms_psize);
    *there = file.st_size;
    return 0;
  };
  std::int64_t wanted = 0;
  std::int64_t there = 0;
  if (const int code = bytes_missing(&wanted, &there); code != 0)
    return FailWith(code, "look at its file", place_);
  if (there >= wanted) return {};
  if (is_read_only_) return FailCut(there, wanted);
  // Under the writers' lock, so that no other process makes the file longer meanwhile.
  return Write(
      [&](MDB_txn*) -> Result<int> {
        if (const int code = bytes_missing(&wanted, &there); code != 0 || there >= wanted) return code;
        // The list of free pages may itself be among what is missing: zeros are no page, and that is found.
        if (::truncate(DataFile(place_.folder).c_str(), wanted) != 0) return errno;
        if (AreFreePages(env_, there / PageBytes(), wanted / PageBytes())) return 0;
        if (::truncate(DataFile(place_.folder).c_str(), there) != 0) return errno;
        return FailCut(there, wanted);
      },
      {});
}

std::unexpected<Error> Environment::FailCut(std::int64_t there, std::int64_t wanted) const {
  return Fail(ErrorCode::kCorruption,
              fmt::format("{} was cut short: it has {} of {} bytes; {}", DataFile(place_.folder), there,
                          wanted, place_.contents->when_damaged));
}

Result<int> Environment::ReadFormat(MDB_txn* txn) {
  identity_.clear();
  if (const int code = mdb_dbi_open(txn, nullptr, 0, &rows_); code != 0) return code;
  MDB_stat about{};
  if (const int code = mdb_stat(txn, rows_, &about); code != 0) return code;
  if (about.ms_entries == 0) return 0;
  MDB_val key = ToVal(kFormatKey);
  MDB_val found{};
  const int code = lmdb::Get(txn, rows_, &key, &found);
  if (code == MDB_NOTFOUND) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} is an LMDB file, but not Tidemark's {}: give the {} a folder of its own",
                            DataFile(place_.folder), place_.contents->name, place_.contents->owner));
  }
  if (code != 0) return code;
  if (ToText(found) != place_.contents->format) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} has the format '{}', this version of Tidemark knows '{}': use a newer one",
                            DataFile(place_.folder), ToText(found), place_.contents->format));
  }
  key = ToVal(kIdentityKey);
  if (const int id_code = lmdb::Get(txn, rows_, &key, &found); id_code != 0) return id_code;
  identity_ = ToText(found);
  // What was erased before the environment was opened is in none of its buffers.
  key = ToVal(kErasuresKey);
  const int erased_code = lmdb::Get(txn, rows_, &key, &found);
  if (erased_code == 0) erasures_seen_ = ReadErasures(ToText(found)).changes;
  return erased_code == MDB_NOTFOUND ? 0 : erased_code;
}

Result<void> Environment::CheckFormat() {
  {
    TM_ASSIGN(const Snapshot snapshot, Read());
    TM_ASSIGN(const int code, ReadFormat(snapshot.txn()));
    if (code != 0) return FailWith(code, "read its format", place_);
  }
  if (!identity_.empty()) return {};
  return Write(
      [this](MDB_txn* txn) -> Result<int> {
        TM_ASSIGN(int code, ReadFormat(txn));  // again: another process may have been faster
        if (code != 0 || !identity_.empty()) return code;
        std::string identity;
        std::random_device random;
        for (int i = 0; i < 4; ++i)
          identity += fmt::format("{:08x}", random());
        for (const auto& [name, text] : {std::pair(kFormatKey, place_.contents->format),
                                         std::pair(kIdentityKey, std::string_view(identity))}) {
          MDB_val key = ToVal(name);
          MDB_val value = ToVal(text);
          if (code = mdb_put(txn, rows_, &key, &value, 0); code != 0) return code;
        }
        return ReadFormat(txn);
      },
      {});
}

void Environment::RaiseLimit(std::int64_t bytes) {
  const std::int64_t wanted = RoundToPage(bytes);
  std::int64_t limit = limit_bytes();
  while (limit < wanted && !limit_bytes_.compare_exchange_weak(limit, wanted)) {
  }
}

std::int64_t Environment::map_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return static_cast<std::int64_t>(info.me_mapsize);
}

Result<void> Environment::CheckUsable() const {
  TM_CHECK(t_reading != this, "a visitor of the online store called the store");
  if (is_read_only_) {
    return Fail(
        ErrorCode::kIo,
        fmt::format("{} {}: it can only be read: this user may not write the folder, or the files "
                    "data.mdb and lock.mdb in it, or its disk is mounted read-only; nothing was written",
                    place_.contents->name, place_.folder));
  }
  if (has_failed_.load(std::memory_order_relaxed)) return FailWith(MDB_PANIC, "write", place_);
  return {};
}

std::size_t Environment::TakeSlot() {
  static std::atomic<std::size_t> next_thread{0};
  static thread_local const std::size_t first = next_thread.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t tries = 0;; ++tries) {
    const std::size_t slot = (first + tries) % slots_.size();
    std::atomic<bool>& is_taken = slots_[slot].is_taken;
    if (!is_taken.load(std::memory_order_relaxed) && !is_taken.exchange(true, std::memory_order_acquire))
      return slot;
    if (tries % slots_.size() == slots_.size() - 1) Pause(tries / slots_.size());
  }
}

int Environment::BeginRead(MDB_txn** txn) {
  if (*txn == nullptr) return mdb_txn_begin(env_, nullptr, MDB_RDONLY, txn);
  const int code = mdb_txn_renew(*txn);
  if (code != 0) mdb_txn_abort(std::exchange(*txn, nullptr));
  return code;
}

Result<Environment::Snapshot> Environment::Read() {
  TM_CHECK(t_reading != this, "a visitor of the online store called the store");
  for (bool has_cleared = false;;) {
    const std::size_t slot = TakeSlot();
    const int code = BeginRead(&slots_[slot].txn);
    if (code == 0) {
      return Snapshot(*this, slot, std::exchange(t_reading, this));
    }
    slots_[slot].txn = nullptr;
    slots_[slot].is_taken.store(false, std::memory_order_release);
    if (code == MDB_MAP_RESIZED) {
      const std::lock_guard lock(writer_mutex_);
      if (const int grown = FollowGrownFile(); grown != 0)
        return FailWith(grown, "follow its growth", place_);
    } else if (code == MDB_READERS_FULL && !has_cleared) {
      ClearReaders();  // if it fails there is no slot either
      has_cleared = true;
    } else {
      return FailWith(code, "begin to read", place_);
    }
  }
}

void Environment::EndRead(std::size_t slot, const Environment* outer) {
  t_reading = outer;
  mdb_txn_reset(slots_[slot].txn);
  slots_[slot].is_taken.store(false, std::memory_order_release);
}

// Called with the writer's mutex held and no write transaction open.
int Environment::Resize(std::int64_t bytes) {
  if (!HasAddressSpace(bytes)) return ENOMEM;
  for (ReaderSlot& slot : slots_) {
    for (std::size_t tries = 0; slot.is_taken.exchange(true, std::memory_order_acquire); ++tries)
      Pause(tries);
  }
  const int code = mdb_env_set_mapsize(env_, static_cast<std::size_t>(bytes));
  TM_CHECK(code == 0, "the online store's map was given up and cannot be mapped again");
  for (ReaderSlot& slot : slots_) {
    slot.places.Forget();
    slot.is_taken.store(false, std::memory_order_release);
  }
  return 0;
}

// Another process has grown the map and filled it further than ours reaches. LMDB raises what is asked for to
// what the last commit needs.
int Environment::FollowGrownFile() {
  struct stat file{};
  if (::stat(DataFile(place_.folder).c_str(), &file) != 0) return errno;
  const std::int64_t roomy = RoundToPage(std::max(map_bytes(), 2 * static_cast<std::int64_t>(file.st_size)));
  if (const int code = Resize(roomy); code != ENOMEM) return code;
  return Resize(RoundToPage(std::max(map_bytes(), static_cast<std::int64_t>(file.st_size))));
}

int Environment::Grow(std::int64_t most_bytes) {
  const std::int64_t now_bytes = map_bytes();
  if (now_bytes >= most_bytes) return MDB_MAP_FULL;
  return Resize(std::min(2 * now_bytes, most_bytes));
}

// Called with the writer's mutex held.
int Environment::BeginWrite(MDB_txn** txn) {
  int code = mdb_txn_begin(env_, nullptr, 0, txn);
  while (code == MDB_MAP_RESIZED) {
    code = FollowGrownFile();
    if (code == 0) code = mdb_txn_begin(env_, nullptr, 0, txn);
  }
  return code;
}

// Of processes that died. Who writes relies on the slots of the one that holds the synced root, and looks
// whether that one lives before it does: so nobody may be writing now.
int Environment::ClearReaders() {
  int cleared = 0;
  if (is_read_only_) return 0;  // cannot keep others from writing; one who writes does it
  const std::lock_guard lock(writer_mutex_);
  MDB_txn* txn = nullptr;
  int code = BeginWrite(&txn);
  if (code != 0) return code;
  code = mdb_reader_check(env_, &cleared);
  mdb_txn_abort(txn);
  return code;
}

Result<void> Environment::Write(WriteBody body, const WriteOptions& options) {
  TM_TRY(CheckUsable());
  std::unique_lock lock(writer_mutex_);
  const std::int64_t most_bytes = limit_bytes() + (options.may_exceed_limit ? kRemovalRoomBytes : 0);
  bool has_checkpoint = false;
  for (bool has_grown = false;;) {
    TM_TRY(CheckUsable());
    MDB_txn* txn = nullptr;
    int code = mdb_txn_begin(env_, nullptr, 0, &txn);
    bool was_commit = false;
    bool is_ahead = false;
    if (code == 0) {
      const auto ready = MakeReady(txn, options, lock);
      if (!ready) return std::unexpected(ready.error());
      if (*ready == Standing::kNeedsCheckpoint) continue;
      is_ahead = *ready == Standing::kAhead;
      Result<int> ran = body(txn);
      if (!ran || *ran != 0) mdb_txn_abort(txn);
      if (!ran)
        return std::unexpected(
            std::move(ran).error().In(fmt::format("{} {}", place_.contents->name, place_.folder)));
      was_commit = *ran == 0;
      code = was_commit ? mdb_txn_commit(txn) : *ran;
    }
    if (code == 0) {
      if (is_ahead) NoteAhead(options.rows);
      // Its end counts: the slower the disk, the more a commit without a sync is worth.
      if (options.is_for_later) last_for_later_ = std::chrono::steady_clock::now();
      // The room that a removal borrowed is not for rows.
      if (options.may_exceed_limit && has_grown && map_bytes() > limit_bytes()) Resize(limit_bytes());
      return {};
    }
    if (code == MDB_MAP_RESIZED) code = FollowGrownFile();
    if (code == MDB_MAP_FULL) {
      code = Grow(most_bytes);
      has_grown = code == 0;
    }
    if (code == MDB_MAP_FULL && is_ahead && !std::exchange(has_checkpoint, true)) {
      // Pages that were freed since the last one are of use again after it.
      lock.unlock();
      TM_TRY(Checkpoint(When::kAlways));
      lock.lock();
      code = 0;
    }
    if (code != 0) return FailWrite(code, was_commit);
  }
}

// Looks whether the transaction that was begun may write, and how it is to be committed. If not, it is ended
// and what was in the way is gone: begin again (kNeedsCheckpoint).
Result<Environment::Standing> Environment::MakeReady(MDB_txn* txn, const WriteOptions& options,
                                                     std::unique_lock<std::mutex>& lock) {
  const auto erasures = ErasuresOf(txn);
  const auto standing = erasures ? StandingOf(options) : std::unexpected(erasures.error());
  const bool has_erased = erasures && *erasures != erasures_seen_;
  if (standing && !has_erased && *standing != Standing::kNeedsCheckpoint) {
    // LMDB 0.9.24 does not heed MDB_NOSYNC of a transaction, only that of its environment.
    mdb_env_set_flags(env_, MDB_NOSYNC, *standing == Standing::kAhead ? 1 : 0);
    return standing;
  }
  mdb_txn_abort(txn);
  if (!standing) return standing;
  lock.unlock();
  auto done = has_erased ? Renew(*erasures) : Checkpoint(When::kAlways);
  lock.lock();
  if (!done) return std::unexpected(std::move(done).error());
  return Standing::kNeedsCheckpoint;
}

std::unexpected<Error> Environment::FailWrite(int code, bool was_commit) {
  if (code == MDB_MAP_FULL) {
    return Fail(
        ErrorCode::kOutOfSpace,
        fmt::format("{} {}: it has reached its limit of {} bytes, nothing was written: {}",
                    place_.contents->name, place_.folder, limit_bytes(), place_.contents->when_at_limit));
  }
  std::unexpected<Error> failed = FailWith(code, was_commit ? "commit" : "write", place_);
  if (was_commit && failed.error().code == ErrorCode::kIo) has_failed_.store(true, std::memory_order_relaxed);
  return failed;
}

Result<void> Environment::FreeForNextWrite() {
  const auto commit_something = [this](MDB_txn* txn) -> Result<int> {
    MDB_val key = ToVal(kFormatKey);
    MDB_val value = ToVal(place_.contents->format);
    return mdb_put(txn, rows_, &key, &value, 0);
  };
  return Write(commit_something, {.may_exceed_limit = true});
}

// How often something has been erased, by whatever process. LMDB keeps the buffers of pages that it wrote,
// and uses them again without clearing them: what was erased since this environment was opened could come
// back to the disk in the unused part of any page. They go only when the environment is closed.
Result<std::uint64_t> Environment::ErasuresOf(MDB_txn* txn) const {
  MDB_val key = ToVal(kErasuresKey);
  MDB_val found{};
  if (rows_ == 0) return erasures_seen_;  // while it is being opened
  const int code = lmdb::Get(txn, rows_, &key, &found);
  if (code == MDB_NOTFOUND) return erasures_seen_;
  if (code != 0) return FailWith(code, "look for erasures", place_);
  return ReadErasures(ToText(found)).changes;
}

// Closing ends the snapshot that keeps the synced root, which is only needed while commits run ahead.
Result<void> Environment::Renew(std::uint64_t erasures) {
  const std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (root_ != nullptr) TM_TRY(BecomeCleanInTurn(/*even_if_written=*/true));
  const std::lock_guard lock(writer_mutex_);
  DropPin();
  TM_TRY(Reopen());
  erasures_seen_ = erasures;
  return {};
}

// Called with the writer's mutex held and no write transaction open. As another process would, for whom the
// file is the same before and after.
Result<void> Environment::Reopen() {
  const std::int64_t bytes = map_bytes();
  for (ReaderSlot& slot : slots_) {
    for (std::size_t tries = 0; slot.is_taken.exchange(true, std::memory_order_acquire); ++tries)
      Pause(tries);
    if (slot.txn != nullptr) mdb_txn_abort(std::exchange(slot.txn, nullptr));
    slot.places.Forget();
  }
  mdb_env_close(env_);
  int code = OpenEnv(options_, bytes, 0, &env_);
  TM_CHECK(code == 0, "the online store was closed, to erase from it, and cannot be opened again");
  MDB_txn* txn = nullptr;
  code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (code == 0) {
    MDB_dbi rows = 0;  // the same number: that of the only tree
    code = mdb_dbi_open(txn, nullptr, 0, &rows);
    mdb_txn_abort(txn);
  }
  for (ReaderSlot& slot : slots_)
    slot.is_taken.store(false, std::memory_order_release);
  return code == 0 ? Result<void>{} : FailWith(code, "open it again", place_);
}

Result<std::uint64_t> Environment::OldestReader() {
  int cleared = 0;
  if (const int code = mdb_reader_check(env_, &cleared); code != 0)
    return FailWith(code, "clear readers", place_);
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  std::uint64_t oldest = info.me_last_txnid;
  // LMDB tells its readers as text: process, thread, snapshot ("-" for a slot that is not in use).
  const auto look = [](const char* line, void* context) {
    auto& least = *static_cast<std::uint64_t*>(context);
    const std::string_view text(line);
    const std::size_t end = text.find_last_of("0123456789");
    const std::size_t begin = text.find_last_of(' ');
    std::uint64_t snapshot = 0;
    if (end == std::string_view::npos || begin == std::string_view::npos || begin > end) return 0;
    const auto [read, error] = std::from_chars(line + begin + 1, line + end + 1, snapshot);
    if (error == std::errc{} && read == line + end + 1) least = std::min(least, snapshot);
    return 0;
  };
  if (mdb_reader_list(env_, look, &oldest) < 0) return FailWith(EIO, "list its readers", place_);
  return oldest;
}

Result<void> Environment::WorkOnFile(FileWork work) {
  TM_TRY(CheckUsable());
  std::unique_lock lock(writer_mutex_);
  MDB_txn* txn = nullptr;  // nobody else writes while it is open
  for (auto ready = Standing::kNeedsCheckpoint; ready == Standing::kNeedsCheckpoint;) {
    if (const int code = BeginWrite(&txn); code != 0)
      return FailWith(code, "begin to work on its file", place_);
    TM_ASSIGN(ready, MakeReady(txn, {}, lock));
  }
  auto oldest = OldestReader();
  Result<void> done = oldest ? work(data_fd_, *oldest) : std::unexpected(oldest.error());
  mdb_txn_abort(txn);
  return done;
}

Result<void> Environment::Sync() {
  TM_TRY(CheckUsable());
  return root_ == nullptr ? SyncData({}) : Checkpoint(When::kIfAhead);
}

}  // namespace tidemark::lmdb
