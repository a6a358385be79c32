// Sorts entity rows by hash: a good hash puts almost every row where it belongs by counting alone.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/parallel.h"
#include "pit/entity_groups_internal.h"

namespace tidemark::pit_internal {
namespace {

// Records of one partition should stay in the second-level cache while they are sorted, and the partitions
// be few enough that scattering into all of them at once is no burden for the caches.
constexpr std::size_t kPartitionRecords = 1024;
constexpr int kPartitionBitsMax = 12;
constexpr int kBucketBitsMax = 16;
constexpr std::size_t kTaskPartitions = 16;
constexpr std::size_t kThreadRecordsMin = std::size_t{1} << 15;  // fewer are not worth a thread

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

template <typename Task>
void ForTasks(std::size_t count, std::size_t threads, const Task& task) {
  const auto done = ParallelFor(count, threads, {}, [&task](std::size_t i, std::size_t) -> Result<void> {
    task(i);
    return {};
  });
  TM_CHECK(done.has_value(), "these tasks cannot fail");
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

// The same by the first bits, a piece of the records on each thread; pieces keep their order.
void ScatterPieces(std::span<const SlotRecord> from, std::span<SlotRecord> to, int bits, std::size_t threads,
                   std::vector<std::uint32_t>& ends) {
  const int shift = 64 - bits;
  const std::size_t values = std::size_t{1} << bits;
  const std::size_t piece_rows = (from.size() + threads - 1) / threads;
  std::vector<std::uint32_t> next(threads * values);
  const auto for_pieces = [&](const auto& task) {
    ForTasks(threads, threads, [&](std::size_t piece) {
      const std::size_t begin = std::min(piece * piece_rows, from.size());
      task(from.subspan(begin, std::min(piece_rows, from.size() - begin)), next.data() + piece * values);
    });
  };
  for_pieces([&](std::span<const SlotRecord> piece, std::uint32_t* count) {
    for (const SlotRecord& record : piece)
      ++count[record.hash >> shift];
  });
  ends.clear();
  std::uint32_t at = 0;
  for (std::size_t value = 0; value < values; ++value) {
    for (std::size_t piece = 0; piece < threads; ++piece)
      at += std::exchange(next[piece * values + value], at);
    ends.push_back(at);
  }
  for_pieces([&](std::span<const SlotRecord> piece, std::uint32_t* place) {
    for (const SlotRecord& record : piece)
      to[place[record.hash >> shift]++] = record;
  });
}

// Calls `task(begin, end)` for each range that has records; `ends` describes them, the first from `begin` on.
template <typename Task>
void ForRanges(std::uint32_t begin, std::span<const std::uint32_t> ends, const Task& task) {
  for (const std::uint32_t end : ends) {
    if (end > begin) task(begin, end);
    begin = end;
  }
}

}  // namespace

void SortSlots(ZeroedArray<SlotRecord>& records, std::size_t threads) {
  const std::size_t count = records.size();
  if (count <= 64) return SortBucket({records.data(), count});
  threads = std::clamp<std::size_t>(count / kThreadRecordsMin, 1, std::max<std::size_t>(1, threads));
  auto scattered = ZeroedArray<SlotRecord>::Unset(count);
  const int partition_bits = BitsFor(count / kPartitionRecords, kPartitionBitsMax);
  std::vector<std::uint32_t> ends;
  ScatterPieces({records.data(), count}, {scattered.data(), count}, partition_bits, threads, ends);
  const std::size_t tasks = (ends.size() + kTaskPartitions - 1) / kTaskPartitions;
  ForTasks(tasks, threads, [&](std::size_t task) {
    const std::size_t first = task * kTaskPartitions;
    const std::size_t partitions = std::min(kTaskPartitions, ends.size() - first);
    std::vector<std::uint32_t> bucket_ends;
    ForRanges(first == 0 ? 0 : ends[first - 1], std::span(ends).subspan(first, partitions),
              [&](std::uint32_t begin, std::uint32_t end) {
                const std::span<const SlotRecord> from(scattered.data() + begin, end - begin);
                const std::span<SlotRecord> to(records.data() + begin, end - begin);
                Scatter(from, to, partition_bits, BitsFor(from.size(), kBucketBitsMax), bucket_ends);
                ForRanges(0, bucket_ends, [to](std::uint32_t bucket, std::uint32_t bucket_end) {
                  if (bucket_end - bucket > 1) SortBucket(to.subspan(bucket, bucket_end - bucket));
                });
              });
  });
}

}  // namespace tidemark::pit_internal
