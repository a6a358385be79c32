// The memory that columns pass through: freed blocks are kept for the next column of about that size.
//
// A scan allocates and frees the same few sizes over and over. General allocators give large blocks back to
// the system, which then hands out zeroed pages again: a quarter of the time of a training set went into
// that.
#pragma once

#include <arrow/memory_pool.h>

#include <algorithm>
#include <cstdint>

namespace tidemark {

/// How much freed memory is kept at most, in all, unless a BufferPoolUse says less.
inline constexpr std::int64_t kKeptBytesMax = std::int64_t{160} << 20;

/// One pool for the process, over the system's. Thread safe, never destroyed.
arrow::MemoryPool* BufferPool();

/// How much of it work may keep that is to stay below `memory_bytes_max` in all; 0: no limit.
constexpr std::int64_t KeptBytesWithin(std::int64_t memory_bytes_max) {
  return memory_bytes_max > 0 ? std::min(memory_bytes_max / 8, kKeptBytesMax) : kKeptBytesMax;
}

/// Held by work that takes long: while it lasts the pool keeps no more than `kept_bytes_max` (of several at a
/// time the least counts), and what it keeps goes back to the system soon after the last of these ended.
class BufferPoolUse {
 public:
  explicit BufferPoolUse(std::int64_t kept_bytes_max = kKeptBytesMax);
  ~BufferPoolUse();
  BufferPoolUse(const BufferPoolUse&) = delete;
  BufferPoolUse& operator=(const BufferPoolUse&) = delete;

 private:
  const std::int64_t kept_bytes_max_;
};

}  // namespace tidemark
