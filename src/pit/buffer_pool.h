// The memory that columns pass through: freed blocks are kept for the next column of about that size.
//
// A scan allocates and frees the same few sizes over and over. General allocators give large blocks back to
// the system, which then hands out zeroed pages again: a quarter of the time of a training set went into
// that.
#pragma once

#include <arrow/memory_pool.h>

namespace tidemark {

/// How much freed memory is kept at most, in all.
inline constexpr std::int64_t kKeptBytesMax = std::int64_t{160} << 20;

/// One pool for the process, over the system's. Thread safe, never destroyed.
arrow::MemoryPool* BufferPool();

/// Gives what the pool keeps back to the system when the last of these ends: held by work that takes long.
class BufferPoolUse {
 public:
  BufferPoolUse();
  ~BufferPoolUse();
  BufferPoolUse(const BufferPoolUse&) = delete;
  BufferPoolUse& operator=(const BufferPoolUse&) = delete;
};

}  // namespace tidemark
