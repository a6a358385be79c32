#include "adapters/iceberg/table_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "adapters/iceberg/commit.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/partition.h"
#include "adapters/iceberg/single_value.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

// So many manifests of one tier become one of the next; one of the last tier is full.
constexpr std::int64_t kTierFanout = 16;
constexpr std::int64_t kManifestFilesMax = 4096;

Result<std::string> ReadLocation(const std::string& location, std::optional<std::int64_t> length) {
  TM_ASSIGN(const fs::path path, ToPath(location));
  auto bytes = ReadNamedFile(path, length);
  // It was named by another file, so that it is gone is damage.
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("a file of the table is missing: {}. Restore it from a backup", bytes.error().message));
  }
  return bytes;
}

int TierOf(const ManifestFile& manifest) {
  int tier = 0;
  for (std::int64_t files = manifest.live_files(); files >= kTierFanout; files /= kTierFanout)
    ++tier;
  return tier;
}

const std::string* BoundOf(const Bounds& bounds, std::int32_t id) {
  const auto found = std::ranges::find(bounds, id, &std::pair<std::int32_t, std::string>::first);
  return found == bounds.end() ? nullptr : &found->second;
}

// The live entries of some manifests in one; nothing if one of them was written by a program that keeps
// partition values in another form.
Result<std::optional<ManifestFile>> MergeSome(const std::vector<ManifestFile>& some, const fs::path& folder,
                                              const TableMetadata& metadata, std::int64_t snapshot_id,
                                              std::int64_t sequence_number, std::vector<fs::path>& made) {
  const PartitionSpec* const spec = metadata.FindSpec(some.front().spec_id);
  if (spec == nullptr) return std::nullopt;
  const auto own_schema = ManifestSchemaJson(metadata.schema(), *spec);
  if (!own_schema) return std::nullopt;
  std::vector<ManifestEntry> entries;
  std::vector<FieldSummary> summaries;
  for (const ManifestFile& manifest : some) {
    std::string schema_json;
    TM_TRY(LoadEntries(
        manifest,
        [&](ManifestEntry&& entry) -> Result<void> {
          if (entry.status == EntryStatus::kDeleted) return {};
          if (entry.snapshot_id != snapshot_id) entry.status = EntryStatus::kExisting;
          // A file of this very snapshot gets its numbers with it.
          if (entry.snapshot_id == snapshot_id)
            entry.sequence_number = entry.file_sequence_number = std::nullopt;
          entries.push_back(std::move(entry));
          return {};
        },
        &schema_json));
    if (schema_json != *own_schema) return std::nullopt;
    MergeSummaries(metadata.schema(), *spec, summaries, manifest.partitions);
  }
  TM_ASSIGN(ManifestFile merged,
            WriteManifest(folder, metadata.schema(), *spec, entries, snapshot_id, sequence_number, made));
  merged.partitions = std::move(summaries);
  return merged;
}

}  // namespace

Result<std::vector<ManifestFile>> LoadManifestList(const std::string& location) {
  TM_ASSIGN(const std::string bytes, ReadLocation(location, std::nullopt));
  auto manifests = ReadManifestList(bytes);
  if (!manifests) return std::unexpected(std::move(manifests).error().In("file " + location));
  return manifests;
}

Result<std::vector<ManifestFile>> LoadManifests(const Snapshot* snapshot) {
  if (snapshot == nullptr) return std::vector<ManifestFile>{};
  return LoadManifestList(snapshot->manifest_list);
}

Result<void> LoadEntries(const ManifestFile& manifest, FunctionRef<Result<void>(ManifestEntry&& entry)> visit,
                         std::string* schema_json) {
  TM_ASSIGN(const std::string bytes, ReadLocation(manifest.location, manifest.length));
  TM_TRY_IN(ReadManifest(bytes, manifest, visit, schema_json), "file " + manifest.location);
  return {};
}

Result<std::vector<ManifestEntry>> LoadDataFiles(const Snapshot* snapshot) {
  TM_ASSIGN(const std::vector<ManifestFile> manifests, LoadManifests(snapshot));
  std::vector<ManifestEntry> files;
  for (const ManifestFile& manifest : manifests) {
    if (manifest.has_counts && manifest.live_files() == 0) continue;
    TM_TRY(LoadEntries(manifest, [&](ManifestEntry&& entry) -> Result<void> {
      if (entry.status == EntryStatus::kDeleted) return {};
      if (entry.file.content != 0 || manifest.content != 0) {
        return Fail(
            ErrorCode::kUnsupported,
            fmt::format(
                "the table has delete files ({}), which are not read: rewrite its data files where it "
                "is written",
                entry.file.location));
      }
      files.push_back(std::move(entry));
      return {};
    }));
  }
  return files;
}

Result<DataFileInfo> DescribeDataFile(const ManifestEntry& entry, const Schema& schema) {
  TM_ASSIGN(const fs::path path, ToPath(entry.file.location));
  DataFileInfo info{.path = path.string(),
                    .rows = entry.file.rows,
                    .bytes = entry.file.bytes,
                    .added_by = entry.snapshot_id.value_or(0)};
  info.partition = entry.file.partition;
  for (const SchemaField& field : schema.fields) {
    if (field.shape != SchemaField::Shape::kPrimitive) continue;
    const std::string* const lower = BoundOf(entry.file.lower_bounds, field.id);
    const std::string* const upper = BoundOf(entry.file.upper_bounds, field.id);
    if (lower == nullptr || upper == nullptr) continue;
    if (auto range = RangeOf(field, *lower, *upper)) info.ranges.push_back(*std::move(range));
  }
  return info;
}

Result<ManifestFile> WriteManifest(const fs::path& folder, const Schema& schema, const PartitionSpec& spec,
                                   const std::vector<ManifestEntry>& entries, std::int64_t snapshot_id,
                                   std::int64_t sequence_number, std::vector<fs::path>& made) {
  TM_ASSIGN(ManifestWriter writer, ManifestWriter::Make(schema, spec));
  for (const ManifestEntry& entry : entries)
    writer.Add(entry);
  ManifestFile manifest;
  const std::string bytes = writer.Finish(sequence_number, manifest);
  TM_ASSIGN(const fs::path path, WriteNamedFile(folder, RandomUuid() + "-m", ".avro", bytes));
  made.push_back(path);
  manifest.location = ToLocation(path);
  manifest.length = std::ssize(bytes);
  manifest.added_snapshot_id = snapshot_id;
  return manifest;
}

Result<std::vector<ManifestFile>> MergeManifests(std::vector<ManifestFile> manifests, const fs::path& folder,
                                                 const TableMetadata& metadata, std::int64_t snapshot_id,
                                                 std::int64_t sequence_number, std::vector<fs::path>& made) {
  std::map<std::pair<std::int32_t, int>, std::vector<std::size_t>> tiers;  // by spec and size
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    const ManifestFile& manifest = manifests[i];
    const bool can_merge = manifest.content == 0 && manifest.live_files() < kManifestFilesMax;
    if (can_merge) tiers[{manifest.spec_id, TierOf(manifest)}].push_back(i);
  }
  for (const auto& [tier, members] : tiers) {
    if (std::ssize(members) < kTierFanout) continue;
    std::vector<ManifestFile> some;
    for (const std::size_t i : members)
      some.push_back(manifests[i]);
    TM_ASSIGN(auto merged, MergeSome(some, folder, metadata, snapshot_id, sequence_number, made));
    if (!merged) continue;
    // In the place of the first, so that the order of files stays that of their commits, newest first.
    manifests[members.front()] = *std::move(merged);
    for (std::size_t i = 1; i < members.size(); ++i)
      manifests[members[i]].length = -1;
    std::erase_if(manifests, [](const ManifestFile& manifest) { return manifest.length < 0; });
    break;  // one tier a commit: the next commit does the next
  }
  return manifests;
}

}  // namespace tidemark::iceberg
