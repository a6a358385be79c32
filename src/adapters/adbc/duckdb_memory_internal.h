// What a limit of memory means: how much a process may grow by while a query runs.
//
// DuckDB counts the pages of its buffers, and keeps those within a limit of its own. Beside them come its
// library, what each of its threads works with (pages being decoded, rows on their way), and memory that was
// freed and is kept by its allocator, a jemalloc within its library: so its part is smaller, and while
// queries with small limits run the allocator gives back what is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.h"

namespace tidemark {

/// The least that a query can be given.
inline constexpr std::int64_t kQueryBytesMin = std::int64_t{128} << 20;

struct MemoryShares {
  std::int64_t engine_bytes = 0;  // for what DuckDB counts; 0: its own choice
  std::size_t threads = 0;        // 0: one per processor
  std::int64_t result_bytes =
      0;                       // for a result that waits for its reader, in DuckDB's count; 0: its own choice
  bool returns_freed = false;  // the allocator is to keep nothing
};

/// Of a limit of `bytes_max` (0: none) for at most `threads` threads (0: one per processor). kInvalidArgument
/// if that is less than kQueryBytesMin.
Result<MemoryShares> SharesOf(std::int64_t bytes_max, std::size_t threads);

/// As long as what this gives lives, memory that DuckDB frees goes back to the system at once. `library` is
/// DuckDB's, which has been loaded. Null if its allocator is another one.
std::shared_ptr<const void> ReturnFreedMemory(const std::filesystem::path& library);

/// Whether a query that begins now holds more than `bytes_max` allows, because of memory that DuckDB does not
/// count: texts that max, min and the like hold for each group come from the process's own allocator. What
/// others take of that meanwhile is counted too, beyond the part of the limit that is left for it. Null for
/// no limit.
std::function<bool()> MemoryGuard(const std::filesystem::path& library, std::int64_t bytes_max,
                                  const MemoryShares& shares);

}  // namespace tidemark
