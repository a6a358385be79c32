// Groups entity rows by key, sorts each group by time, and lays an index over the groups.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "pit/entity_groups_internal.h"

namespace tidemark {
namespace pit_internal {
namespace {

constexpr std::int64_t kRowsMax = (std::int64_t{1} << 31) - 2;
constexpr std::size_t kBlockRows = 1024;
constexpr std::size_t kFilterBitsPerKey = 16;
constexpr std::size_t kFilterBitsPerKeyMin = 8;
// A filter beyond the second-level cache would cost as much as the bucket that it saves.
constexpr std::size_t kFilterBitsMax = std::size_t{1} << 23;

ZeroedArray<SlotRecord> ReadRecords(KeyReader& reader, const arrow::Int64Array& times) {
  const auto rows = static_cast<std::size_t>(times.length());
  ZeroedArray<SlotRecord> records(rows);
  std::array<std::uint64_t, kBlockRows> hashes{};
  for (std::size_t begin = 0; begin < rows; begin += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, rows - begin);
    reader.ReadBlock(static_cast<std::int64_t>(begin), {hashes.data(), count});
    for (std::size_t i = 0; i < count; ++i) {
      records[begin + i] = {hashes[i], times.raw_values()[begin + i], static_cast<std::uint32_t>(begin + i)};
    }
  }
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

void FillSlots(const ZeroedArray<SlotRecord>& records, const std::vector<std::uint32_t>& ends,
               GroupIndex& out) {
  out.slots = records.size();
  out.keys = ends.size();
  const bool one_row_per_key = out.keys == out.slots;
  out.entries = ZeroedArray<GroupIndex::Entry>(out.keys + 1);
  out.entries[out.keys].hash = ~std::uint64_t{0};
  out.slot_row = ZeroedArray<std::uint32_t>(out.slots);
  if (!one_row_per_key) {
    out.group_begin = ZeroedArray<std::uint32_t>(out.keys + 1);
    out.slot_time = ZeroedArray<std::int64_t>(out.slots);
  }
  for (std::size_t slot = 0; slot < out.slots; ++slot) {
    out.slot_row[slot] = records[slot].row;
    if (!one_row_per_key) out.slot_time[slot] = records[slot].time_us;
    out.first_us = std::min(out.first_us, records[slot].time_us);
    out.last_us = std::max(out.last_us, records[slot].time_us);
  }
  for (std::size_t entry = 0; entry < out.keys; ++entry) {
    const SlotRecord& last = records[ends[entry] - 1];
    out.entries[entry] = {last.hash, last.time_us};
    if (!one_row_per_key) out.group_begin[entry + 1] = ends[entry];
  }
}

void CopyKeyBytes(const KeyReader& reader, GroupIndex& out) {
  out.key_end = ZeroedArray<std::uint64_t>(out.keys);
  std::string scratch;
  for (std::size_t entry = 0; entry < out.keys; ++entry) {
    out.key_bytes += reader.RowBytes(out.slot_row[out.GroupBegin(entry)], scratch);
    out.key_end[entry] = out.key_bytes.size();
  }
}

void FillBuckets(GroupIndex& out) {
  const int bits = std::max(1, static_cast<int>(std::bit_width(out.keys + out.keys / 2)));
  out.bucket_shift = 64 - bits;
  out.bucket_begin = ZeroedArray<std::uint32_t>((std::size_t{1} << bits) + 1);
  std::size_t bucket = 0;
  for (std::size_t entry = 0; entry < out.keys; ++entry) {
    const std::size_t own = out.entries[entry].hash >> out.bucket_shift;
    while (bucket < own)
      out.bucket_begin[++bucket] = static_cast<std::uint32_t>(entry);
  }
  while (bucket + 1 < out.bucket_begin.size())
    out.bucket_begin[++bucket] = static_cast<std::uint32_t>(out.keys);
}

void FillFilter(GroupIndex& out) {
  const std::size_t bit_count =
      std::clamp<std::size_t>(std::bit_ceil(out.keys * kFilterBitsPerKey), 64, kFilterBitsMax);
  if (bit_count < out.keys * kFilterBitsPerKeyMin) return;
  out.filter_shift = 64 - std::countr_zero(bit_count);
  out.filter = ZeroedArray<std::uint64_t>(bit_count / 64);
  for (std::size_t entry = 0; entry < out.keys; ++entry) {
    const std::uint64_t bit = out.entries[entry].hash >> out.filter_shift;
    out.filter[bit >> 6] |= std::uint64_t{1} << (bit & 63);
  }
}

GroupIndex MakeIndex(KeyReader& reader, const arrow::Int64Array& times) {
  GroupIndex out;
  out.form = reader.form();
  out.types = reader.types();
  auto records = ReadRecords(reader, times);
  SortSlots(records);
  const auto ends = FindGroups(records, reader);
  FillSlots(records, ends, out);
  records = {};
  if (out.form == KeyForm::kBytes) CopyKeyBytes(reader, out);
  FillBuckets(out);
  FillFilter(out);
  return out;
}

}  // namespace

std::int64_t GroupIndex::memory_bytes() const {
  return static_cast<std::int64_t>(bucket_begin.bytes() + filter.bytes() + entries.bytes() +
                                   group_begin.bytes() + slot_time.bytes() + slot_row.bytes() +
                                   key_end.bytes() + key_bytes.capacity());
}

}  // namespace pit_internal

EntityGroups::EntityGroups(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EntityGroups::EntityGroups(EntityGroups&&) noexcept = default;
EntityGroups& EntityGroups::operator=(EntityGroups&&) noexcept = default;
EntityGroups::~EntityGroups() = default;

Result<EntityGroups> EntityGroups::Make(const arrow::ArrayVector& keys, const arrow::Int64Array& times) {
  if (times.length() > pit_internal::kRowsMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} entity rows at once; at most {} can be joined, split them", times.length(),
                            pit_internal::kRowsMax));
  }
  if (times.null_count() > 0) return Fail(ErrorCode::kInvalidArgument, "the entity rows' times have nulls");
  TM_ASSIGN(auto reader, pit_internal::KeyReader::Make(keys, times.length()));
  try {
    auto impl = std::make_unique<Impl>();
    impl->index = pit_internal::MakeIndex(reader, times);
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

bool EntityGroups::MayContainKey(std::int64_t low, std::int64_t high) const {
  if (impl_->first_key == nullptr) return rows() > 0;
  return impl_->Places().MayContain(low, high);
}

bool EntityGroups::MayContainKey(std::string_view low, std::string_view high) const {
  if (impl_->first_key == nullptr) return rows() > 0;
  return impl_->Places().MayContain(low, high);
}

}  // namespace tidemark
