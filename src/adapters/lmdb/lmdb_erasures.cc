// Fences put up, asked and taken down; the rows behind them removed.
#include "adapters/lmdb/lmdb_erasures_internal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "adapters/lmdb/lmdb_environment_internal.h"
#include "adapters/lmdb/lmdb_error_internal.h"
#include "adapters/lmdb/lmdb_guard_internal.h"
#include "model/key_codec.h"
#include "store/packed_row.h"

namespace tidemark::lmdb {
namespace {

constexpr std::string_view kFence("\0\0\0\0fence", 9);

std::string TagKey(std::uint16_t tag) {
  std::string key(kFence);
  key.push_back(static_cast<char>(tag >> 8));
  key.push_back(static_cast<char>(tag & 0xFF));
  return key;
}

std::string FenceKey(const KeyMark& mark) {
  std::string key = TagKey(mark.tag);
  key.append(reinterpret_cast<const char*>(mark.digest.data()), mark.digest.size());
  return key;
}

std::int64_t ReadSequence(const MDB_val& value) {
  std::int64_t sequence = 0;
  if (value.mv_size == sizeof(sequence)) std::memcpy(&sequence, value.mv_data, sizeof(sequence));
  return sequence;
}

Result<ErasuresRecord> RecordOf(MDB_txn* txn, MDB_dbi rows) {
  MDB_val key = ToVal(kErasuresKey);
  MDB_val found{};
  const int code = Get(txn, rows, &key, &found);
  if (code == MDB_NOTFOUND) return ErasuresRecord{};
  if (code == 0) return ReadErasures(ToText(found));
  return Fail(ErrorCode::kIo, fmt::format("cannot look for erasures: {}", mdb_strerror(code)));
}

int PutRecord(MDB_txn* txn, MDB_dbi rows, const ErasuresRecord& record) {
  MDB_val key = ToVal(kErasuresKey);
  MDB_val value{sizeof(record), const_cast<ErasuresRecord*>(&record)};
  return mdb_put(txn, rows, &key, &value, 0);
}

/// Of a key that has one the greater sequence holds.
int PutFence(MDB_txn* txn, MDB_dbi rows, const OnlineErasure& erasure, ErasuresRecord& record) {
  const std::string name = FenceKey(erasure.mark);
  MDB_val key = ToVal(name);
  MDB_val found{};
  std::int64_t sequence = erasure.sequence_max;
  const int code = Get(txn, rows, &key, &found);
  if (code != 0 && code != MDB_NOTFOUND) return code;
  if (code == 0) sequence = std::max(sequence, ReadSequence(found));
  if (code == MDB_NOTFOUND) ++record.fences;
  MDB_val value{sizeof(sequence), &sequence};
  return mdb_put(txn, rows, &key, &value, 0);
}

/// Removes the row of a key, if it is not a later one.
int RemoveRow(MDB_txn* txn, MDB_dbi rows, const OnlineErasure& erasure, std::int64_t& removed) {
  const std::string stored = IsLongKey(erasure.key) ? StoredKey(erasure.key) : std::string(erasure.key);
  MDB_val key = ToVal(stored);
  MDB_val found{};
  const int code = Get(txn, rows, &key, &found);
  if (code == MDB_NOTFOUND) return 0;
  if (code != 0) return code;
  const auto row = ToBytes(found);
  // Of a damaged row nothing can be trusted: it goes, whatever it says.
  if (PackedChecksumHolds(stored, row)) {
    if (!PackedIsFor(erasure.key, row)) return 0;  // another long key's
    if (ReadPackedHeader(row).value_or(PackedHeader{}).order.sequence > erasure.sequence_max) return 0;
  }
  ++removed;
  return mdb_del(txn, rows, &key, nullptr);
}

}  // namespace

ErasuresRecord ReadErasures(std::string_view bytes) {
  ErasuresRecord record;
  if (bytes.size() == sizeof(record)) std::memcpy(&record, bytes.data(), sizeof(record));
  return record;
}

Result<std::int64_t> CountErasureRecords(MDB_txn* txn, MDB_dbi rows) {
  TM_ASSIGN(const ErasuresRecord record, RecordOf(txn, rows));
  return record.changes == 0 ? 0 : static_cast<std::int64_t>(record.fences) + 1;
}

Result<std::int64_t> EraseRows(Environment& environment, std::span<const OnlineErasure> keys) {
  std::int64_t removed = 0;
  const auto erase = [&](MDB_txn* txn) -> Result<int> {
    removed = 0;
    TM_ASSIGN(ErasuresRecord record, RecordOf(txn, environment.rows()));
    ++record.changes;
    for (const OnlineErasure& erasure : keys) {
      int code = PutFence(txn, environment.rows(), erasure, record);
      if (code == 0 && !erasure.key.empty()) code = RemoveRow(txn, environment.rows(), erasure, removed);
      if (code != 0) return code;
    }
    return PutRecord(txn, environment.rows(), record);
  };
  TM_TRY(environment.Write(erase, {.may_exceed_limit = true}));
  return removed;
}

Result<void> ForgetFences(Environment& environment, std::int64_t sequence_max) {
  const auto forget = [&](MDB_txn* txn) -> Result<int> {
    TM_ASSIGN(ErasuresRecord record, RecordOf(txn, environment.rows()));
    if (record.fences == 0) return 0;
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(txn, environment.rows(), &cursor); code != 0) return code;
    MDB_val key = ToVal(kFence);
    MDB_val value{};
    int code = CursorGet(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && ToText(key).starts_with(kFence)) {
      if (ReadSequence(value) <= sequence_max) {
        code = CursorDelete(cursor);
        --record.fences;
      }
      if (code == 0) code = CursorGet(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code != 0 && code != MDB_NOTFOUND) return code;
    return PutRecord(txn, environment.rows(), record);
  };
  return environment.Write(forget, {.may_exceed_limit = true});
}

Result<std::optional<Fences>> Fences::Open(MDB_txn* txn, MDB_dbi rows, const KeyedHashFile& hash) {
  TM_ASSIGN(const ErasuresRecord record, RecordOf(txn, rows));
  if (record.fences == 0) return std::nullopt;
  TM_ASSIGN(auto own, hash.Get(/*make=*/false));
  MDB_cursor* cursor = nullptr;
  if (const int code = mdb_cursor_open(txn, rows, &cursor); code != 0)
    return Fail(ErrorCode::kIo, fmt::format("cannot look for erasures: {}", mdb_strerror(code)));
  return Fences(cursor, std::move(own));
}

Fences::Fences(Fences&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)), hash_(std::move(other.hash_)) {}

Fences::~Fences() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

Result<bool> Fences::KeepOut(std::string_view key, std::int64_t sequence) {
  const std::string tag = TagKey(hash_->TagOf(key));
  MDB_val at = ToVal(tag);
  MDB_val value{};
  int code = CursorGet(cursor_, &at, &value, MDB_SET_RANGE);
  std::string wanted;  // made when a fence has the key's tag
  while (code == 0 && ToText(at).starts_with(tag)) {
    if (wanted.empty()) wanted = FenceKey(hash_->MarkOf(key));
    if (ToText(at) == wanted) return sequence <= ReadSequence(value);
    code = CursorGet(cursor_, &at, &value, MDB_NEXT);
  }
  if (code == 0 || code == MDB_NOTFOUND) return false;
  return Fail(ErrorCode::kIo, fmt::format("cannot look for erasures: {}", mdb_strerror(code)));
}

}  // namespace tidemark::lmdb
