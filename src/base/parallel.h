// Runs independent tasks on a bounded number of threads, and stops early on an error or an interrupt.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

#include "base/result.h"

namespace tidemark {

/// How many threads work may use: `asked` if it is above zero, or else one per processor.
std::size_t ThreadCount(std::size_t asked);

/// Calls `task(index, thread)` for every index below `count`, in order of index, on at most `threads` threads
/// (thread numbers are below `threads`; with one thread it runs on the caller's). The first error (that with
/// the lowest index among those seen) is returned and no further task starts; so it is with kCancelled once
/// `stop` is requested. Returns when every started task has ended. `task` must not throw.
Result<void> ParallelFor(std::size_t count, std::size_t threads, const std::stop_token& stop,
                         const std::function<Result<void>(std::size_t index, std::size_t thread)>& task);

}  // namespace tidemark
