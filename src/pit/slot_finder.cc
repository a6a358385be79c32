// The steps of a block of lookups.
#include "pit/slot_finder_internal.h"

#include <algorithm>
#include <utility>

namespace tidemark::pit_internal {
namespace {

// Only keys made to collide are farther than this from their home: they are searched for.
constexpr int kSteps = 64;

// The slots of so many rows are counted instead of searched, without a guess.
constexpr std::uint32_t kCountedRows = 4;

template <typename T>
void Prefetch(const T* address) {
  __builtin_prefetch(address);
}

// The first of `count` ascending times that is at or after `time`; the last one is known to be.
std::uint32_t FirstAtOrAfter(const std::int64_t* times, std::uint32_t count, std::int64_t time) {
  const std::int64_t* base = times;
  while (count > 1) {
    const std::uint32_t half = count / 2;
    base += base[half - 1] < time ? half : 0;
    count -= half;
  }
  return static_cast<std::uint32_t>(base - times);
}

}  // namespace

void SlotFinder::ReadKeys(KeyReader& keys, std::size_t begin, std::size_t count) {
  if (!index_.is_dense()) return keys.ReadBlock(static_cast<std::int64_t>(begin), {hashes_.data(), count});
  const std::int64_t* const values = keys.integers() + begin;
  for (std::size_t i = 0; i < count; ++i)
    hashes_[i] = index_.NumberOf(values[i]);
}

bool SlotFinder::UsesFilter() {
  if (index_.filter.empty()) return false;
  if (blocks_until_trial_ > 0) {
    --blocks_until_trial_;
    return false;
  }
  if (++trial_blocks_ >= kFilterTrialBlocks) {
    if (trial_passed_ * 2 > trial_rows_) blocks_until_trial_ = kFilterRestBlocks;
    trial_blocks_ = 0;
    trial_rows_ = 0;
    trial_passed_ = 0;
  }
  return true;
}

// Whether half of the rows or more have the key of the row before, as far as hashes tell.
bool SlotFinder::HasRuns(std::size_t count) const {
  std::size_t same = 0;
  for (std::size_t i = 1; i < count; ++i)
    same += hashes_[i] == hashes_[i - 1] ? 1 : 0;
  return same * 2 >= count;
}

// The first rows of all runs, with the block's end behind them. Tells how many runs there are.
std::size_t SlotFinder::FindStarts(const KeyReader& keys, std::size_t count) {
  std::size_t runs = 1;
  starts_[0] = 0;
  if (index_.form == KeyForm::kBytes) {
    for (std::size_t row = 1; row < count; ++row) {
      if (hashes_[row] == hashes_[row - 1] && keys.bytes(row) == keys.bytes(row - 1)) continue;
      starts_[runs++] = static_cast<std::uint32_t>(row);
    }
  } else {  // without a guess
    for (std::size_t row = 1; row < count; ++row) {
      starts_[runs] = static_cast<std::uint32_t>(row);
      runs += hashes_[row] != hashes_[row - 1] ? 1 : 0;
    }
  }
  starts_[runs] = static_cast<std::uint32_t>(count);
  return runs;
}

// The first rows of the runs whose keys may have been asked for.
std::size_t SlotFinder::SelectRuns(const KeyReader& keys, std::size_t count) {
  const auto may_have = [this](std::uint64_t hash) {
    if (index_.is_dense()) return hash < index_.numbers;
    return index_.filter.empty() || index_.MayHaveHash(hash);
  };
  const std::size_t runs = FindStarts(keys, count);
  std::size_t kept = 0;
  for (std::size_t run = 0; run < runs; ++run) {
    const std::uint32_t row = starts_[run];
    run_ends_[row] = starts_[run + 1];
    matches_[kept].row = row;
    kept += may_have(hashes_[row]) ? 1 : 0;
  }
  return kept;
}

// Of the first `count` matches' rows, those whose key some entity row has, with its slots.
std::size_t SlotFinder::MatchKeys(const KeyReader& keys, std::size_t count) {
  if (index_.is_dense()) {
    FindNumbers(count);
    return MatchNumbers(count);
  }
  FindHomes(count);
  return index_.form == KeyForm::kBytes ? MatchBytes(keys, count) : MatchHashes(count);
}

void SlotFinder::FindNumbers(std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) {
    const auto number = static_cast<std::uint32_t>(hashes_[matches_[j].row]);
    matches_[j].slot = number;
    Prefetch(index_.first_slots.data() + number);
  }
}

std::size_t SlotFinder::MatchNumbers(std::size_t count) {
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const GroupIndex::Group group = index_.GroupAt(matches_[j].slot);
    KeepGroup(kept, matches_[j].row, group);
    kept += group.rows > 0 ? 1 : 0;
  }
  return kept;
}

void SlotFinder::FindHomes(std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) {
    const std::size_t home = index_.HomeOf(hashes_[matches_[j].row]);
    matches_[j].slot = static_cast<std::uint32_t>(home);
    Prefetch(index_.cells.data() + home);
  }
}

// The first cell from `at` on, which is its home, whose hash is not less.
std::size_t SlotFinder::FirstNotBefore(std::size_t at, std::uint64_t hash) const {
  const GroupIndex::Cell* cells = index_.cells.data();
  std::size_t before = 0;
  for (std::size_t i = 0; i < GroupIndex::kHomeCells; ++i)
    before += cells[at + i].hash < hash ? 1 : 0;
  at += before;
  if (before < GroupIndex::kHomeCells) [[likely]]
    return at;
  for (int step = 0; cells[at].hash < hash && step < kSteps; ++step)
    ++at;
  if (cells[at].hash >= hash) [[likely]]
    return at;
  const auto* found =
      std::lower_bound(cells + at, cells + index_.cells.size(), hash,
                       [](const GroupIndex::Cell& cell, std::uint64_t h) { return cell.hash < h; });
  return static_cast<std::size_t>(found - cells);
}

// Asks for the times that SearchGroups will compare.
void SlotFinder::KeepGroup(std::size_t kept, std::uint32_t row, GroupIndex::Group group) {
  matches_[kept] = {row, group.first_slot};
  group_rows_[kept] = group.rows;
  const std::int64_t* times = index_.slot_time.data() + group.first_slot;
  Prefetch(times + group.rows / 2);
}

std::size_t SlotFinder::MatchHashes(std::size_t count) {
  std::size_t kept = 0;
  const GroupIndex::Cell* cells = index_.cells.data();
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    const GroupIndex::Cell& cell = cells[FirstNotBefore(matches_[j].slot, hashes_[row])];
    const bool keep = (cell.hash == hashes_[row]) & (cell.rows > 0);
    KeepGroup(kept, row, {cell.first_slot, cell.rows});
    kept += keep ? 1 : 0;
  }
  return kept;
}

std::size_t SlotFinder::MatchBytes(const KeyReader& keys, std::size_t count) {
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    const std::size_t cell = FirstNotBefore(matches_[j].slot, hashes_[row]);
    matches_[kept] = {row, static_cast<std::uint32_t>(cell)};
    Prefetch(index_.key_end.data() + cell);
    kept += index_.cells[cell].hash == hashes_[row] && index_.cells[cell].rows > 0 ? 1 : 0;
  }
  count = std::exchange(kept, 0);
  for (std::size_t j = 0; j < count; ++j)
    Prefetch(index_.KeyBytes(matches_[j].slot).data());
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    std::size_t at = matches_[j].slot;
    const std::string_view key = keys.bytes(row);
    const auto has_hash = [&] { return index_.cells[at].rows > 0 && index_.cells[at].hash == hashes_[row]; };
    while (has_hash() && index_.KeyBytes(at) != key)
      ++at;
    KeepGroup(kept, row, {index_.cells[at].first_slot, index_.cells[at].rows});
    kept += has_hash() ? 1 : 0;
  }
  return kept;
}

std::size_t SlotFinder::SearchGroups(std::size_t count, const std::int64_t* times) {
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const Match match = matches_[j];
    const std::uint32_t rows = group_rows_[j];
    const std::int64_t time = times[match.row];
    const std::int64_t* group = index_.slot_time.data() + match.slot;
    std::uint32_t before = 0;
    if (rows <= kCountedRows) [[likely]] {
      for (std::uint32_t i = 0; i < kCountedRows; ++i) {
        const std::int64_t slot_time = group[std::min(i, rows - 1)];
        before += static_cast<std::uint32_t>(i < rows) & static_cast<std::uint32_t>(slot_time < time);
      }
    } else {
      before = group[rows - 1] < time ? rows : FirstAtOrAfter(group, rows, time);
    }
    matches_[kept] = {match.row, match.slot + before};
    kept += before < rows ? 1 : 0;
  }
  return kept;
}

}  // namespace tidemark::pit_internal
