// Groups entity rows by key, sorts each group by time, and lays an index over the groups.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <span>

#include "base/check.h"
#include "base/parallel.h"
#include "pit/entity_groups_internal.h"

namespace tidemark {
namespace pit_internal {
namespace {

constexpr std::int64_t kRowsMax = (std::int64_t{1} << 31) - 2;
constexpr std::uint64_t kNumbersMax = std::uint64_t{1} << 31;
constexpr std::size_t kBlockRows = 1024;
constexpr std::size_t kRangeRows = std::size_t{1} << 16;  // what one task takes
constexpr std::int64_t kKeysLookedAt = 64;
constexpr std::size_t kFilterBitsPerKey = 16;
constexpr std::size_t kFilterBitsPerKeyMin = 8;
// A filter beyond the second-level cache would cost as much as the bucket that it saves.
constexpr std::size_t kFilterBitsMax = std::size_t{1} << 23;

// Calls `task(first, last)` for ranges of `count`, on several threads.
template <typename Task>
void ForRanges(std::size_t count, std::size_t threads, const Task& task) {
  const std::size_t ranges = (count + kRangeRows - 1) / kRangeRows;
  const auto done = ParallelFor(ranges, threads, {}, [&](std::size_t range, std::size_t) -> Result<void> {
    task(range * kRangeRows, std::min((range + 1) * kRangeRows, count));
    return {};
  });
  TM_CHECK(done.has_value(), "these tasks cannot fail");
}

// Whether keys are integers so close together that each number between them may have its own place.
void FindNumbers(const KeyReader& reader, std::size_t rows, GroupIndex& out) {
  if (reader.integers() == nullptr || rows == 0) return;
  const auto [low, high] = std::ranges::minmax(std::span(reader.integers(), rows));
  const std::uint64_t distance = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  if (distance >= std::min<std::uint64_t>(rows * GroupIndex::kNumbersPerRow, kNumbersMax)) return;
  out.first_key = low;
  out.numbers = distance + 1;
  out.number_shift = 64 - std::max(1, static_cast<int>(std::bit_width(distance)));
}

void ReadHashes(const GroupIndex& index, KeyReader& reader, std::int64_t begin,
                std::span<std::uint64_t> hashes) {
  if (!index.is_dense()) return reader.ReadBlock(begin, hashes);
  const std::int64_t* const keys = reader.integers() + begin;
  for (std::size_t i = 0; i < hashes.size(); ++i)
    hashes[i] = index.NumberOf(keys[i]) << index.number_shift;
}

ZeroedArray<SlotRecord> ReadRecords(const GroupIndex& index, const KeyReader& reader,
                                    const arrow::Int64Array& times, std::size_t threads) {
  const auto rows = static_cast<std::size_t>(times.length());
  auto records = ZeroedArray<SlotRecord>::Unset(rows);
  ForRanges(rows, threads, [&](std::size_t first, std::size_t last) {
    KeyReader own = reader;  // it remembers its block
    std::array<std::uint64_t, kBlockRows> hashes{};
    for (std::size_t begin = first; begin < last; begin += kBlockRows) {
      const std::size_t count = std::min(kBlockRows, last - begin);
      ReadHashes(index, own, static_cast<std::int64_t>(begin), {hashes.data(), count});
      for (std::size_t i = 0; i < count; ++i) {
        records[begin + i] = {hashes[i], times.raw_values()[begin + i],
                              static_cast<std::uint32_t>(begin + i)};
      }
    }
  });
  return records;
}

// Rows of one hash but different keys are rare: then they are sorted by their keys, so that each key's rows
// lie together. Adds where each key's rows end, `first` being the place of the first record.
void SeparateKeys(std::span<SlotRecord> same_hash, std::size_t first, const KeyReader& reader,
                  std::vector<std::uint32_t>& ends) {
  std::string left_scratch;
  std::string right_scratch;
  const auto left = [&](const SlotRecord& record) { return reader.RowBytes(record.row, left_scratch); };
  const auto right = [&](const SlotRecord& record) { return reader.RowBytes(record.row, right_scratch); };
  const std::string_view key = left(same_hash[0]);
  if (!std::ranges::all_of(same_hash, [&](const SlotRecord& record) { return key == right(record); })) {
    std::ranges::stable_sort(same_hash,
                             [&](const SlotRecord& a, const SlotRecord& b) { return left(a) < right(b); });
    for (std::size_t i = 1; i < same_hash.size(); ++i) {
      if (left(same_hash[i - 1]) != right(same_hash[i]))
        ends.push_back(static_cast<std::uint32_t>(first + i));
    }
  }
  ends.push_back(static_cast<std::uint32_t>(first + same_hash.size()));
}

// Where each key's records end.
std::vector<std::uint32_t> FindGroups(ZeroedArray<SlotRecord>& records, const KeyReader& reader) {
  std::vector<std::uint32_t> ends;
  const std::size_t count = records.size();
  ends.reserve(count);
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    for (end = begin + 1; end < count && records[end].hash == records[begin].hash;)
      ++end;
    if (reader.form() != KeyForm::kBytes || end - begin == 1) {
      ends.push_back(static_cast<std::uint32_t>(end));
    } else {
      SeparateKeys({records.data() + begin, end - begin}, begin, reader, ends);
    }
  }
  return ends;
}

void FillSlots(const ZeroedArray<SlotRecord>& records, std::size_t threads, GroupIndex& out) {
  out.slots = records.size();
  out.slot_row = ZeroedArray<std::uint32_t>::Unset(out.slots);
  out.slot_time = ZeroedArray<std::int64_t>::Unset(out.slots);
  std::mutex mutex;
  ForRanges(out.slots, threads, [&](std::size_t first, std::size_t last) {
    std::int64_t first_us = std::numeric_limits<std::int64_t>::max();
    std::int64_t last_us = std::numeric_limits<std::int64_t>::min();
    for (std::size_t slot = first; slot < last; ++slot) {
      out.slot_row[slot] = records[slot].row;
      out.slot_time[slot] = records[slot].time_us;
      first_us = std::min(first_us, records[slot].time_us);
      last_us = std::max(last_us, records[slot].time_us);
    }
    const std::lock_guard lock(mutex);
    out.first_us = std::min(out.first_us, first_us);
    out.last_us = std::max(out.last_us, last_us);
  });
}

// A number's first slot is the first one whose number is not less.
void FillFirstSlots(const ZeroedArray<SlotRecord>& records, std::size_t threads, GroupIndex& out) {
  out.first_slots = ZeroedArray<std::uint32_t>::Unset(static_cast<std::size_t>(out.numbers) + 1);
  const auto number_of = [&](std::size_t slot) {
    return static_cast<std::size_t>(records[slot].hash >> out.number_shift);
  };
  std::atomic<std::size_t> keys = 0;
  ForRanges(out.slots, threads, [&](std::size_t first, std::size_t last) {
    std::size_t next = first == 0 ? 0 : number_of(first - 1) + 1;
    std::size_t own_keys = 0;
    for (std::size_t slot = first; slot < last; ++slot) {
      const std::size_t number = number_of(slot);
      own_keys += number >= next ? 1 : 0;
      for (; next <= number; ++next)
        out.first_slots[next] = static_cast<std::uint32_t>(slot);
    }
    keys += own_keys;
  });
  out.first_slots[out.numbers] = static_cast<std::uint32_t>(out.slots);
  out.keys = keys;
}

// Each key goes to the first free cell from its home on.
void FillCells(const ZeroedArray<SlotRecord>& records, const std::vector<std::uint32_t>& ends,
               GroupIndex& out) {
  out.homes = out.keys * 2 / GroupIndex::kHomeCells + 1;
  std::size_t free = 0;
  for (const std::uint32_t end : ends)
    free = std::max(free, out.HomeOf(records[end - 1].hash)) + 1;
  // All of a home can be looked at, and the last cell has no key.
  const std::size_t size = std::max(free, out.homes * GroupIndex::kHomeCells) + GroupIndex::kHomeCells;
  out.cells = ZeroedArray<GroupIndex::Cell>::Unset(size);
  std::size_t at = 0;
  std::uint32_t begin = 0;
  for (const std::uint32_t end : ends) {
    const std::uint64_t hash = records[end - 1].hash;
    for (const std::size_t home = out.HomeOf(hash); at < home; ++at)
      out.cells[at] = {hash, 0, 0};
    out.cells[at++] = {hash, begin, end - begin};
    begin = end;
  }
  for (; at < size; ++at)
    out.cells[at] = {~std::uint64_t{0}, 0, 0};
}

void CopyKeyBytes(const KeyReader& reader, GroupIndex& out) {
  out.key_end = ZeroedArray<std::uint64_t>(out.cells.size());
  std::string scratch;
  for (std::size_t cell = 0; cell < out.cells.size(); ++cell) {
    if (out.cells[cell].rows > 0)
      out.key_bytes += reader.RowBytes(out.slot_row[out.cells[cell].first_slot], scratch);
    out.key_end[cell] = out.key_bytes.size();
  }
}

void FillFilter(GroupIndex& out) {
  const std::size_t bit_count =
      std::clamp<std::size_t>(std::bit_ceil(out.keys * kFilterBitsPerKey), 64, kFilterBitsMax);
  if (bit_count < out.keys * kFilterBitsPerKeyMin) return;
  out.filter_shift = 64 - std::countr_zero(bit_count);
  out.filter = ZeroedArray<std::uint64_t>(bit_count / 64);
  for (const GroupIndex::Cell& cell : out.cells.span()) {
    if (cell.rows == 0) continue;
    const std::uint64_t bit = cell.hash >> out.filter_shift;
    out.filter[bit >> 6] |= std::uint64_t{1} << (bit & 63);
  }
}

GroupIndex MakeIndex(const KeyReader& reader, const arrow::Int64Array& times, std::size_t threads) {
  GroupIndex out;
  out.form = reader.form();
  out.types = reader.types();
  FindNumbers(reader, static_cast<std::size_t>(times.length()), out);
  auto records = ReadRecords(out, reader, times, threads);
  SortSlots(records, threads);
  if (out.is_dense()) {
    FillSlots(records, threads, out);
    FillFirstSlots(records, threads, out);
    return out;
  }
  const auto ends = FindGroups(records, reader);
  out.keys = ends.size();
  FillSlots(records, threads, out);
  FillCells(records, ends, out);
  records = {};
  if (out.form == KeyForm::kBytes) CopyKeyBytes(reader, out);
  FillFilter(out);
  return out;
}

}  // namespace

bool GroupIndex::HasKeyIn(std::int64_t low, std::int64_t high) const {
  const std::int64_t last_key = first_key + static_cast<std::int64_t>(numbers - 1);
  if (low > high || high < first_key || low > last_key) return false;
  const std::uint64_t first = NumberOf(std::max(low, first_key));
  const std::uint64_t last = NumberOf(std::min(high, last_key));
  return first_slots[last + 1] > first_slots[first];
}

std::int64_t GroupIndex::memory_bytes() const {
  return static_cast<std::int64_t>(filter.bytes() + cells.bytes() + first_slots.bytes() + slot_time.bytes() +
                                   slot_row.bytes() + key_end.bytes() + key_bytes.capacity());
}

}  // namespace pit_internal

EntityGroups::EntityGroups(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EntityGroups::EntityGroups(EntityGroups&&) noexcept = default;
EntityGroups& EntityGroups::operator=(EntityGroups&&) noexcept = default;
EntityGroups::~EntityGroups() = default;

Result<EntityGroups> EntityGroups::Make(const arrow::ArrayVector& keys, const arrow::Int64Array& times,
                                        std::size_t threads) {
  if (times.length() > pit_internal::kRowsMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} entity rows at once; at most {} can be joined, split them", times.length(),
                            pit_internal::kRowsMax));
  }
  if (times.null_count() > 0) return Fail(ErrorCode::kInvalidArgument, "the entity rows' times have nulls");
  TM_ASSIGN(auto reader, pit_internal::KeyReader::Make(keys, times.length()));
  try {
    auto impl = std::make_unique<Impl>();
    impl->index = pit_internal::MakeIndex(reader, times, threads);
    if (!keys.empty()) impl->first_key = keys[0];
    return EntityGroups(std::move(impl));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kOutOfSpace,
                fmt::format("no memory to group {} entity rows; join them in parts", times.length()));
  }
}

std::int64_t EntityGroups::rows() const {
  return static_cast<std::int64_t>(impl_->index.slots);
}
std::int64_t EntityGroups::groups() const {
  return static_cast<std::int64_t>(impl_->index.keys);
}
std::int64_t EntityGroups::last_time_us() const {
  return impl_->index.last_us;
}
std::int64_t EntityGroups::first_time_us() const {
  return impl_->index.first_us;
}
std::int64_t EntityGroups::memory_bytes() const {
  return impl_->index.memory_bytes();
}

const pit_internal::KeyPlaces& EntityGroups::Impl::Places() const {
  std::call_once(places_once,
                 [this] { places = std::make_unique<const pit_internal::KeyPlaces>(*first_key); });
  return *places;
}

template <typename Value>
bool EntityGroups::Impl::OneIsIn(Value low, Value high) const {
  for (std::int64_t row = 0; row < std::min(first_key->length(), pit_internal::kKeysLookedAt); ++row) {
    if constexpr (std::is_same_v<Value, std::int64_t>) {
      if (first_key->type_id() != arrow::Type::INT64) return false;
      const std::int64_t key = static_cast<const arrow::Int64Array&>(*first_key).Value(row);
      if (key >= low && key <= high) return true;
    } else {
      if (first_key->type_id() != arrow::Type::BINARY) return false;
      const std::string_view key = static_cast<const arrow::BinaryArray&>(*first_key).GetView(row);
      if (key >= low && key <= high) return true;
    }
  }
  return false;
}

bool EntityGroups::MayContainKey(std::int64_t low, std::int64_t high) const {
  if (impl_->first_key == nullptr) return rows() > 0;
  if (impl_->index.is_dense()) return impl_->index.HasKeyIn(low, high);
  return impl_->OneIsIn(low, high) || impl_->Places().MayContain(low, high);
}

bool EntityGroups::MayContainKey(std::string_view low, std::string_view high) const {
  if (impl_->first_key == nullptr) return rows() > 0;
  return impl_->OneIsIn(low, high) || impl_->Places().MayContain(low, high);
}

}  // namespace tidemark
