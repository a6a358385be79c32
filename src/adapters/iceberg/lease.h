// Leases: which snapshots are being read, by any process of this machine.
//
// A lease is a file in the table's folder `leases`, locked (flock) by the process that reads as long as it
// lives; it says the snapshot and its manifest list. The lock of a process that died is gone, so its lease
// counts no more. Whoever expires snapshots looks at the leases before, and again after, its commit; a reader
// takes its lease, and then looks whether the snapshot is still there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::iceberg {

struct LeasedSnapshot {
  std::int64_t snapshot_id = 0;
  std::string manifest_list;  // location
};

class Lease {
 public:
  /// In `folder`, which is made if it is not there. A folder that cannot be written (a read-only disk) gives
  /// a lease that holds nothing: nobody can remove files there either.
  static Result<std::shared_ptr<Lease>> Take(const std::filesystem::path& folder,
                                             const LeasedSnapshot& snapshot);

  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  Lease() = default;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// The leases of readers that live, this process's included. Those of dead ones are removed.
Result<std::vector<LeasedSnapshot>> LiveLeases(const std::filesystem::path& folder);

}  // namespace tidemark::iceberg
