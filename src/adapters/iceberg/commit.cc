#include "adapters/iceberg/commit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <random>
#include <thread>

#include "adapters/iceberg/named_file.h"
#include "pit/utf8.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

// Others keep a hundred too.
constexpr std::size_t kMetadataLogMax = 100;
// Each lost try means that somebody else committed, so this many are no live lock but a defect.
constexpr int kTriesMax = 10'000;
constexpr auto kLockPatience = std::chrono::seconds(5);

/// Commits of one table one after another, so that none of them is done in vain. Only for speed: when the
/// lock cannot be had in time, the swap still decides.
class CommitLock {
 public:
  explicit CommitLock(const fs::path& folder)
      : descriptor_(::open((folder / "commit.lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
    const auto end = std::chrono::steady_clock::now() + kLockPatience;
    while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  CommitLock(const CommitLock&) = delete;
  CommitLock& operator=(const CommitLock&) = delete;
  ~CommitLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  int descriptor_;
};

void Remove(const std::vector<fs::path>& paths) {
  for (const fs::path& path : paths)
    ::unlink(path.c_str());
}

// "00012-..." is the twelfth metadata file of a table.
std::int64_t VersionOf(const std::string& location) {
  const std::size_t name = location.rfind('/') + 1;
  std::int64_t version = 0;
  std::from_chars(location.data() + name, location.data() + location.size(), version);
  return version;
}

Result<void> Set(const CommitDecision& decision, TableMetadata& metadata) {
  for (const auto& [key, value] : decision.properties) {
    const bool is_text = IsUtf8(key) && (!value || IsUtf8(*value));
    if (!is_text) return Fail(ErrorCode::kInvalidArgument, "a property of a table is not UTF-8");
    if (value) {
      metadata.properties[key] = *value;
    } else {
      metadata.properties.erase(key);
    }
  }
  return {};
}

/// The log of earlier metadata files gets the head's; returns those that fall out of it.
std::vector<fs::path> ExtendLog(const Head& head, TableMetadata& next) {
  next.metadata_log.push_back({head.metadata.last_updated_ms, head.location});
  std::vector<fs::path> dropped;
  while (next.metadata_log.size() > kMetadataLogMax) {
    if (const auto path = ToPath(next.metadata_log.front().location)) dropped.push_back(*path);
    next.metadata_log.erase(next.metadata_log.begin());
  }
  return dropped;
}

enum class Fate : std::uint8_t { kCommitted, kLost, kUnknown };

/// Whether the metadata at `location` is, or was, the table's.
Fate LookUp(HeadLoader& heads, const std::string& location) {
  const auto head = heads.Load();
  if (!head) return Fate::kUnknown;
  if ((*head)->location == location) return Fate::kCommitted;
  const bool was = std::ranges::find((*head)->metadata.metadata_log, location, &MetadataLogEntry::location) !=
                   (*head)->metadata.metadata_log.end();
  return was ? Fate::kCommitted : Fate::kLost;
}

class Committer {
 public:
  Committer(const TablePlace& place, HeadLoader& heads, const CommitRule& rule, const Change& change)
      : place_(place), heads_(heads), rule_(rule), change_(change) {}

  /// One try; nothing if it was lost.
  Result<std::optional<Committed>> Try() {
    TM_ASSIGN(const std::shared_ptr<const Head> head, heads_.Load());
    const TableHead seen{.snapshot_id = head->metadata.current_snapshot_id.value_or(0),
                         .properties = head->metadata.properties};
    TM_ASSIGN(const CommitDecision decision, rule_(seen));
    if (!decision.commit) return Committed{.committed = false, .head = head};
    auto next = std::make_shared<Head>(Head{"", head->metadata});
    TM_TRY(Set(decision, next->metadata));
    const std::int64_t now_ms = std::max(place_.clock.now_us() / 1000, head->metadata.last_updated_ms);
    Attempt attempt{.head = *head, .next = next->metadata, .now_ms = now_ms};
    auto changed = change_(attempt);
    if (changed && !*changed) {
      Remove(attempt.made);
      return Committed{.committed = false, .head = head};
    }
    next->metadata.last_updated_ms = now_ms;
    const std::vector<fs::path> dropped = ExtendLog(*head, next->metadata);
    auto written = changed ? Write(*head, *next, attempt) : Result<void>(std::unexpected(changed.error()));
    if (!written) {
      Remove(attempt.made);
      return std::unexpected(std::move(written).error());
    }
    TM_ASSIGN(const bool swapped, Swap(*head, *next, attempt));
    if (!swapped) return std::nullopt;
    heads_.Keep(next);
    Remove(dropped);
    TM_TRY(place_.Step("after swap"));
    return Committed{.committed = true, .head = next};
  }

  bool unknown() const { return unknown_; }

 private:
  Result<void> Write(const Head& head, Head& next, Attempt& attempt) {
    TM_ASSIGN(const fs::path path,
              WriteMetadataFile(place_.metadata(), VersionOf(head.location) + 1, next.metadata));
    attempt.made.push_back(path);
    next.location = ToLocation(path);
    TM_TRY(place_.Step("metadata"));
    TM_TRY(SyncFolder(place_.metadata()));
    return place_.Step("before swap");
  }

  Result<bool> Swap(const Head& head, const Head& next, const Attempt& attempt) {
    auto swapped = place_.catalog.Swap(place_.id, head.location, next.location);
    if (swapped) {
      if (!*swapped) Remove(attempt.made);
      return swapped;
    }
    if (swapped.error().code != ErrorCode::kUnknownFate) {
      Remove(attempt.made);
      return swapped;
    }
    const Fate fate = LookUp(heads_, next.location);
    if (fate == Fate::kUnknown) {
      unknown_ = true;
      return swapped;
    }
    if (fate == Fate::kLost) Remove(attempt.made);
    return fate == Fate::kCommitted;
  }

  const TablePlace& place_;
  HeadLoader& heads_;
  const CommitRule& rule_;
  const Change& change_;
  bool unknown_ = false;
};

}  // namespace

std::string RandomUuid() {
  std::random_device random;
  const unsigned a = random();
  const unsigned b = random();
  const unsigned c = random();
  const unsigned d = random();
  // Version 4, variant 1 (RFC 4122).
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:04x}{:08x}", a, b >> 16, b & 0xFFF,
                     0x8000 | (c >> 16 & 0x3FFF), c & 0xFFFF, d);
}

Result<fs::path> WriteMetadataFile(const fs::path& folder, std::int64_t version,
                                   const TableMetadata& metadata) {
  return WriteNamedFile(folder, fmt::format("{:05}-{}", version, RandomUuid()), ".metadata.json",
                        WriteTableMetadata(metadata));
}

Result<Committed> Commit(const TablePlace& place, HeadLoader& heads, const CommitRule& rule,
                         const Change& change, bool* unknown) {
  const CommitLock lock(place.folder);
  Committer committer(place, heads, rule, change);
  for (int tries = 0; tries < kTriesMax; ++tries) {
    auto tried = committer.Try();
    if (unknown != nullptr) *unknown = committer.unknown();
    if (!tried) return std::unexpected(std::move(tried).error());
    if (*tried) return **std::move(tried);
  }
  return Fail(ErrorCode::kBusy, "others commit to the table all the time; nothing was changed. Try again");
}

}  // namespace tidemark::iceberg
