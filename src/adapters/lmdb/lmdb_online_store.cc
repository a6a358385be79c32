// The OnlineStore interface over an open folder.
#include "adapters/lmdb/lmdb_online_store.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "adapters/lmdb/lmdb_erasures_internal.h"
#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_folder_internal.h"
#include "adapters/lmdb/lmdb_guard_internal.h"
#include "adapters/lmdb/lmdb_row_places_internal.h"
#include "adapters/lmdb/lmdb_scrub_internal.h"
#include "base/hash.h"
#include "model/key_codec.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

using lmdb::Environment;
using lmdb::FailWith;
using lmdb::Folder;
using lmdb::ToBytes;
using lmdb::ToText;
using lmdb::ToVal;

// The store's own records come before every view's rows.
constexpr std::string_view kFirstViewId("\0\0\0\1", 4);
constexpr std::int64_t kOwnRecords = 2;
constexpr std::int64_t kRemovedPerStep = 4096;
// Lookups end within microseconds; a reader that outlasts so many passes is a long one.
// Another process lets a synced root go within a twentieth of a second.
constexpr int kScrubsMax = 20;
constexpr auto kScrubPause = std::chrono::milliseconds(10);

std::unexpected<Error> FailDamaged(std::string_view stored_key, const std::string& folder) {
  return std::unexpected(
      Error{ErrorCode::kCorruption,
            fmt::format("the row of key {} is damaged; {}", lmdb::KeyInHex(stored_key), lmdb::kRebuild),
            fmt::format("online store {}", folder)});
}

// The row of `key`, found along the tree, or an empty span. `stored_key`: its stored form.
Result<std::span<const std::byte>> FindInTree(Environment& environment, MDB_txn* txn, std::string_view key,
                                              std::string_view stored_key) {
  if (stored_key < kFirstViewId) [[unlikely]] {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("key {}: a key begins with its view's id, 4 bytes, not zero", lmdb::KeyInHex(key)));
  }
  MDB_val key_val = ToVal(stored_key);
  MDB_val value{};
  const int code = lmdb::Get(txn, environment.rows(), &key_val, &value);
  if (code == MDB_NOTFOUND) return std::span<const std::byte>();
  if (code != 0) return FailWith(code, "look up a row", environment.place());
  const std::span<const std::byte> row = ToBytes(value);
  if (!PackedChecksumHolds(stored_key, row)) return FailDamaged(stored_key, environment.place().folder);
  return row;
}

// Looks keys up, some at a time: while the rows of some are fetched into the cache, places of others are.
class RowFinder {
 public:
  RowFinder(Environment& environment, const Environment::Snapshot& snapshot)
      : environment_(environment), txn_(snapshot.txn()), places_(snapshot.places()) {
    places_.Enter(mdb_txn_id(txn_));
  }

  Result<void> Get(std::span<const std::string_view> keys, OnlineStore::Visitor visit) {
    for (std::size_t begin = 0; begin < keys.size(); begin += kTogether)
      TM_TRY(GetSome(keys.subspan(begin, std::min(kTogether, keys.size() - begin)), begin, visit));
    return {};
  }

 private:
  static constexpr std::size_t kTogether = 32;

  Result<void> GetSome(std::span<const std::string_view> keys, std::size_t first,
                       OnlineStore::Visitor visit) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      hashes_[i] = Hash64(std::as_bytes(std::span(keys[i])));
      places_.Prefetch(hashes_[i]);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      rows_[i] = places_.Find(hashes_[i]);
      if (rows_[i].empty()) places_.PrefetchAbsent(hashes_[i]);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      TM_ASSIGN(const std::span<const std::byte> row, Row(keys[i], i));
      visit(first + i, row);
    }
    return {};
  }

  Result<std::span<const std::byte>> Row(std::string_view key, std::size_t at) {
    const bool is_long = IsLongKey(key);
    if (is_long) shortened_ = StoredKey(key);
    const std::string_view stored_key = is_long ? std::string_view(shortened_) : key;
    std::span<const std::byte> row = rows_[at];
    if (row.empty() && places_.IsAbsent(hashes_[at], key)) return row;
    // The checksum is over the key too, so a place that is another row's does not pass for this one's.
    if (row.empty() || !PackedChecksumHolds(stored_key, row)) {
      TM_ASSIGN(row, FindInTree(environment_, txn_, key, stored_key));
      if (row.empty()) {
        places_.AddAbsent(hashes_[at], key);
        return row;
      }
      places_.Add(hashes_[at], row);
    }
    return PackedIsFor(key, row) ? row : std::span<const std::byte>();  // else it is another long key's
  }

  Environment& environment_;
  MDB_txn* const txn_;
  lmdb::RowPlaces& places_;
  std::array<std::uint64_t, kTogether> hashes_{};
  std::array<std::span<const std::byte>, kTogether> rows_{};
  std::string shortened_;  // the stored form of a long key
};

struct CursorCloser {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

Result<Cursor> OpenCursor(Environment& environment, MDB_txn* txn) {
  MDB_cursor* cursor = nullptr;
  const int code = mdb_cursor_open(txn, environment.rows(), &cursor);
  if (code != 0) return FailWith(code, "open a cursor", environment.place());
  return Cursor(cursor);
}

// The first key of a range of rows with `prefix`.
std::string_view FirstOf(std::string_view prefix) {
  return std::max(prefix, kFirstViewId);
}

Result<void> CheckPrefix(std::string_view prefix) {
  if (prefix.size() <= kOnlineKeyPrefixBytes) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("a prefix of {} bytes; it may have {}", prefix.size(), kOnlineKeyPrefixBytes));
}

class LmdbOnlineStore final : public OnlineStore {
 public:
  LmdbOnlineStore(LmdbOptions options, Folder* folder)
      : options_(std::move(options)), identity_(folder->environment().identity()), folder_(folder) {}
  ~LmdbOnlineStore() override { lmdb::CloseFolder(folder_.load()); }
  LmdbOnlineStore(const LmdbOnlineStore&) = delete;
  LmdbOnlineStore& operator=(const LmdbOnlineStore&) = delete;

  Result<void> Get(std::span<const std::string_view> keys, Visitor visit) const override {
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    TM_ASSIGN(const Environment::Snapshot snapshot, environment.Read());
    return RowFinder(environment, snapshot).Get(keys, visit);
  }

  Result<MergeCounts> Merge(std::span<const OnlineWrite> writes, const MergeOptions& options) override {
    TM_ASSIGN(Folder* const folder, Own());
    return folder->merges().Merge(writes, options);
  }

  Result<void> Sync() override {
    TM_ASSIGN(Folder* const folder, Own());
    return folder->environment().Sync();
  }

  Result<std::int64_t> RemovePrefix(std::string_view prefix) override {
    TM_TRY(CheckPrefix(prefix));
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    std::int64_t total = 0;
    for (std::int64_t removed = kRemovedPerStep; removed == kRemovedPerStep; total += removed) {
      const auto step = [&](MDB_txn* txn) { return RemoveSome(environment, txn, prefix, removed); };
      TM_TRY(environment.Write(step, {.may_exceed_limit = true, .rows = kRemovedPerStep}));
    }
    if (total > 0) TM_TRY(environment.FreeForNextWrite());
    TM_TRY(environment.Sync());
    return total;
  }

  Result<std::int64_t> RemoveDamaged(std::string_view prefix) override {
    return RemoveIf(prefix, [](std::string_view stored_key, std::span<const std::byte> row) {
      return !PackedChecksumHolds(stored_key, row);
    });
  }

  Result<std::int64_t> RemoveBefore(std::string_view prefix, std::int64_t sequence) override {
    return RemoveIf(prefix, [sequence](std::string_view /*stored_key*/, std::span<const std::byte> row) {
      const auto header = ReadPackedHeader(row);
      return header && header->order.sequence < sequence;
    });
  }

  Result<std::int64_t> Erase(std::span<const OnlineErasure> keys) override {
    TM_ASSIGN(Folder* const folder, Own());
    TM_ASSIGN(const std::int64_t removed, lmdb::EraseRows(folder->environment(), keys));
    TM_TRY(folder->environment().Sync());
    return removed;
  }

  Result<bool> ScrubRemoved() override {
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    // The pages that the last commit freed count as free after one more.
    TM_TRY(environment.FreeForNextWrite());
    TM_ASSIGN(const Scrubbed first, Scrub(environment, false));
    for (int tries = 0; tries < kScrubsMax; ++tries) {
      TM_TRY(environment.FreeForNextWrite());
      TM_ASSIGN(const Scrubbed again, Scrub(environment, true));
      if (again.oldest_reader > first.newest) return true;
      std::this_thread::sleep_for(kScrubPause);
    }
    return false;
  }

  Result<void> ForgetErasures(std::int64_t sequence_max) override {
    TM_ASSIGN(Folder* const folder, Own());
    return lmdb::ForgetFences(folder->environment(), sequence_max);
  }

  Result<void> ScanAfter(std::string_view prefix, std::string_view after, RowVisitor visit) const override {
    TM_TRY(CheckPrefix(prefix));
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    const std::string first = after.empty() ? std::string() : StoredKey(after);
    return ForEachRow(environment, prefix, first,
                      [&](std::string_view stored_key, std::span<const std::byte> row) -> Result<bool> {
                        if (stored_key == first) return true;  // it came before
                        if (!PackedChecksumHolds(stored_key, row))
                          return FailDamaged(stored_key, environment.place().folder);
                        const std::string_view full_key = PackedFullKey(row);
                        return visit(full_key.empty() ? stored_key : full_key, row);
                      });
  }

  Result<OnlineStats> Stats() const override {
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    TM_ASSIGN(const Environment::Snapshot snapshot, environment.Read());
    MDB_stat about{};
    if (const int code = mdb_stat(snapshot.txn(), environment.rows(), &about); code != 0) {
      return FailWith(code, "count its rows", environment.place());
    }
    TM_ASSIGN(const std::int64_t erasures, lmdb::CountErasureRecords(snapshot.txn(), environment.rows()));
    const std::size_t pages = about.ms_branch_pages + about.ms_leaf_pages + about.ms_overflow_pages;
    return OnlineStats{.rows = static_cast<std::int64_t>(about.ms_entries) - kOwnRecords - erasures,
                       .bytes = static_cast<std::int64_t>(pages * about.ms_psize),
                       .bytes_max = environment.limit_bytes()};
  }

  const std::string& identity() const override { return identity_; }

 private:
  // The open folder; in a child after a fork it is opened anew, and the parent's is left alone.
  Result<Folder*> Own() const {
    Folder* folder = folder_.load(std::memory_order_acquire);
    if (folder->is_own()) [[likely]]
      return folder;
    TM_ASSIGN(Folder* const reopened, lmdb::OpenFolder(options_, lmdb::kOnlineRows));
    if (folder_.compare_exchange_strong(folder, reopened)) return reopened;
    lmdb::CloseFolder(reopened);  // another thread was faster, and what it opened is the same
    return folder;
  }

  // Visits rows as they are stored, those whose stored key is not before `from`, until `visit` answers false
  // or an error.
  using StoredVisitor =
      FunctionRef<Result<bool>(std::string_view stored_key, std::span<const std::byte> row)>;
  static Result<void> ForEachRow(Environment& environment, std::string_view prefix, std::string_view from,
                                 StoredVisitor visit) {
    TM_ASSIGN(const Environment::Snapshot snapshot, environment.Read());
    TM_ASSIGN(const Cursor cursor, OpenCursor(environment, snapshot.txn()));
    MDB_val key = ToVal(FirstOf(std::max(prefix, from)));
    MDB_val value{};
    int code = lmdb::CursorGet(cursor.get(), &key, &value, MDB_SET_RANGE);
    for (; code == 0; code = lmdb::CursorGet(cursor.get(), &key, &value, MDB_NEXT)) {
      if (!ToText(key).starts_with(prefix)) return {};
      TM_ASSIGN(const bool goes_on, visit(ToText(key), ToBytes(value)));
      if (!goes_on) return {};
    }
    if (code == MDB_NOTFOUND) return {};
    return FailWith(code, "scan it", environment.place());
  }

  struct Scrubbed {
    std::uint64_t newest = 0;  // snapshot
    std::uint64_t oldest_reader = 0;
  };
  static Result<Scrubbed> Scrub(Environment& environment, bool free_pages_only) {
    TM_TRY(environment.Sync());
    Scrubbed scrubbed;
    TM_TRY(environment.WorkOnFile([&](int fd, std::uint64_t oldest_reader) -> Result<void> {
      scrubbed.oldest_reader = oldest_reader;
      TM_ASSIGN(scrubbed.newest, lmdb::ScrubFile(fd, {oldest_reader, free_pages_only}));
      return {};
    }));
    TM_TRY(environment.Sync());
    return scrubbed;
  }

  using StoredTest = FunctionRef<bool(std::string_view stored_key, std::span<const std::byte> row)>;

  /// Removes the rows that `test` is true of, and returns how many there were.
  Result<std::int64_t> RemoveIf(std::string_view prefix, StoredTest test) {
    TM_TRY(CheckPrefix(prefix));
    TM_ASSIGN(Folder* const folder, Own());
    Environment& environment = folder->environment();
    std::int64_t total = 0;
    std::string from;
    while (true) {
      TM_ASSIGN(const std::vector<std::string> keys, SomeKeys(environment, prefix, from, test));
      if (keys.empty()) break;
      from = keys.back();
      std::int64_t removed = 0;
      const auto remove = [&](MDB_txn* txn) { return RemoveKeys(environment, txn, keys, test, removed); };
      TM_TRY(environment.Write(remove, {.may_exceed_limit = true, .rows = std::ssize(keys)}));
      total += removed;
    }
    if (total > 0) TM_TRY(environment.Sync());
    return total;
  }

  /// The first keys behind `from` that `test` is true of, as many as are removed at a time.
  static Result<std::vector<std::string>> SomeKeys(Environment& environment, std::string_view prefix,
                                                   std::string_view from, StoredTest test) {
    std::vector<std::string> keys;
    const auto visit = [&](std::string_view stored_key, std::span<const std::byte> row) -> Result<bool> {
      if (stored_key != from && test(stored_key, row)) keys.emplace_back(stored_key);
      return std::ssize(keys) < kRemovedPerStep;
    };
    TM_TRY(ForEachRow(environment, prefix, from, visit));
    return keys;
  }

  static Result<int> RemoveKeys(Environment& environment, MDB_txn* txn, const std::vector<std::string>& keys,
                                StoredTest test, std::int64_t& removed) {
    removed = 0;
    for (const std::string& stored_key : keys) {
      MDB_val key = ToVal(stored_key);
      MDB_val value{};
      int code = lmdb::Get(txn, environment.rows(), &key, &value);
      if (code == MDB_NOTFOUND) continue;
      // Somebody may have written it anew meanwhile.
      if (code == 0 && !test(stored_key, ToBytes(value))) continue;
      if (code == 0) code = mdb_del(txn, environment.rows(), &key, nullptr);
      if (code != 0) return code;
      ++removed;
    }
    return 0;
  }

  static Result<int> RemoveSome(Environment& environment, MDB_txn* txn, std::string_view prefix,
                                std::int64_t& removed) {
    removed = 0;
    TM_ASSIGN(const Cursor cursor, OpenCursor(environment, txn));
    while (removed < kRemovedPerStep) {
      MDB_val key = ToVal(FirstOf(prefix));
      MDB_val value{};
      int code = lmdb::CursorGet(cursor.get(), &key, &value, MDB_SET_RANGE);
      if (code == MDB_NOTFOUND || (code == 0 && !ToText(key).starts_with(prefix))) return 0;
      if (code == 0) code = lmdb::CursorDelete(cursor.get());
      if (code != 0) return code;
      ++removed;
    }
    return 0;
  }

  const LmdbOptions options_;
  const std::string identity_;
  mutable std::atomic<Folder*> folder_;
};

}  // namespace

Result<std::unique_ptr<OnlineStore>> OpenLmdbOnlineStore(const LmdbOptions& options) {
  LmdbOptions fixed = options;
  std::error_code failed;
  // A child after a fork may have another working directory.
  fixed.folder = std::filesystem::absolute(options.folder, failed).lexically_normal().string();
  if (failed || options.folder.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no folder for an online store", options.folder));
  }
  if (fixed.folder.size() > 1 && fixed.folder.ends_with('/')) fixed.folder.pop_back();
  if (fixed.erase_key.empty())
    fixed.erase_key = (std::filesystem::path(fixed.folder).parent_path() / "erase.key").string();
  TM_ASSIGN(Folder* const folder, lmdb::OpenFolder(fixed, lmdb::kOnlineRows));
  return std::make_unique<LmdbOnlineStore>(std::move(fixed), folder);
}

}  // namespace tidemark
