// Bytes that are put aside on the disk for the length of one piece of work.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// A nameless file that goes with this object, or with the process. Not thread safe. Errors are kOutOfSpace
/// for a full disk and kIo.
class Spill {
 public:
  virtual ~Spill() = default;

  virtual Result<void> Append(std::string_view bytes) = 0;

  /// The `count` bytes at `offset`, in the order in which they were appended; kCorruption if there are fewer.
  virtual Result<std::string> Read(std::int64_t offset, std::int64_t count) const = 0;
};

using SpillOpener = std::function<Result<std::unique_ptr<Spill>>()>;

}  // namespace tidemark
