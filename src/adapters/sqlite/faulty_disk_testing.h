// A disk that fails on command under SQLite: while one of these lives, files that are opened go through it.
#pragma once

#include <functional>
#include <string_view>

namespace tidemark::sqlite {

class FaultyDisk {
 public:
  FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  ~FaultyDisk();

  /// Asked before each "write", "sync" and "delete"; answers the SQLite code to fail with, or 0 to go on.
  void set_fault(std::function<int(std::string_view operation)> fault);
};

}  // namespace tidemark::sqlite
