// Write times: microseconds that never repeat and never go back, for all writers of one store folder.
//
// They end ties between rows that are equal in key and times, so a correction must get a later one than what
// it corrects, even within one microsecond or after the clock was set back. The last one given is one word,
// int64 in the machine's byte order, in a file that every process maps; after a power loss the clock takes
// over, or, if it was set back, what logs have that are read again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace tidemark {

/// Thread safe; processes that opened the same file share it, also after a fork.
class WriteTimes {
 public:
  /// kIo or kOutOfSpace if the file cannot be made or mapped.
  static Result<std::unique_ptr<WriteTimes>> Open(const std::string& path);

  /// Of this object alone: nothing is kept.
  WriteTimes() = default;
  ~WriteTimes();
  WriteTimes(const WriteTimes&) = delete;
  WriteTimes& operator=(const WriteTimes&) = delete;

  /// Gives `count` write times in a row and returns the first: the clock's, or one more than the last given.
  std::int64_t Take(std::int64_t now_us, std::int64_t count);

  /// What was given to rows that are there: `count` at most, from `first` on. If `first` is later than the
  /// last one given, which a loss of power has taken back, what is given from now on is later than all of
  /// them.
  void Pass(std::int64_t first, std::int64_t count);

 private:
  std::int64_t own_ = 0;
  std::int64_t* last_ = &own_;  // or in a mapped page
};

}  // namespace tidemark
