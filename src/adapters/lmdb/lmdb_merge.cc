// Merges and their group commit.
#include "adapters/lmdb/lmdb_merge_internal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "adapters/lmdb/lmdb_erasures_internal.h"
#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_guard_internal.h"
#include "base/check.h"
#include "model/key_codec.h"
#include "store/packed_row.h"

namespace tidemark::lmdb {
namespace {

constexpr std::size_t kViewIdBytes = 4;
constexpr std::size_t kFetchedAhead = 8;  // rows
constexpr std::size_t kFetchedBytes = 256;
constexpr std::size_t kCacheLineBytes = 64;
// A group beyond this is left to the next leader, so that a single row does not wait for many bulk loads.
constexpr std::size_t kGroupBytesMax = std::size_t{8} << 20;
constexpr std::size_t kForLaterBytesMax = std::size_t{1} << 20;

std::unexpected<Error> FailWrite(ErrorCode code, std::string_view key, std::string_view what) {
  return Fail(code, fmt::format("key {}: {}", KeyInHex(key), what));
}

Result<void> CheckWrite(const OnlineWrite& write) {
  if (write.key.size() < kViewIdBytes || write.key.starts_with(std::string_view("\0\0\0\0", kViewIdBytes))) {
    return FailWrite(ErrorCode::kInvalidArgument, write.key,
                     "a key begins with its view's id, 4 bytes, not zero");
  }
  if (auto header = ReadPackedHeader(write.value); !header) {
    return FailWrite(ErrorCode::kInvalidArgument, write.key, header.error().message);
  }
  if (write.value.size() > kPackedRowBytesMax) {
    return FailWrite(ErrorCode::kInvalidArgument, write.key, "its row is larger than a packed row may be");
  }
  return {};
}

// The first eight bytes, those that are missing as zeros: ascends with the text.
std::uint64_t NumberOf(std::string_view text) {
  std::array<unsigned char, sizeof(std::uint64_t)> first{};
  std::memcpy(first.data(), text.data(), std::min(text.size(), first.size()));
  std::uint64_t number = 0;
  for (const unsigned char byte : first)
    number = number << 8 | byte;
  return number;
}

// Rows that are put in the order of their keys lie anywhere: this one will be needed soon.
void Fetch(std::span<const std::byte> row) {
  for (std::size_t at = 0; at < std::min(row.size(), kFetchedBytes); at += kCacheLineBytes)
    __builtin_prefetch(row.data() + at);
}

RowOrder OrderOf(std::span<const std::byte> row) {
  return ReadPackedHeader(row).value_or(PackedHeader{}).order;
}

// Puts rows into the tree within one transaction. Rows in ascending order of key, beyond the last one, are
// appended without a search; others near the one before are found on its page.
class Merger {
 public:
  /// `fences` may be null: nothing has been erased.
  Merger(MDB_cursor* cursor, Fences* fences, const MergeOptions& options, MergeCounts& counts)
      : cursor_(cursor), fences_(fences), options_(options), counts_(counts) {
    MDB_val key{};
    MDB_val value{};
    if (CursorGet(cursor_, &key, &value, MDB_LAST) == 0) last_key_ = ToText(key);
  }

  Result<int> Put(const OnlineWrite& write) {
    if (fences_ != nullptr) {
      TM_ASSIGN(const bool stays_out, fences_->KeepOut(write.key, OrderOf(write.value).sequence));
      if (stays_out) {
        ++counts_.kept;
        return 0;
      }
    }
    if (!IsLongKey(write.key)) return PutStored(write.key, write);
    const std::string stored = StoredKey(write.key);
    return PutStored(stored, write);
  }

 private:
  Result<int> PutStored(std::string_view stored_key, const OnlineWrite& write) {
    if (!PackedIsFor(write.key, write.value) || !PackedChecksumHolds(stored_key, write.value)) {
      return FailWrite(ErrorCode::kInvalidArgument, write.key, "the row was not packed for this key");
    }
    MDB_val key = ToVal(stored_key);
    MDB_val value = ToVal(write.value);
    const bool is_beyond = stored_key > last_key_;
    const int code = CursorPut(cursor_, &key, &value, is_beyond ? MDB_APPEND : MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST && !is_beyond) return PutGreater(stored_key, write, ToBytes(value));
    if (code != 0) return code;
    if (is_beyond) last_key_ = stored_key;
    ++counts_.written;
    return 0;
  }

  // The cursor stands on the row that is there.
  Result<int> PutGreater(std::string_view stored_key, const OnlineWrite& write,
                         std::span<const std::byte> there) {
    if (!PackedChecksumHolds(stored_key, there)) {
      // Its order may be what was damaged, so it is not compared.
      if (options_.replaces_damaged) return Replace(stored_key, write);
      return FailWrite(ErrorCode::kCorruption, stored_key,
                       fmt::format("the stored row is damaged; {}", kRebuild));
    }
    if (!PackedIsFor(write.key, there)) {
      return FailWrite(ErrorCode::kInvalidData, stored_key,
                       "two different long keys have this one shortened form; shorten one of them");
    }
    const RowOrder order = OrderOf(there);
    if (order.sequence >= options_.replaces_before && OrderOf(write.value) <= order) {
      ++counts_.kept;
      return 0;
    }
    return Replace(stored_key, write);
  }

  // Puts the row in the place of the one that the cursor stands on.
  Result<int> Replace(std::string_view stored_key, const OnlineWrite& write) {
    ++counts_.written;
    MDB_val key = ToVal(stored_key);
    MDB_val value = ToVal(write.value);
    return CursorPut(cursor_, &key, &value, MDB_CURRENT);
  }

  MDB_cursor* cursor_;
  Fences* fences_;
  const MergeOptions& options_;
  MergeCounts& counts_;
  std::string last_key_;  // the greatest in the tree
};

}  // namespace

struct MergeQueue::Request {
  Request(std::span<const OnlineWrite> to_merge, const MergeOptions& how) : writes(to_merge), options(how) {
    Sort();
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::span<const OnlineWrite> writes;  // by key
  std::vector<OnlineWrite> sorted;      // what they are of, if they did not come so
  const MergeOptions options;
  std::size_t bytes = 0;
  MergeCounts counts;
  std::optional<Error> error;
  bool is_done = false;
  std::condition_variable wake;

  // Of two equal rows of one key the first stays the first, and is the one that is kept. Most keys are told
  // apart by the eight bytes behind their view's id, without a look at where they lie.
  void Sort() {
    for (const OnlineWrite& write : writes)
      bytes += write.key.size() + write.value.size();
    if (std::ranges::is_sorted(writes, {}, &OnlineWrite::key)) return;
    const std::string_view view_id = writes.front().key.substr(0, kViewIdBytes);
    const bool is_of_one_view =
        std::ranges::all_of(writes, [&](const OnlineWrite& write) { return write.key.starts_with(view_id); });
    struct Turn {
      std::uint64_t number;  // the bytes as a big-endian number
      std::uint32_t write;
    };
    std::vector<Turn> turns(writes.size());
    for (std::uint32_t i = 0; i < turns.size(); ++i)
      turns[i] = {NumberOf(writes[i].key.substr(is_of_one_view ? kViewIdBytes : 0)), i};
    std::ranges::sort(turns, [this](const Turn& left, const Turn& right) {
      if (left.number != right.number) return left.number < right.number;
      if (const int order = writes[left.write].key.compare(writes[right.write].key); order != 0)
        return order < 0;
      return left.write < right.write;
    });
    sorted.reserve(turns.size());
    for (const Turn& turn : turns)
      sorted.push_back(writes[turn.write]);
    writes = sorted;
  }

  Result<int> Apply(MDB_cursor* cursor, Fences* fences) {
    counts = {};
    Merger merger(cursor, fences, options, counts);
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (i + kFetchedAhead < writes.size()) Fetch(writes[i + kFetchedAhead].value);
      TM_ASSIGN(const int code, merger.Put(writes[i]));
      if (code != 0) return code;
    }
    return 0;
  }
};

Result<MergeCounts> MergeQueue::Merge(std::span<const OnlineWrite> writes, const MergeOptions& options) {
  for (const OnlineWrite& write : writes)
    TM_TRY(CheckWrite(write));
  Request request(writes, options);

  std::unique_lock lock(mutex_);
  queue_.push_back(&request);
  request.wake.wait(lock, [&] { return request.is_done || queue_.front() == &request; });
  if (!request.is_done) {
    std::vector<Request*> group;
    std::size_t bytes = 0;
    for (Request* next : queue_) {
      bytes += next->bytes;
      if (!group.empty() && bytes > kGroupBytesMax) break;
      group.push_back(next);
    }
    lock.unlock();
    CommitGroup(group);
    lock.lock();
    for (Request* done : group) {
      queue_.pop_front();
      done->is_done = true;
      if (done != &request) done->wake.notify_one();
    }
    if (!queue_.empty()) queue_.front()->wake.notify_one();
  }
  if (request.error) return std::unexpected(std::move(*request.error));
  return request.counts;
}

void MergeQueue::CommitGroup(std::span<Request* const> group) {
  auto committed = CommitTogether(group);
  if (!committed && group.size() > 1) {
    // One of them may be at fault, and the others must not suffer from it.
    for (Request* const& request : group) {
      if (auto alone = CommitTogether({&request, 1}); !alone) request->error = std::move(alone).error();
    }
  } else if (!committed) {
    group.front()->error = std::move(committed).error();
  }
  const auto needs_sync = [](const Request* request) { return request->options.durable && !request->error; };
  if (!std::ranges::any_of(group, needs_sync)) return;
  if (auto synced = environment_.Sync(); !synced) {
    for (Request* request : group) {
      if (needs_sync(request)) request->error = synced.error();
    }
  }
}

Result<void> MergeQueue::CommitTogether(std::span<Request* const> group) {
  const auto put = [&](MDB_txn* txn) -> Result<int> {
    TM_ASSIGN(std::optional<Fences> fences, Fences::Open(txn, environment_.rows(), hash_));
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(txn, environment_.rows(), &cursor); code != 0) return code;
    Result<int> applied = 0;
    for (Request* request : group) {
      applied = request->Apply(cursor, fences ? &*fences : nullptr);
      if (!applied || *applied != 0) break;
    }
    mdb_cursor_close(cursor);
    return applied;
  };
  std::int64_t rows = 0;
  std::size_t bytes = 0;
  bool is_for_later = true;
  for (const Request* request : group) {
    rows += std::ssize(request->writes);
    bytes += request->bytes;
    is_for_later = is_for_later && !request->options.durable;
  }
  // What is much is synced by its commit, which then takes little longer.
  is_for_later = is_for_later && bytes <= kForLaterBytesMax;
  return environment_.Write(put, {.is_for_later = is_for_later, .rows = rows});
}

}  // namespace tidemark::lmdb
