// Zeros over what removed rows leave in the file.
//
// LMDB never writes a page in place: a changed page is written to a free one, and the old one, with all that
// was in it, becomes free. And it clears nothing: between the end of a page's list of nodes and its first
// node there is whatever its buffer held before. So a row that was removed, or replaced, lives on
//
//   - in pages that are free,
//   - in the unused part of pages that are not, and behind values that have pages of their own,
//   - in the buffers of every process that wrote (Environment::Reopen sees to those).
//
// Nobody reads these bytes, so zeros are written over them in place, as long as nobody else writes. Which
// pages are whose is found by walking the trees of the newest snapshot: the rows' and that of the free pages.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace tidemark::lmdb {

struct ScrubOptions {
  std::uint64_t oldest_reader = 0;  // pages that it may see stay as they are
  bool free_pages_only = false;
};

/// Returns the number of the newest snapshot. kCorruption, with nothing written, for a file that does not add
/// up; kIo. Nobody may write to the file meanwhile.
Result<std::uint64_t> ScrubFile(int fd, const ScrubOptions& options);

}  // namespace tidemark::lmdb
