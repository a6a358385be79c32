#include "adapters/iceberg/table_changes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <set>

#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/partition.h"
#include "adapters/iceberg/table_files.h"
#include "model/name.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

std::int64_t RandomSnapshotId() {
  std::random_device random;
  const std::uint64_t bits = (std::uint64_t{random()} << 32) | random();
  return static_cast<std::int64_t>(bits >> 1 | 1);  // never 0, never negative
}

/// What the partitions of live entries span; where that cannot be told, what the manifest said before.
std::vector<FieldSummary> SummariesOfLive(const Schema& schema, const PartitionSpec& spec,
                                          const std::vector<ManifestEntry>& entries,
                                          const ManifestFile& before) {
  std::vector<FieldSummary> summaries;
  for (const ManifestEntry& entry : entries) {
    if (entry.status == EntryStatus::kDeleted) continue;
    const auto own = SummariesOfTuple(schema, spec, entry.file.partition);
    if (!own) return before.partitions;
    MergeSummaries(schema, spec, summaries, *own);
  }
  return summaries.empty() ? before.partitions : summaries;
}

std::int64_t TotalOf(const Snapshot* snapshot, const char* name) {
  if (snapshot == nullptr) return 0;
  const auto found = snapshot->summary.find(name);
  std::int64_t total = 0;
  if (found != snapshot->summary.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), total);
  return total;
}

}  // namespace

/// What goes with the removed files.
struct FilesChange::Removal {
  std::int64_t files = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

FilesChange::FilesChange(const TablePlace& place, Options options)
    : place_(place), options_(std::move(options)), snapshot_id_(RandomSnapshotId()) {}

Result<void> FilesChange::WriteAdded(const TableMetadata& metadata) {
  const Schema* const schema = metadata.FindSchema(options_.schema_id);
  const PartitionSpec* const spec = metadata.FindSpec(options_.spec_id);
  if (schema == nullptr || spec == nullptr)
    return Fail(ErrorCode::kInvalidArgument, "the rows were written for a schema that the table has no more");
  std::vector<ManifestEntry> entries;
  std::vector<FieldSummary> summaries;
  for (const WrittenFile& written : options_.added) {
    entries.push_back({.status = EntryStatus::kAdded, .snapshot_id = snapshot_id_, .file = written.file});
    MergeSummaries(*schema, *spec, summaries, written.partition);
  }
  TM_ASSIGN(added_, WriteManifest(place_.metadata(), *schema, *spec, entries, snapshot_id_, 0, added_path_));
  added_->partitions = std::move(summaries);
  return place_.Step("manifest");
}

void FilesChange::RemoveManifestUnless(bool committed) {
  if (committed && added_is_listed_) return;
  for (const fs::path& path : added_path_)
    ::unlink(path.c_str());
}

Result<bool> FilesChange::RemoveFrom(std::vector<ManifestFile>& manifests, Attempt& attempt,
                                     Removal& removal) {
  std::set<std::string, std::less<>> left;
  for (const std::string& path : options_.removed)
    left.insert(ToLocation(path));
  for (ManifestFile& manifest : manifests) {
    std::vector<ManifestEntry> entries;
    // Entries of files that went earlier are left out of what is rewritten: a partition's values are in them.
    bool is_hit = options_.erases && manifest.deleted_files > 0;
    TM_TRY(LoadEntries(manifest, [&](ManifestEntry&& entry) -> Result<void> {
      if (entry.status == EntryStatus::kDeleted) return {};
      entry.status = EntryStatus::kExisting;
      if (left.erase(entry.file.location) != 0) {
        is_hit = true;
        entry.status = EntryStatus::kDeleted;
        entry.snapshot_id = snapshot_id_;
        // Nothing of the rows is left in the manifest.
        entry.file.lower_bounds.clear();
        entry.file.upper_bounds.clear();
        removal.files += 1;
        removal.rows += entry.file.rows;
        removal.bytes += entry.file.bytes;
        if (options_.erases) return {};
      }
      entries.push_back(std::move(entry));
      return {};
    }));
    if (!is_hit) continue;
    const PartitionSpec* const spec = attempt.next.FindSpec(manifest.spec_id);
    if (spec == nullptr)
      return Fail(ErrorCode::kCorruption, "a manifest is of a partition spec that is not there");
    TM_ASSIGN(ManifestFile rewritten,
              WriteManifest(place_.metadata(), attempt.next.schema(), *spec, entries, snapshot_id_,
                            attempt.next.last_sequence_number, attempt.made));
    rewritten.partitions = SummariesOfLive(attempt.next.schema(), *spec, entries, manifest);
    manifest = std::move(rewritten);
  }
  if (options_.erases)
    std::erase_if(manifests, [](const ManifestFile& manifest) { return manifest.live_files() == 0; });
  return left.empty();
}

Result<bool> FilesChange::Apply(Attempt& attempt) {
  if (options_.added.empty() && options_.removed.empty()) return true;  // properties only
  if (!options_.added.empty() && !added_) TM_TRY(WriteAdded(attempt.next));
  const Snapshot* const parent = attempt.head.metadata.current();
  TM_ASSIGN(std::vector<ManifestFile> manifests, LoadManifests(parent));
  // Those that only say what went earlier are of no more use.
  std::erase_if(manifests, [](const ManifestFile& manifest) { return manifest.live_files() == 0; });
  const std::int64_t sequence = ++attempt.next.last_sequence_number;
  Removal removal;
  if (!options_.removed.empty()) {
    TM_ASSIGN(const bool all_there, RemoveFrom(manifests, attempt, removal));
    if (!all_there) return false;
  }
  if (added_) {
    ManifestFile added = *added_;
    added.sequence_number = added.min_sequence_number = sequence;
    manifests.insert(manifests.begin(), std::move(added));
  }
  if (options_.removed.empty()) {
    TM_ASSIGN(manifests, MergeManifests(std::move(manifests), place_.metadata(), attempt.next, snapshot_id_,
                                        sequence, attempt.made));
  }
  added_is_listed_ = added_ && std::ranges::any_of(manifests, [&](const ManifestFile& manifest) {
                       return manifest.location == added_->location;
                     });
  Snapshot snapshot{.id = snapshot_id_, .sequence_number = sequence, .timestamp_ms = attempt.now_ms};
  if (parent != nullptr) snapshot.parent_id = parent->id;
  const std::string bytes = WriteManifestList(manifests, snapshot);
  TM_ASSIGN(const fs::path path,
            WriteNamedFile(place_.metadata(), fmt::format("snap-{}-{}", snapshot_id_, RandomUuid()), ".avro",
                           bytes));
  attempt.made.push_back(path);
  TM_TRY(place_.Step("manifest list"));
  TM_TRY(AddSnapshot(attempt, removal, ToLocation(path)));
  return true;
}

Result<void> FilesChange::AddSnapshot(Attempt& attempt, const Removal& removal,
                                      const std::string& manifest_list) {
  const Snapshot* const parent = attempt.head.metadata.current();
  Snapshot snapshot{.id = snapshot_id_,
                    .sequence_number = attempt.next.last_sequence_number,
                    .timestamp_ms = attempt.now_ms,
                    .manifest_list = manifest_list,
                    .summary = {},
                    .schema_id = attempt.next.current_schema_id};
  if (parent != nullptr) snapshot.parent_id = parent->id;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::set<std::string, std::less<>> partitions;
  for (const WrittenFile& written : options_.added) {
    rows += written.file.rows;
    bytes += written.file.bytes;
    partitions.insert(written.file.partition);
  }
  auto& summary = snapshot.summary;
  const bool removes = !options_.removed.empty();
  summary["operation"] = !removes                 ? "append"
                         : !options_.erases       ? "replace"
                         : options_.added.empty() ? "delete"
                                                  : "overwrite";
  const auto files = std::ssize(options_.added);
  summary["added-data-files"] = std::to_string(files);
  summary["added-records"] = std::to_string(rows);
  summary["added-files-size"] = std::to_string(bytes);
  summary["changed-partition-count"] = std::to_string(partitions.size());
  if (removes) {
    summary["deleted-data-files"] = std::to_string(removal.files);
    summary["deleted-records"] = std::to_string(removal.rows);
    summary["removed-files-size"] = std::to_string(removal.bytes);
  }
  const auto total = [&](const char* name, std::int64_t change) {
    summary[name] = std::to_string(TotalOf(parent, name) + change);
  };
  total("total-data-files", files - removal.files);
  total("total-records", rows - removal.rows);
  total("total-files-size", bytes - removal.bytes);
  total("total-delete-files", 0);
  total("total-position-deletes", 0);
  total("total-equality-deletes", 0);
  attempt.next.snapshots.push_back(std::move(snapshot));
  SetCurrent(attempt.next, snapshot_id_, attempt.now_ms);
  return {};
}

void SetCurrent(TableMetadata& metadata, std::int64_t snapshot_id, std::int64_t now_ms) {
  metadata.current_snapshot_id = snapshot_id;
  metadata.snapshot_log.push_back({now_ms, snapshot_id});
  SnapshotReference& main = metadata.references["main"];
  main.snapshot_id = snapshot_id;
  main.is_branch = true;
}

namespace {

std::unexpected<Error> Refuse(const ColumnChange& change, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("column '{}' cannot be changed: {}", change.column, why));
}

bool IsTaken(const Schema& schema, std::string_view name) {
  return std::ranges::any_of(
      schema.fields, [&](const SchemaField& field) { return FoldName(field.name) == FoldName(name); });
}

Result<void> Widen(const ColumnChange& change, SchemaField& field) {
  const bool to_long = field.primitive == "int" && change.type.kind == TypeKind::kInt64;
  const bool to_double = field.primitive == "float" && change.type.kind == TypeKind::kFloat64;
  if (!to_long && !to_double) {
    const auto type = TypeOf(field);
    return Refuse(change,
                  fmt::format("it is {} and cannot become {}; int32 can become int64, and float32 float64",
                              type ? type->ToString() : field.primitive, change.type.ToString()));
  }
  field.primitive = to_long ? "long" : "double";
  return {};
}

Result<void> ApplyColumnChange(const ColumnChange& change, Schema& schema, std::int32_t& last_id) {
  const auto field = std::ranges::find(schema.fields, change.column, &SchemaField::name);
  if (change.kind == ColumnChange::Kind::kAdd) {
    if (IsTaken(schema, change.column)) return Refuse(change, "there is a column of that name");
    std::int32_t next_id = last_id + 1;
    schema.fields.push_back(MakeField({.name = change.column, .type = change.type}, next_id));
    last_id = next_id - 1;
    return {};
  }
  if (field == schema.fields.end()) return Refuse(change, "there is no such column");
  if (change.kind == ColumnChange::Kind::kWiden) return Widen(change, *field);
  const bool is_same = FoldName(change.new_name) == FoldName(change.column);
  if (change.new_name.empty()) return Refuse(change, "the new name is empty");
  if (!is_same && IsTaken(schema, change.new_name))
    return Refuse(change, fmt::format("there is a column '{}' already", change.new_name));
  field->name = change.new_name;
  return {};
}

}  // namespace

Result<void> EvolveSchema(std::span<const ColumnChange> changes, TableMetadata& metadata) {
  Schema schema = metadata.schema();
  for (const ColumnChange& change : changes)
    TM_TRY(ApplyColumnChange(change, schema, metadata.last_column_id));
  for (const Schema& known : metadata.schemas) {
    schema.id = known.id;
    if (schema == known) {  // the same columns as before: no new schema
      metadata.current_schema_id = known.id;
      return {};
    }
  }
  schema.id = std::ranges::max(metadata.schemas, {}, &Schema::id).id + 1;
  metadata.current_schema_id = schema.id;
  metadata.schemas.push_back(std::move(schema));
  return {};
}

}  // namespace tidemark::iceberg
