// Disks that fail on command, count, or remember: for tests of what a log does when its disk does not do what
// it should.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "adapters/wal/log_disk.h"

namespace tidemark::wal {

enum class DiskCall : std::uint8_t {
  kOpen,
  kWrite,
  kSync,
  kTruncate,
  kRemove,
  kMakeFolder,
  kRemoveFolder,
  kRename,
  kSyncFolder,
};
inline constexpr std::size_t kDiskCalls = 9;

/// The system's disk, with something in front that is asked before each call.
class FaultyDisk final : public LogDisk {
 public:
  /// What to do instead of a call: fail with an errno, after half of what was to be written if it `is_short`;
  /// 0: nothing, go on.
  struct Fault {
    int error = 0;
    bool is_short = false;
  };
  /// Asked with the kind of the call and how many calls were made before it. May block.
  using Ask = std::function<Fault(DiskCall call, std::int64_t calls_before)>;
  explicit FaultyDisk(Ask ask = {}) : ask_(std::move(ask)) {}

  std::int64_t calls(DiskCall call) const;
  std::int64_t calls() const;

  int Open(const std::string& path, int flags) override;
  std::int64_t Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) override;
  int Sync(int fd) override;
  int Truncate(int fd, std::int64_t bytes) override;
  int Remove(const std::string& path) override;
  int MakeFolder(const std::string& path) override;
  int RemoveFolder(const std::string& path) override;
  int Rename(const std::string& from, const std::string& to) override;
  int SyncFolder(const std::string& path) override;

 private:
  Fault Before(DiskCall call);

  const Ask ask_;
  mutable std::mutex mutex_;  // guards counts_
  std::array<std::int64_t, kDiskCalls> counts_{};
};

/// The system's disk, and a memory of everything that was done to it, to play what a loss of power leaves.
class RecordingDisk final : public LogDisk {
 public:
  int Open(const std::string& path, int flags) override;
  std::int64_t Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) override;
  int Sync(int fd) override;
  int Truncate(int fd, std::int64_t bytes) override;
  int Remove(const std::string& path) override;
  int MakeFolder(const std::string& path) override;
  int RemoveFolder(const std::string& path) override;
  int Rename(const std::string& from, const std::string& to) override;
  int SyncFolder(const std::string& path) override;

  /// How many calls have been remembered: a moment.
  std::size_t now() const;

  /// Makes in `folder` what may be left of `root` if the power fails at `moment`: what was synced before is
  /// there; of the rest, writes are there, not there, or torn in sectors, in any order, and so are new,
  /// removed and renamed names.
  void PlayPowerLoss(std::size_t moment, std::mt19937_64& random, const std::string& root,
                     const std::string& folder) const;

 private:
  struct Call {
    DiskCall kind = DiskCall::kOpen;
    std::string path;
    std::string to;                  // of a rename
    std::vector<std::byte> bytes{};  // written
    std::int64_t offset = 0;         // of a write; the new size, of a cut
  };
  void Remember(Call call);
  std::string PathOf(int fd) const;

  mutable std::mutex mutex_;
  std::vector<Call> calls_;
  std::map<int, std::string> paths_;  // of open files
};

}  // namespace tidemark::wal
