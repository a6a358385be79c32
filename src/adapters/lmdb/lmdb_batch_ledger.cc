#include "adapters/lmdb/lmdb_batch_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <vector>

#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_folder_internal.h"
#include "adapters/lmdb/lmdb_guard_internal.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "base/lock_file.h"

namespace tidemark {
namespace {

using lmdb::Environment;
using lmdb::FailWith;
using lmdb::Folder;
using lmdb::ToText;
using lmdb::ToVal;

constexpr std::size_t kSlots = 4096;
constexpr std::string_view kTimesPrefix("\0\0\0\0t", 5);
constexpr std::size_t kTimeBytes = sizeof(std::int64_t);
constexpr std::size_t kTableIdBytes = sizeof(std::uint32_t);
// More than one for each that is recorded, so that the ledger shrinks when less is written.
constexpr std::size_t kForgottenAtLeast = 16;

template <typename Integer>
void AppendBigEndian(Integer value, std::string& out) {
  for (int shift = (static_cast<int>(sizeof(value)) - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
}

std::string BatchKey(std::uint32_t table_id, std::string_view key) {
  std::string out;
  AppendBigEndian(table_id, out);
  out += key;
  return out;
}

// Times before 1970 sort first as well.
std::uint64_t SortableTime(std::int64_t time_us) {
  return static_cast<std::uint64_t>(time_us) ^ std::uint64_t{1} << 63;
}

std::string TimeKey(std::int64_t time_us, std::string_view batch_key) {
  std::string out(kTimesPrefix);
  AppendBigEndian(SortableTime(time_us), out);
  out += batch_key;
  return out;
}

std::int64_t TimeOf(std::string_view time_key) {
  std::uint64_t sortable = 0;
  for (const char byte : time_key.substr(kTimesPrefix.size(), kTimeBytes))
    sortable = sortable << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(sortable ^ std::uint64_t{1} << 63);
}

struct Entry {
  std::uint64_t log;
  std::uint64_t lsn;
  std::int64_t time_us;
  BatchContent content;
};

constexpr std::size_t kEntryBytes = sizeof(Entry) + sizeof(std::uint32_t);
// Entries of earlier versions say nothing of the content.
constexpr std::size_t kOldBytes = kEntryBytes - sizeof(BatchContent);

std::uint32_t Checksum(std::string_view batch_key, std::span<const std::byte> entry) {
  return Crc32c(entry, Crc32c(std::as_bytes(std::span(batch_key))));
}

std::array<std::byte, kEntryBytes> Encode(std::string_view batch_key, const Entry& entry) {
  const std::uint32_t checksum = Checksum(batch_key, std::as_bytes(std::span(&entry, 1)));
  std::array<std::byte, kEntryBytes> out;
  std::memcpy(out.data(), &entry, sizeof(entry));
  std::memcpy(out.data() + sizeof(entry), &checksum, sizeof(checksum));
  return out;
}

std::optional<Entry> Decode(std::string_view batch_key, std::string_view value) {
  if (value.size() != kEntryBytes && value.size() != kOldBytes) return std::nullopt;
  Entry entry{};
  std::uint32_t checksum = 0;
  const std::size_t bytes = value.size() - sizeof(checksum);
  std::memcpy(&entry, value.data(), bytes);
  std::memcpy(&checksum, value.data() + bytes, sizeof(checksum));
  if (checksum != Checksum(batch_key, std::as_bytes(std::span(value)).first(bytes))) return std::nullopt;
  return entry;
}

Result<void> CheckKey(std::uint32_t table_id, std::string_view key) {
  if (table_id != 0 && !key.empty() && key.size() <= kBatchKeyBytesMax) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("an idempotency key has 1 to {} bytes, and its table an id: this one has {} bytes, of "
                  "table {}",
                  kBatchKeyBytesMax, key.size(), table_id));
}

// The locks of one process. A child after a fork has its own.
struct Slots {
  std::unique_ptr<LockFile> file;
  std::array<std::mutex, kSlots> mutexes;
};

class SlotHold final : public BatchLedger::Hold {
 public:
  explicit SlotHold(Slots& slots) : slots_(slots) {}
  ~SlotHold() override {
    if (!slots_.file->is_own()) return;  // the parent's, in a child
    for (const std::size_t slot : held_) {
      slots_.file->Unlock(static_cast<off_t>(slot));
      slots_.mutexes[slot].unlock();
    }
  }
  SlotHold(const SlotHold&) = delete;
  SlotHold& operator=(const SlotHold&) = delete;

  Result<void> Take(std::size_t slot) {
    // The mutex for the threads of this process, whom the file's locks do not keep apart.
    std::unique_lock lock(slots_.mutexes[slot]);
    TM_TRY(slots_.file->Lock(static_cast<off_t>(slot)));
    held_.push_back(slot);
    lock.release();
    return {};
  }

 private:
  Slots& slots_;
  std::vector<std::size_t> held_;
};

class LmdbBatchLedger final : public BatchLedger {
 public:
  LmdbBatchLedger(LmdbOptions options, Folder* folder, std::unique_ptr<Slots> slots)
      : options_(std::move(options)), folder_(folder), slots_(slots.release()) {}
  ~LmdbBatchLedger() override {
    lmdb::CloseFolder(folder_.load());
    Slots* const slots = slots_.load();
    if (slots->file->is_own()) delete slots;  // a parent's mutexes may be locked
  }
  LmdbBatchLedger(const LmdbBatchLedger&) = delete;
  LmdbBatchLedger& operator=(const LmdbBatchLedger&) = delete;

  static Result<std::unique_ptr<Slots>> OpenSlots(const std::string& folder) {
    auto slots = std::make_unique<Slots>();
    TM_ASSIGN(slots->file, LockFile::Open(folder + "/keys.lock", LockFile::Access::kFull, /*create=*/true));
    return slots;
  }

  using BatchLedger::Acquire;
  Result<std::unique_ptr<Hold>> Acquire(std::span<const std::uint32_t> table_ids,
                                        std::string_view key) override {
    // In one order, each once: so two that hold several do not wait for each other.
    std::set<std::size_t> slots_of_keys;
    for (const std::uint32_t table_id : table_ids) {
      TM_TRY(CheckKey(table_id, key));
      const std::string batch_key = BatchKey(table_id, key);
      slots_of_keys.insert(Hash64(std::as_bytes(std::span(batch_key))) % kSlots);
    }
    TM_ASSIGN(Slots* const slots, OwnSlots());
    auto hold = std::make_unique<SlotHold>(*slots);
    for (const std::size_t slot : slots_of_keys)
      TM_TRY(hold->Take(slot));
    return hold;
  }

  Result<std::optional<SeenBatch>> Seen(std::uint32_t table_id, std::string_view key,
                                        std::int64_t now_us) const override {
    TM_TRY(CheckKey(table_id, key));
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    TM_ASSIGN(const Environment::Snapshot snapshot, environment.Read());
    const std::string batch_key = BatchKey(table_id, key);
    MDB_val key_val = ToVal(batch_key);
    MDB_val value{};
    const int code = lmdb::Get(snapshot.txn(), environment.rows(), &key_val, &value);
    if (code == MDB_NOTFOUND) return std::nullopt;
    if (code != 0) return FailWith(code, "look up a batch", environment.place());
    const std::optional<Entry> entry = Decode(batch_key, ToText(value));
    if (!entry) {
      return std::unexpected(Error{
          ErrorCode::kCorruption,
          fmt::format(
              "the entry of a batch of table {} is damaged, and whether it was written is not known: {}",
              table_id, lmdb::kBatches.when_damaged),
          fmt::format("batch ledger {}", environment.place().folder)});
    }
    if (entry->time_us <= now_us - kBatchMemoryUs) return std::nullopt;
    return SeenBatch{.position = {.log = entry->log, .lsn = entry->lsn}, .content = entry->content};
  }

  Result<void> Record(std::span<const WrittenBatch> batches) override {
    if (batches.empty()) return {};
    for (const WrittenBatch& batch : batches)
      TM_TRY(CheckKey(batch.table_id, batch.key));
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    const std::int64_t newest_us = std::ranges::max(batches, {}, &WrittenBatch::time_us).time_us;
    const auto record = [&](MDB_txn* txn) -> Result<int> {
      for (const WrittenBatch& batch : batches) {
        if (const int code = Put(txn, environment.rows(), batch); code != 0) return code;
      }
      return Forget(txn, environment.rows(), newest_us - kBatchMemoryUs, batches.size() + kForgottenAtLeast);
    };
    return environment.Write(record, {});
  }

  Result<void> Sync() override {
    TM_ASSIGN(Folder* const folder, Own());
    return folder->environment().Sync();
  }

 private:
  // The open folder; in a child after a fork it is opened anew, and the parent's is left alone.
  Result<Folder*> Own() const {
    Folder* folder = folder_.load(std::memory_order_acquire);
    if (folder->is_own()) return folder;
    TM_ASSIGN(Folder* const reopened, lmdb::OpenFolder(options_, lmdb::kBatches));
    if (folder_.compare_exchange_strong(folder, reopened)) return reopened;
    lmdb::CloseFolder(reopened);  // another thread was faster, and what it opened is the same
    return folder;
  }

  Result<Slots*> OwnSlots() {
    Slots* slots = slots_.load(std::memory_order_acquire);
    if (slots->file->is_own()) return slots;
    TM_ASSIGN(std::unique_ptr<Slots> reopened, OpenSlots(options_.folder));
    if (slots_.compare_exchange_strong(slots, reopened.get())) return reopened.release();
    return slots;
  }

  static int Put(MDB_txn* txn, MDB_dbi rows, const WrittenBatch& batch) {
    const std::string batch_key = BatchKey(batch.table_id, batch.key);
    MDB_val key = ToVal(batch_key);
    MDB_val there{};
    int code = lmdb::Get(txn, rows, &key, &there);
    if (code != 0 && code != MDB_NOTFOUND) return code;
    if (code == 0) {
      // A damaged one leaves its time behind, which is forgotten in its turn.
      const std::optional<Entry> old = Decode(batch_key, ToText(there));
      if (code = old ? Delete(txn, rows, TimeKey(old->time_us, batch_key)) : 0; code != 0) return code;
    }
    const auto value = Encode(batch_key, {.log = batch.position.log,
                                          .lsn = batch.position.lsn,
                                          .time_us = batch.time_us,
                                          .content = batch.content});
    if (code = PutPair(txn, rows, batch_key, value); code != 0) return code;
    return PutPair(txn, rows, TimeKey(batch.time_us, batch_key), {});
  }

  static int PutPair(MDB_txn* txn, MDB_dbi rows, std::string_view key, std::span<const std::byte> value) {
    return lmdb::Guarded([&] {
      MDB_val key_val = ToVal(key);
      MDB_val value_val = ToVal(value);
      return mdb_put(txn, rows, &key_val, &value_val, 0);
    });
  }

  // Of what is not there: nothing.
  static int Delete(MDB_txn* txn, MDB_dbi rows, std::string_view key) {
    const int code = lmdb::Guarded([&] {
      MDB_val key_val = ToVal(key);
      return mdb_del(txn, rows, &key_val, nullptr);
    });
    return code == MDB_NOTFOUND ? 0 : code;
  }

  // Removes the oldest batches, at most so many, whose time is not after `until_us`.
  static int Forget(MDB_txn* txn, MDB_dbi rows, std::int64_t until_us, std::size_t at_most) {
    for (std::size_t forgotten = 0; forgotten < at_most; ++forgotten) {
      std::string time_key;
      if (const int code = OldestTimeKey(txn, rows, time_key); code != 0 || time_key.empty()) return code;
      if (TimeOf(time_key) > until_us) return 0;
      const std::string_view batch_key = std::string_view(time_key).substr(kTimesPrefix.size() + kTimeBytes);
      if (const int code = DeleteIfOf(txn, rows, batch_key, TimeOf(time_key)); code != 0) return code;
      if (const int code = Delete(txn, rows, time_key); code != 0) return code;
    }
    return 0;
  }

  // Empty if there is none.
  static int OldestTimeKey(MDB_txn* txn, MDB_dbi rows, std::string& time_key) {
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(txn, rows, &cursor); code != 0) return code;
    MDB_val key = ToVal(kTimesPrefix);
    MDB_val value{};
    const int code = lmdb::CursorGet(cursor, &key, &value, MDB_SET_RANGE);
    const std::string_view found = code == 0 ? ToText(key) : std::string_view();
    const bool is_time =
        found.starts_with(kTimesPrefix) && found.size() > kTimesPrefix.size() + kTimeBytes + kTableIdBytes;
    if (is_time) time_key = found;
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
  }

  // The batch may have been written again later.
  static int DeleteIfOf(MDB_txn* txn, MDB_dbi rows, std::string_view batch_key, std::int64_t time_us) {
    MDB_val key = ToVal(batch_key);
    MDB_val value{};
    const int code = lmdb::Get(txn, rows, &key, &value);
    if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
    const std::optional<Entry> entry = Decode(batch_key, ToText(value));
    return entry && entry->time_us == time_us ? Delete(txn, rows, batch_key) : 0;
  }

  const LmdbOptions options_;
  mutable std::atomic<Folder*> folder_;
  std::atomic<Slots*> slots_;
};

}  // namespace

Result<std::unique_ptr<BatchLedger>> OpenLmdbBatchLedger(const LmdbLedgerOptions& options) {
  std::error_code failed;
  // A child after a fork may have another working directory.
  LmdbOptions fixed{.folder = std::filesystem::absolute(options.folder, failed).lexically_normal().string(),
                    .map_bytes_max = options.map_bytes_max};
  if (failed || options.folder.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no folder for a batch ledger", options.folder));
  }
  if (fixed.folder.size() > 1 && fixed.folder.ends_with('/')) fixed.folder.pop_back();
  TM_ASSIGN(Folder* const folder, lmdb::OpenFolder(fixed, lmdb::kBatches));
  auto slots = LmdbBatchLedger::OpenSlots(fixed.folder);
  if (!slots) {
    lmdb::CloseFolder(folder);
    return std::unexpected(std::move(slots).error());
  }
  return std::make_unique<LmdbBatchLedger>(std::move(fixed), folder, std::move(*slots));
}

}  // namespace tidemark
