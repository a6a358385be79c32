#include "adapters/wal/log_disk_testing.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <set>

#include "base/check.h"

namespace tidemark::wal {

FaultyDisk::Fault FaultyDisk::Before(DiskCall call) {
  std::int64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
    ++counts_[static_cast<std::size_t>(call)];
  }
  return ask_ ? ask_(call, before) : Fault{};
}

std::int64_t FaultyDisk::calls(DiskCall call) const {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<std::size_t>(call)];
}

std::int64_t FaultyDisk::calls() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

int FaultyDisk::Open(const std::string& path, int flags) {
  const Fault fault = Before(DiskCall::kOpen);
  return fault.error != 0 ? -fault.error : SystemDisk().Open(path, flags);
}
std::int64_t FaultyDisk::Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) {
  const Fault fault = Before(DiskCall::kWrite);
  if (fault.error == 0) return SystemDisk().Write(fd, bytes, offset);
  if (fault.is_short) {
    const std::int64_t written = SystemDisk().Write(fd, bytes.first(bytes.size() / 2), offset);
    if (written != 0) return written;  // the next call finds that there is no more room
  }
  return -fault.error;
}
int FaultyDisk::Sync(int fd) {
  const Fault fault = Before(DiskCall::kSync);
  return fault.error != 0 ? -fault.error : SystemDisk().Sync(fd);
}
int FaultyDisk::Truncate(int fd, std::int64_t bytes) {
  const Fault fault = Before(DiskCall::kTruncate);
  return fault.error != 0 ? -fault.error : SystemDisk().Truncate(fd, bytes);
}
int FaultyDisk::Remove(const std::string& path) {
  const Fault fault = Before(DiskCall::kRemove);
  return fault.error != 0 ? -fault.error : SystemDisk().Remove(path);
}
int FaultyDisk::MakeFolder(const std::string& path) {
  const Fault fault = Before(DiskCall::kMakeFolder);
  return fault.error != 0 ? -fault.error : SystemDisk().MakeFolder(path);
}
int FaultyDisk::RemoveFolder(const std::string& path) {
  const Fault fault = Before(DiskCall::kRemoveFolder);
  return fault.error != 0 ? -fault.error : SystemDisk().RemoveFolder(path);
}
int FaultyDisk::Rename(const std::string& from, const std::string& to) {
  const Fault fault = Before(DiskCall::kRename);
  return fault.error != 0 ? -fault.error : SystemDisk().Rename(from, to);
}
int FaultyDisk::SyncFolder(const std::string& path) {
  const Fault fault = Before(DiskCall::kSyncFolder);
  return fault.error != 0 ? -fault.error : SystemDisk().SyncFolder(path);
}

void RecordingDisk::Remember(Call call) {
  const std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
}

std::string RecordingDisk::PathOf(int fd) const {
  const std::lock_guard lock(mutex_);
  return paths_.at(fd);
}

std::size_t RecordingDisk::now() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

int RecordingDisk::Open(const std::string& path, int flags) {
  const int fd = SystemDisk().Open(path, flags);
  if (fd < 0) return fd;
  const std::lock_guard lock(mutex_);
  paths_[fd] = path;
  if ((flags & O_CREAT) != 0) calls_.push_back({.kind = DiskCall::kOpen, .path = path, .to = {}});
  return fd;
}
std::int64_t RecordingDisk::Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) {
  Remember({.kind = DiskCall::kWrite,
            .path = PathOf(fd),
            .to = {},
            .bytes = {bytes.begin(), bytes.end()},
            .offset = offset});
  return SystemDisk().Write(fd, bytes, offset);
}
int RecordingDisk::Sync(int fd) {
  const int code = SystemDisk().Sync(fd);
  Remember({.kind = DiskCall::kSync, .path = PathOf(fd), .to = {}});  // counts only when it is over
  return code;
}
int RecordingDisk::Truncate(int fd, std::int64_t bytes) {
  Remember({.kind = DiskCall::kTruncate, .path = PathOf(fd), .to = {}, .offset = bytes});
  return SystemDisk().Truncate(fd, bytes);
}
int RecordingDisk::Remove(const std::string& path) {
  Remember({.kind = DiskCall::kRemove, .path = path, .to = {}});
  return SystemDisk().Remove(path);
}
int RecordingDisk::MakeFolder(const std::string& path) {
  Remember({.kind = DiskCall::kMakeFolder, .path = path, .to = {}});
  return SystemDisk().MakeFolder(path);
}
int RecordingDisk::RemoveFolder(const std::string& path) {
  Remember({.kind = DiskCall::kRemoveFolder, .path = path, .to = {}});
  return SystemDisk().RemoveFolder(path);
}
int RecordingDisk::Rename(const std::string& from, const std::string& to) {
  Remember({.kind = DiskCall::kRename, .path = from, .to = to});
  return SystemDisk().Rename(from, to);
}
int RecordingDisk::SyncFolder(const std::string& path) {
  const int code = SystemDisk().SyncFolder(path);
  Remember({.kind = DiskCall::kSyncFolder, .path = path, .to = {}});
  return code;
}

namespace {

constexpr std::size_t kSectorBytes = 512;

// A file of the play: what is on the disk, and what is only in memory. Writes past a sector that was lost
// leave zeros there.
struct PlayedFile {
  struct Change {
    std::vector<std::byte> bytes;
    std::size_t offset = 0;
    bool is_cut = false;
  };
  std::vector<std::byte> synced;
  std::vector<Change> unsynced;

  static void Apply(const Change& change, std::vector<std::byte>& bytes) {
    if (change.is_cut) {
      bytes.resize(change.offset);
      return;
    }
    bytes.resize(std::max(bytes.size(), change.offset + change.bytes.size()));
    std::ranges::copy(change.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
  void Sync() {
    for (const Change& change : unsynced)
      Apply(change, synced);
    unsynced.clear();
  }
  // Each sector of each change is there or not.
  std::vector<std::byte> Lose(std::mt19937_64& random) const {
    std::vector<std::byte> bytes = synced;
    for (const Change& change : unsynced) {
      if (change.is_cut) {
        if (random() % 2 == 0) Apply(change, bytes);
        continue;
      }
      const std::uint64_t mood = random() % 4;  // 0: none of it, 1: all of it, else in pieces
      std::size_t at = 0;
      while (at < change.bytes.size()) {
        const std::size_t next =
            std::min(change.bytes.size(),
                     (change.offset + at) / kSectorBytes * kSectorBytes + kSectorBytes - change.offset);
        if (mood == 1 || (mood > 1 && random() % 2 == 0)) {
          const auto begin = change.bytes.begin() + static_cast<std::ptrdiff_t>(at);
          Apply({.bytes = {begin, change.bytes.begin() + static_cast<std::ptrdiff_t>(next)},
                 .offset = change.offset + at},
                bytes);
        }
        at = next;
      }
    }
    return bytes;
  }
};

// Names of files and folders: on the disk, and changes of them that are only in memory.
class PlayedNames {
 public:
  struct Change {
    DiskCall kind;
    std::string path;
    std::string to;
    std::shared_ptr<PlayedFile> file;
  };

  void Do(const Change& change) {
    Apply(change, now_);
    unsynced_.push_back(change);
  }
  void SyncFolder(const std::string& folder) {
    std::erase_if(unsynced_, [&](const Change& change) {
      const bool is_in = std::filesystem::path(change.path).parent_path() == folder;
      if (is_in) Apply(change, synced_);
      return is_in;
    });
  }
  std::shared_ptr<PlayedFile> Find(const std::string& path) const {
    const auto found = now_.find(path);
    return found == now_.end() ? nullptr : found->second;
  }
  std::map<std::string, std::shared_ptr<PlayedFile>> Lose(std::mt19937_64& random) const {
    auto left = synced_;
    for (const Change& change : unsynced_) {
      if (random() % 2 == 0) Apply(change, left);
    }
    return left;
  }

 private:
  using Names = std::map<std::string, std::shared_ptr<PlayedFile>>;  // null: a folder

  static void Apply(const Change& change, Names& names) {
    switch (change.kind) {
      case DiskCall::kOpen:
      case DiskCall::kMakeFolder:
        names[change.path] = change.file;
        break;
      case DiskCall::kRemove:
      case DiskCall::kRemoveFolder:
        names.erase(change.path);
        break;
      default: {  // a rename, of a folder with all that is in it
        Names renamed;
        for (const auto& [path, file] : names) {
          const bool is_in = path == change.path || path.starts_with(change.path + "/");
          renamed[is_in ? change.to + path.substr(change.path.size()) : path] = file;
        }
        names = std::move(renamed);
      }
    }
  }

  Names now_;
  Names synced_;
  std::vector<Change> unsynced_;
};

}  // namespace

void RecordingDisk::PlayPowerLoss(std::size_t moment, std::mt19937_64& random, const std::string& root,
                                  const std::string& folder) const {
  const std::lock_guard lock(mutex_);
  PlayedNames names;
  for (const Call& call : std::span(calls_).first(moment)) {
    const std::shared_ptr<PlayedFile> file = names.Find(call.path);
    switch (call.kind) {
      case DiskCall::kOpen:
        if (file == nullptr) names.Do({call.kind, call.path, {}, std::make_shared<PlayedFile>()});
        break;
      case DiskCall::kWrite:
        file->unsynced.push_back({.bytes = call.bytes, .offset = static_cast<std::size_t>(call.offset)});
        break;
      case DiskCall::kTruncate:
        file->unsynced.push_back(
            {.bytes = {}, .offset = static_cast<std::size_t>(call.offset), .is_cut = true});
        break;
      case DiskCall::kSync:
        file->Sync();
        break;
      case DiskCall::kSyncFolder:
        names.SyncFolder(call.path);
        break;
      default:
        names.Do({call.kind, call.path, call.to, nullptr});
    }
  }
  for (const auto& [path, file] : names.Lose(random)) {
    TM_CHECK(path.starts_with(root), "a file elsewhere");
    const std::filesystem::path to = folder + path.substr(root.size());
    // A folder whose name was lost is lost with what is in it.
    if (!std::filesystem::exists(to.parent_path())) continue;
    if (file == nullptr) {
      std::filesystem::create_directory(to);
      continue;
    }
    const std::vector<std::byte> bytes = file->Lose(random);
    std::ofstream(to, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace tidemark::wal
