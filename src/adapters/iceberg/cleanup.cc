#include "adapters/iceberg/cleanup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "adapters/iceberg/lease.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/table_files.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

using Names = std::set<std::string, std::less<>>;

/// Removes a file of the table's own folder; those elsewhere belong to somebody else.
Result<void> RemoveFile(const TablePlace& place, const fs::path& path, CleanupReport& report) {
  const fs::path folder = path.parent_path();
  if (folder != place.data() && folder != place.metadata()) return {};
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};  // another cleaning was first
    return std::unexpected(SystemError("look at", path, errno));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(SystemError("remove", path, errno));
  report.files += 1;
  report.bytes += found.st_size;
  return {};
}

std::int64_t CommittedUs(const Snapshot& snapshot) {
  return snapshot.timestamp_ms * 1000;
}

/// Files that some manifest lists lead to, by location.
class Reachable {
 public:
  /// The list itself, its manifests, and their data files; also those that a manifest says are deleted if
  /// `with_deleted`.
  Result<void> Add(const std::string& manifest_list, bool with_deleted) {
    if (!lists_.insert(manifest_list).second) return {};
    TM_ASSIGN(const std::vector<ManifestFile> manifests, LoadManifestList(manifest_list));
    for (const ManifestFile& manifest : manifests) {
      if (!manifests_.insert(manifest.location).second) continue;
      TM_TRY(LoadEntries(manifest, [&](ManifestEntry&& entry) -> Result<void> {
        if (with_deleted || entry.status != EntryStatus::kDeleted)
          data_.insert(std::move(entry.file.location));
        return {};
      }));
    }
    return {};
  }

  bool Contains(const std::string& location) const {
    return lists_.contains(location) || manifests_.contains(location) || data_.contains(location);
  }

  /// Data files first: as long as there is a manifest, what it leads to can be found again.
  std::vector<std::string> InOrderOfRemoval() const {
    std::vector<std::string> all(data_.begin(), data_.end());
    all.insert(all.end(), manifests_.begin(), manifests_.end());
    all.insert(all.end(), lists_.begin(), lists_.end());
    return all;
  }

 private:
  Names lists_;
  Names manifests_;
  Names data_;
};

Result<Reachable> LiveFiles(const TablePlace& place, const TableMetadata& metadata) {
  Reachable live;
  for (const Snapshot& snapshot : metadata.snapshots)
    TM_TRY(live.Add(snapshot.manifest_list, false));
  TM_ASSIGN(const std::vector<LeasedSnapshot> leases, LiveLeases(place.leases()));
  for (const LeasedSnapshot& leased : leases) {
    // A snapshot that was expired before it was leased: its reader notices, and looks for a newer one.
    const auto path = ToPath(leased.manifest_list);
    if (!path || ::access(path->c_str(), F_OK) == 0) TM_TRY(live.Add(leased.manifest_list, false));
  }
  return live;
}

/// Which snapshots may go, of those of one state of the table.
class Expiry {
 public:
  Expiry(const TableMetadata& metadata, const ExpireOptions& options,
         const std::vector<LeasedSnapshot>& leases) {
    std::set<std::int64_t> stay;
    for (const auto& [name, reference] : metadata.references)
      stay.insert(reference.snapshot_id);
    if (metadata.current_snapshot_id) stay.insert(*metadata.current_snapshot_id);
    std::vector<Snapshot> by_age = metadata.snapshots;
    std::ranges::sort(by_age, std::greater<>(), &Snapshot::sequence_number);
    for (std::size_t i = 0; i < by_age.size() && i < options.keep; ++i)
      stay.insert(by_age[i].id);
    for (const Snapshot& snapshot : by_age) {
      if (stay.contains(snapshot.id) || CommittedUs(snapshot) >= options.older_than_us) continue;
      if (std::ranges::find(leases, snapshot.id, &LeasedSnapshot::snapshot_id) != leases.end()) {
        ++leased;
      } else {
        gone.insert(snapshot.id);
      }
    }
  }

  std::set<std::int64_t> gone;
  std::int64_t leased = 0;
};

void Forget(const std::set<std::int64_t>& gone, TableMetadata& metadata) {
  std::erase_if(metadata.snapshots, [&](const Snapshot& snapshot) { return gone.contains(snapshot.id); });
  // What came before a forgotten entry cannot be told from it any more.
  const auto last =
      std::find_if(metadata.snapshot_log.rbegin(), metadata.snapshot_log.rend(),
                   [&](const SnapshotLogEntry& entry) { return gone.contains(entry.snapshot_id); });
  metadata.snapshot_log.erase(metadata.snapshot_log.begin(), last.base());
}

}  // namespace

Result<CleanupReport> ExpireSnapshots(const TablePlace& place, HeadLoader& heads,
                                      const ExpireOptions& options) {
  CleanupReport report;
  std::vector<Snapshot> gone;
  const auto change = [&](Attempt& attempt) -> Result<bool> {
    TM_ASSIGN(const std::vector<LeasedSnapshot> leases, LiveLeases(place.leases()));
    const Expiry expiry(attempt.next, options, leases);
    report.leased = expiry.leased;
    gone.clear();
    for (const Snapshot& snapshot : attempt.next.snapshots) {
      if (expiry.gone.contains(snapshot.id)) gone.push_back(snapshot);
    }
    Forget(expiry.gone, attempt.next);
    return !gone.empty();
  };
  TM_ASSIGN(const Committed committed, Commit(place, heads, CommitAlways, change));
  if (!committed.committed) return report;
  report.snapshots = std::ssize(gone);
  Reachable candidates;
  for (const Snapshot& snapshot : gone)
    TM_TRY(candidates.Add(snapshot.manifest_list, true));
  // Leases are looked at again: one that was taken before the commit is honoured.
  TM_ASSIGN(const Reachable live, LiveFiles(place, committed.head->metadata));
  for (const std::string& location : candidates.InOrderOfRemoval()) {
    if (live.Contains(location)) continue;
    TM_TRY(place.Step("remove"));
    TM_ASSIGN(const fs::path path, ToPath(location));
    TM_TRY(RemoveFile(place, path, report));
  }
  return report;
}

Result<CleanupReport> RemoveOrphans(const TablePlace& place, HeadLoader& heads, std::int64_t older_than_us) {
  CleanupReport report;
  std::vector<fs::path> found;
  // Listed before the head is loaded: what is committed meanwhile is in the head.
  for (const fs::path& folder : {place.data(), place.metadata()}) {
    std::error_code failed;
    fs::directory_iterator entry(folder, failed);
    for (; !failed && entry != fs::directory_iterator(); entry.increment(failed))
      found.push_back(entry->path());
    if (failed) return std::unexpected(SystemError("list", folder, failed.value()));
  }
  TM_ASSIGN(const auto head, heads.Load());
  TM_ASSIGN(const Reachable live, LiveFiles(place, head->metadata));
  Names metadata_files{head->location};
  for (const MetadataLogEntry& entry : head->metadata.metadata_log)
    metadata_files.insert(entry.location);
  for (const fs::path& path : found) {
    const std::string location = ToLocation(path);
    if (live.Contains(location) || metadata_files.contains(location)) continue;
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;
    const std::int64_t written_us =
        std::int64_t{status.st_mtim.tv_sec} * 1'000'000 + status.st_mtim.tv_nsec / 1000;
    if (written_us < older_than_us) TM_TRY(RemoveFile(place, path, report));
  }
  return report;
}

}  // namespace tidemark::iceberg
