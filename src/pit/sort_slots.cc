// Sorts entity rows by hash: a good hash puts almost every row where it belongs by counting alone.
#include <algorithm>
#include <bit>

#include "pit/entity_groups_internal.h"

namespace tidemark::pit_internal {
namespace {

// Records of one partition should stay in the second-level cache while they are sorted, and the partitions
// be few enough that scattering into all of them at once is no burden for the caches.
constexpr std::size_t kPartitionRecords = 1024;
constexpr int kPartitionBitsMax = 12;
constexpr int kBucketBitsMax = 16;

bool Before(const SlotRecord& a, const SlotRecord& b) {
  if (a.hash != b.hash) return a.hash < b.hash;
  if (a.time_us != b.time_us) return a.time_us < b.time_us;
  return a.row < b.row;
}

int BitsFor(std::size_t count, int bits_max) {
  return std::clamp(static_cast<int>(std::bit_width(count == 0 ? 0 : count - 1)), 1, bits_max);
}

void SortFew(std::span<SlotRecord> records) {
  for (std::size_t i = 1; i < records.size(); ++i) {
    const SlotRecord moved = records[i];
    std::size_t to = i;
    for (; to > 0 && Before(moved, records[to - 1]); --to)
      records[to] = records[to - 1];
    records[to] = moved;
  }
}

void SortBucket(std::span<SlotRecord> records) {
  if (records.size() <= 24) return SortFew(records);
  if (std::is_sorted(records.begin(), records.end(), Before)) return;
  std::sort(records.begin(), records.end(), Before);
}

// Stable: scatters `from` to `to` by the bits [64 - skip - bits, 64 - skip) of the hash, and leaves in `ends`
// where each value's records end.
void Scatter(std::span<const SlotRecord> from, std::span<SlotRecord> to, int skip, int bits,
             std::vector<std::uint32_t>& ends) {
  const int shift = 64 - bits;
  ends.assign(std::size_t{1} << bits, 0);
  for (const SlotRecord& record : from)
    ++ends[record.hash << skip >> shift];
  std::uint32_t begin = 0;
  for (std::uint32_t& end : ends)
    begin += std::exchange(end, begin);
  for (const SlotRecord& record : from)
    to[ends[record.hash << skip >> shift]++] = record;
}

// Calls `task(begin, end)` for each range that `ends` describes and that has records.
template <typename Task>
void ForRanges(const std::vector<std::uint32_t>& ends, const Task& task) {
  std::uint32_t begin = 0;
  for (const std::uint32_t end : ends) {
    if (end > begin) task(begin, end);
    begin = end;
  }
}

}  // namespace

void SortSlots(ZeroedArray<SlotRecord>& records) {
  const std::size_t count = records.size();
  if (count <= 64) return SortBucket({records.data(), count});
  ZeroedArray<SlotRecord> scattered(count);
  const int partition_bits = BitsFor(count / kPartitionRecords, kPartitionBitsMax);
  std::vector<std::uint32_t> partition_ends;
  std::vector<std::uint32_t> bucket_ends;
  Scatter({records.data(), count}, {scattered.data(), count}, 0, partition_bits, partition_ends);
  ForRanges(partition_ends, [&](std::uint32_t begin, std::uint32_t end) {
    const std::span<const SlotRecord> from(scattered.data() + begin, end - begin);
    const std::span<SlotRecord> to(records.data() + begin, end - begin);
    Scatter(from, to, partition_bits, BitsFor(from.size(), kBucketBitsMax), bucket_ends);
    ForRanges(bucket_ends, [to](std::uint32_t first, std::uint32_t last) {
      if (last - first > 1) SortBucket(to.subspan(first, last - first));
    });
  });
}

}  // namespace tidemark::pit_internal
