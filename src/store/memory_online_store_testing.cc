// Keeps the greater row of each key in a map.
#include "store/memory_online_store_testing.h"

#include <algorithm>

#include "model/key_codec.h"
#include "store/packed_row.h"

namespace tidemark::testing_support {
namespace {

std::span<const std::byte> BytesOf(const std::string& row) {
  return std::as_bytes(std::span(row));
}

bool IsDamaged(const std::string& key, const std::string& row) {
  return !PackedChecksumHolds(IsLongKey(key) ? StoredKey(key) : key, BytesOf(row));
}

}  // namespace

Result<void> MemoryOnlineStore::Get(std::span<const std::string_view> keys, Visitor visit) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto found = rows_.find(keys[i]);
    if (found != rows_.end() && IsDamaged(found->first, found->second))
      return Fail(ErrorCode::kCorruption, "the row is damaged");
    visit(i, found == rows_.end() ? std::span<const std::byte>() : BytesOf(found->second));
  }
  return {};
}

Result<MergeCounts> MemoryOnlineStore::Merge(std::span<const OnlineWrite> writes,
                                             const MergeOptions& options) {
  const std::lock_guard lock(mutex_);
  if (merges_left_ == 0) return Fail(ErrorCode::kOutOfSpace, "the online store is full");
  if (merges_left_ > 0) --merges_left_;
  MergeCounts counts;
  for (const OnlineWrite& write : writes) {
    TM_ASSIGN(const PackedHeader header, ReadPackedHeader(write.value));
    if (IsErased(write.key, header.order.sequence)) {
      ++counts.kept;
      continue;
    }
    std::string row(reinterpret_cast<const char*>(write.value.data()), write.value.size());
    const auto [held, is_new] = rows_.try_emplace(std::string(write.key), row);
    if (!is_new) {
      TM_ASSIGN(const PackedHeader held_header, ReadPackedHeader(BytesOf(held->second)));
      const bool is_damaged = IsDamaged(held->first, held->second);
      if (is_damaged && !options.replaces_damaged)
        return Fail(ErrorCode::kCorruption, "the stored row is damaged");
      const bool gives_way = is_damaged || held_header.order.sequence < options.replaces_before;
      if (!gives_way && header.order <= held_header.order) {
        ++counts.kept;
        continue;
      }
      held->second = std::move(row);
    }
    ++counts.written;
  }
  return counts;
}

bool MemoryOnlineStore::IsErased(std::string_view key, std::int64_t sequence) const {
  return std::ranges::any_of(erased_, [&](const auto& erased) {
    return sequence <= erased.second && erased.first == hash_->MarkOf(key);
  });
}

Result<std::int64_t> MemoryOnlineStore::Erase(std::span<const OnlineErasure> keys) {
  const std::lock_guard lock(mutex_);
  std::int64_t removed = 0;
  for (const OnlineErasure& each : keys) {
    erased_.emplace_back(each.mark, each.sequence_max);
    const auto held = rows_.find(each.key);
    if (held == rows_.end()) continue;
    TM_ASSIGN(const PackedHeader header, ReadPackedHeader(BytesOf(held->second)));
    if (header.order.sequence > each.sequence_max) continue;
    rows_.erase(held);
    ++removed;
  }
  return removed;
}

Result<void> MemoryOnlineStore::ForgetErasures(std::int64_t sequence_max) {
  const std::lock_guard lock(mutex_);
  std::erase_if(erased_, [&](const auto& erased) { return erased.second <= sequence_max; });
  return {};
}

Result<void> MemoryOnlineStore::Sync() {
  if (sync_fails_) return Fail(ErrorCode::kIo, "the disk does not sync");
  return {};
}

Result<std::int64_t> MemoryOnlineStore::RemovePrefix(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(
      std::erase_if(rows_, [&](const auto& row) { return row.first.starts_with(prefix); }));
}

Result<std::int64_t> MemoryOnlineStore::RemoveDamaged(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(std::erase_if(rows_, [&](const auto& row) {
    return row.first.starts_with(prefix) && IsDamaged(row.first, row.second);
  }));
}

Result<std::int64_t> MemoryOnlineStore::RemoveBefore(std::string_view prefix, std::int64_t sequence) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(std::erase_if(rows_, [&](const auto& row) {
    const auto header = ReadPackedHeader(BytesOf(row.second));
    return row.first.starts_with(prefix) && header && header->order.sequence < sequence;
  }));
}

void MemoryOnlineStore::Damage(std::string_view key) {
  const std::lock_guard lock(mutex_);
  rows_.find(key)->second[kPackedHeaderBytes - 20] ^= 0x10;  // of the times that order rows
}

Result<void> MemoryOnlineStore::ScanAfter(std::string_view prefix, std::string_view after,
                                          RowVisitor visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, row] : rows_) {
    if (!after.empty() && key <= after) continue;
    if (key.starts_with(prefix) && !visit(key, BytesOf(row))) break;
  }
  return {};
}

Result<OnlineStats> MemoryOnlineStore::Stats() const {
  const std::lock_guard lock(mutex_);
  OnlineStats stats;
  for (const auto& [key, row] : rows_) {
    ++stats.rows;
    stats.bytes += static_cast<std::int64_t>(key.size() + row.size());
  }
  return stats;
}

}  // namespace tidemark::testing_support
