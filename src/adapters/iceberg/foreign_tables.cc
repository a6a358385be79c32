#include "adapters/iceberg/foreign_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "adapters/iceberg/cleanup.h"
#include "adapters/iceberg/commit.h"
#include "adapters/iceberg/foreign_files.h"
#include "adapters/iceberg/foreign_schema.h"
#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/name_mapping.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/partition.h"
#include "adapters/iceberg/table_changes.h"
#include "adapters/iceberg/table_files.h"
#include "adapters/iceberg/table_folder.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

using iceberg::Attempt;
using iceberg::FilesChange;
using iceberg::Head;
using iceberg::HeadLoader;
using iceberg::InspectedFile;
using iceberg::MappedField;
using iceberg::PartitionSpec;
using iceberg::Schema;
using iceberg::SchemaGrowth;
using iceberg::TableMetadata;
using iceberg::TablePlace;
using iceberg::WrittenFile;

// Of a foreign table there is nothing in its snapshots but lists of files.
constexpr std::size_t kSnapshotsKept = 10;

std::set<std::string> FolderColumns(const Schema& schema, const PartitionSpec& spec) {
  std::set<std::string> names;
  for (const auto& field : spec.fields) {
    if (const auto* const source = FindField(schema, field.source_id)) names.insert(source->name);
  }
  return names;
}

/// Files whose columns fit the table's, which grow with them.
class Fitting {
 public:
  Fitting(const Schema& schema, std::int32_t last_id, std::set<std::string> folder_columns,
          const ForeignWork& work)
      : schema_(schema), last_id_(last_id), folder_columns_(std::move(folder_columns)), work_(work) {}

  /// Those that fit; bad ones are errors, or left out and told of.
  Result<std::vector<const InspectedFile*>> Take(const std::vector<InspectedFile>& files,
                                                 ForeignOutcome& outcome) {
    std::vector<const InspectedFile*> taken;
    for (const InspectedFile& file : files) {
      Schema grown = schema_;
      std::int32_t last_id = last_id_;
      SchemaGrowth growth = growth_;
      auto merged = iceberg::MergeFileSchema(file.columns.schema, folder_columns_, grown, last_id, growth);
      if (!merged) {
        Error error = std::move(merged).error().In("file " + file.foreign.file.path);
        if (!work_.skips_bad_files) return std::unexpected(std::move(error));
        outcome.bad_files.push_back(std::move(error));
        continue;
      }
      for (const MappedField& column : file.columns.unmapped) {
        const bool is_known =
            std::ranges::find(unmapped_, column.names, &MappedField::names) != unmapped_.end();
        if (!is_known) unmapped_.push_back(column);
      }
      schema_ = std::move(grown);
      last_id_ = last_id;
      growth_ = std::move(growth);
      taken.push_back(&file);
    }
    return taken;
  }

  const Schema& schema() const { return schema_; }
  std::int32_t last_id() const { return last_id_; }
  const SchemaGrowth& growth() const { return growth_; }
  const std::vector<MappedField>& unmapped() const { return unmapped_; }

 private:
  Schema schema_;
  std::int32_t last_id_;
  const std::set<std::string> folder_columns_;
  const ForeignWork& work_;
  SchemaGrowth growth_;
  std::vector<MappedField> unmapped_;  // columns of files that the table does not have
};

void TellLeftOut(const std::vector<InspectedFile>& files, ForeignOutcome& outcome) {
  std::set<std::string> all(outcome.left_out.begin(), outcome.left_out.end());
  for (const InspectedFile& file : files)
    all.insert(file.columns.left_out.begin(), file.columns.left_out.end());
  outcome.left_out.assign(all.begin(), all.end());
}

Result<WrittenFile> AsWritten(const InspectedFile& file, const Schema& schema, const PartitionSpec& spec) {
  WrittenFile written;
  written.file = InTable(file, schema);
  written.path = file.foreign.file.path;
  auto partition = TupleOfFolders(schema, spec, file.foreign.folders);
  if (!partition) return std::unexpected(std::move(partition).error().In("file " + file.foreign.file.path));
  written.file.partition = std::move(partition->tuple);
  written.partition = std::move(partition->summaries);
  return written;
}

Result<TableMetadata> MakeMetadata(const ForeignLayout& layout, const Fitting& fitting,
                                   const fs::path& folder, std::int64_t now_ms) {
  TableMetadata metadata;
  metadata.uuid = iceberg::RandomUuid();
  metadata.location = iceberg::ToLocation(folder);
  metadata.last_updated_ms = now_ms;
  Schema schema = fitting.schema();
  std::int32_t next_id = fitting.last_id() + 1;
  std::vector<PartitionField> partitions;
  for (const TableColumn& column : layout.folder_columns) {
    const auto same = std::ranges::find_if(
        schema.fields, [&](const auto& field) { return FoldName(field.name) == FoldName(column.name); });
    if (same != schema.fields.end() && same->name == column.name) continue;  // the files have it themselves
    if (same != schema.fields.end()) {
      return Fail(ErrorCode::kTypeMismatch,
                  fmt::format("folders say '{}' and the files have a column '{}': names that differ only in "
                              "case are the same",
                              column.name, same->name));
    }
    schema.fields.push_back(iceberg::MakeField(column, next_id));
    partitions.push_back({.column = column.name});
  }
  if (schema.fields.empty())
    return Fail(ErrorCode::kInvalidData, "the files have no column of a type that Tidemark has");
  metadata.last_column_id = next_id - 1;
  std::vector<MappedField> others = fitting.unmapped();
  for (MappedField& column : others)
    GiveMappedIds(column, metadata.last_column_id);
  TM_ASSIGN(PartitionSpec spec, iceberg::MakeSpec(schema, partitions));
  metadata.last_partition_id = 999 + static_cast<std::int32_t>(spec.fields.size());
  metadata.sort_orders.emplace_back();
  for (const auto& [key, value] : layout.properties)
    metadata.properties[key] = value;
  metadata.properties[std::string(iceberg::kForeignProperty)] = "true";
  metadata.properties["gc.enabled"] = "false";
  metadata.properties[std::string(iceberg::kNameMappingProperty)] = iceberg::NameMappingJson(schema, others);
  metadata.specs.push_back(std::move(spec));
  metadata.schemas.push_back(std::move(schema));
  return metadata;
}

/// What the folders said of a file, from its partition.
Result<FolderValues> FoldersOf(const TableMetadata& metadata, const std::string& tuple) {
  TM_ASSIGN(const auto constants, iceberg::ConstantsOf(metadata.schema(), metadata.spec(), tuple));
  FolderValues folders;
  for (const iceberg::PartitionConstant& constant : constants) {
    std::optional<std::string> value;
    if (constant.value->is_valid) value = constant.value->ToString();
    folders.emplace_back(FindField(metadata.schema(), constant.column_id)->name, std::move(value));
  }
  return folders;
}

/// Files' columns become known to the name mapping, and the grown schema the table's.
Result<void> Grow(const Fitting& fitting, TableMetadata& metadata) {
  std::string& mapping = metadata.properties[std::string(iceberg::kNameMappingProperty)];
  TM_ASSIGN(std::vector<MappedField> others, iceberg::ParseNameMapping(mapping));
  std::erase_if(others, [&](const MappedField& field) {
    return FindField(metadata.schema(), field.id.value_or(0)) != nullptr;
  });
  const std::size_t before = others.size();
  metadata.last_column_id = std::max(metadata.last_column_id, fitting.last_id());
  for (const MappedField& column : fitting.unmapped()) {
    if (std::ranges::find(others, column.names, &MappedField::names) != others.end()) continue;
    GiveMappedIds(others.emplace_back(column), metadata.last_column_id);
  }
  if (!fitting.growth().any()) {
    if (others.size() != before) mapping = iceberg::NameMappingJson(metadata.schema(), others);
    return {};
  }
  Schema schema = fitting.schema();
  schema.id = std::ranges::max(metadata.schemas, {}, &Schema::id).id + 1;
  metadata.current_schema_id = schema.id;
  mapping = iceberg::NameMappingJson(schema, others);
  metadata.schemas.push_back(std::move(schema));
  return {};
}

class IcebergForeignTables final : public ForeignTables {
 public:
  IcebergForeignTables(TableCatalog& catalog, const Clock& clock, IcebergStoreOptions options)
      : catalog_(catalog), clock_(clock), options_(std::move(options)) {}

  Result<ForeignOutcome> Create(TableId id, const TableName& name, const ForeignLayout& layout,
                                const std::vector<ForeignFile>& files, const ForeignWork& work) override {
    TM_TRY(CheckName("table", name.name));
    TM_TRY(CheckName("database", name.database));
    ForeignOutcome outcome;
    TM_ASSIGN(const auto inspected, iceberg::InspectFiles(files, work, outcome.bad_files));
    TellLeftOut(inspected, outcome);
    Fitting fitting(Schema{}, 0, {}, work);
    TM_ASSIGN(const auto taken, fitting.Take(inspected, outcome));
    const TablePlace place = At(id, iceberg::NewTableFolder(options_, id));
    const std::int64_t now_ms = clock_.now_us() / 1000;
    TM_ASSIGN(TableMetadata metadata, MakeMetadata(layout, fitting, place.folder, now_ms));
    auto made = MakeTable(place, name, std::move(metadata), taken, now_ms);
    if (!made && made.error().code != ErrorCode::kUnknownFate) {
      std::error_code ignored;
      fs::remove_all(place.folder, ignored);
    }
    if (!made) return std::unexpected(std::move(made).error());
    outcome.snapshot_id = *made;
    for (const InspectedFile* file : taken)
      outcome.added.push_back(file->foreign.file.path);
    return outcome;
  }

  Result<ForeignOutcome> Change(TableId id, const ForeignChange& change, const ForeignWork& work) override {
    TM_ASSIGN(const TablePlace place, PlaceOf(id));
    HeadLoader heads(catalog_, id);
    ForeignOutcome outcome;
    TM_ASSIGN(const auto head, heads.Load());
    TM_TRY(CheckForeign(head->metadata));
    TM_ASSIGN(const auto batches, Inspect(change, *head, work, outcome));
    const std::size_t count = std::max<std::size_t>(batches.size(), change.removed.empty() ? 0 : 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (work.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted between two commits");
      const std::vector<InspectedFile> none;
      TM_TRY(CommitBatch(place, heads, i < batches.size() ? batches[i] : none,
                         i == 0 ? change.removed : std::vector<std::string>{}, work, outcome));
      if (work.committed) work.committed(i + 1);
    }
    TM_ASSIGN(const auto last, heads.Load());
    outcome.snapshot_id = last->metadata.current_snapshot_id.value_or(0);
    return outcome;
  }

  Result<ForeignState> Load(TableId id) override {
    TM_TRY(PlaceOf(id));
    HeadLoader heads(catalog_, id);
    TM_ASSIGN(const auto head, heads.Load());
    const TableMetadata& metadata = head->metadata;
    TM_TRY(CheckForeign(metadata));
    ForeignState state;
    TM_ASSIGN(const fs::path path, iceberg::ToPath(head->location));
    state.metadata_path = path.string();
    state.snapshot_id = metadata.current_snapshot_id.value_or(0);
    TM_ASSIGN(state.columns, iceberg::ColumnsOf(metadata.schema()));
    for (const auto& field : metadata.spec().fields) {
      if (const auto* const source = FindField(metadata.schema(), field.source_id))
        state.folder_columns.push_back(source->name);
    }
    TM_ASSIGN(const auto entries, iceberg::LoadDataFiles(metadata.current()));
    for (const iceberg::ManifestEntry& entry : entries) {
      TM_ASSIGN(const fs::path file, iceberg::ToPath(entry.file.location));
      const auto* const snapshot = metadata.FindSnapshot(entry.snapshot_id.value_or(0));
      TM_ASSIGN(FolderValues folders, FoldersOf(metadata, entry.file.partition));
      state.files.push_back({.path = file.string(),
                             .rows = entry.file.rows,
                             .bytes = entry.file.bytes,
                             .added_us = snapshot == nullptr ? 0 : snapshot->timestamp_ms * 1000,
                             .folders = std::move(folders)});
    }
    std::ranges::sort(state.files, {}, &ForeignState::File::path);
    return state;
  }

  Result<CleanupReport> CleanUp(TableId id, const CleanupTimes& times) override {
    TM_ASSIGN(const TablePlace place, PlaceOf(id));
    HeadLoader heads(catalog_, id);
    TM_ASSIGN(CleanupReport report,
              iceberg::ExpireSnapshots(place, heads,
                                       {.older_than_us = times.snapshots_before_us, .keep = kSnapshotsKept}));
    TM_ASSIGN(const CleanupReport orphans, iceberg::RemoveOrphans(place, heads, times.orphans_before_us));
    report.files += orphans.files;
    report.bytes += orphans.bytes;
    return report;
  }

  Result<void> Drop(TableId id) override { return iceberg::DropTable(catalog_, options_, id); }

 private:
  TablePlace At(TableId id, fs::path folder) const {
    return {.catalog = catalog_,
            .clock = clock_,
            .id = id,
            .folder = std::move(folder),
            .at_step = options_.at_step};
  }

  Result<TablePlace> PlaceOf(TableId id) const {
    TM_ASSIGN(fs::path folder, iceberg::FolderOfTable(catalog_, options_, id));
    return At(id, std::move(folder));
  }

  static Result<void> CheckForeign(const TableMetadata& metadata) {
    if (iceberg::IsForeign(metadata)) return {};
    return Fail(ErrorCode::kInvalidArgument, "the table's files are Tidemark's own, not registered ones");
  }

  /// Files, manifest, list and metadata, then the entry in the catalog. The id of the snapshot.
  Result<std::int64_t> MakeTable(const TablePlace& place, const TableName& name, TableMetadata metadata,
                                 const std::vector<const InspectedFile*>& files, std::int64_t now_ms) {
    TM_TRY(iceberg::MakeTableFolders(place));
    FilesChange::Options options;
    for (const InspectedFile* file : files) {
      TM_ASSIGN(WrittenFile written, AsWritten(*file, metadata.schema(), metadata.spec()));
      options.added.push_back(std::move(written));
    }
    const Head nothing{"", metadata};
    Attempt attempt{.head = nothing, .next = metadata, .now_ms = now_ms};
    FilesChange change(place, std::move(options));
    TM_TRY(change.Apply(attempt));
    TM_ASSIGN(const fs::path path, iceberg::WriteMetadataFile(place.metadata(), 0, metadata));
    TM_TRY(iceberg::SyncFolder(place.metadata()));
    TM_TRY(place.Step("created"));
    TM_TRY(catalog_.Add({.id = place.id, .name = name, .metadata_location = iceberg::ToLocation(path)}));
    return metadata.current_snapshot_id.value_or(0);
  }

  /// Looks into all batches, and whether the table's columns could become theirs.
  static Result<std::vector<std::vector<InspectedFile>>> Inspect(const ForeignChange& change,
                                                                 const Head& head, const ForeignWork& work,
                                                                 ForeignOutcome& outcome) {
    const TableMetadata& metadata = head.metadata;
    Fitting fitting(metadata.schema(), metadata.last_column_id,
                    FolderColumns(metadata.schema(), metadata.spec()), work);
    std::vector<std::vector<InspectedFile>> batches;
    for (const std::vector<ForeignFile>& files : change.added) {
      TM_ASSIGN(const auto inspected, iceberg::InspectFiles(files, work, outcome.bad_files));
      TellLeftOut(inspected, outcome);
      TM_ASSIGN(const auto taken, fitting.Take(inspected, outcome));
      std::vector<InspectedFile> fits;
      for (const InspectedFile* file : taken) {
        TM_TRY(AsWritten(*file, fitting.schema(), metadata.spec()));
        fits.push_back(*file);
      }
      batches.push_back(std::move(fits));
    }
    return batches;
  }

  Result<void> CommitBatch(const TablePlace& place, HeadLoader& heads,
                           const std::vector<InspectedFile>& files, const std::vector<std::string>& removed,
                           const ForeignWork& work, ForeignOutcome& outcome) {
    std::optional<FilesChange> change;
    ForeignOutcome told;
    const auto apply = [&](Attempt& attempt) -> Result<bool> {
      if (change) change->RemoveManifestUnless(false);
      change.reset();
      told = {};
      TM_ASSIGN(FilesChange::Options options, PlanBatch(files, removed, work, attempt, told));
      const bool is_empty = options.added.empty() && options.removed.empty();
      if (is_empty) return attempt.next.current_schema_id != attempt.head.metadata.current_schema_id;
      change.emplace(place, std::move(options));
      return change->Apply(attempt);
    };
    bool unknown = false;
    const auto committed = iceberg::Commit(place, heads, CommitAlways, apply, &unknown);
    const bool happened = committed && committed->committed;
    if (change && !unknown) change->RemoveManifestUnless(happened);
    if (!committed) return std::unexpected(committed.error());
    if (!happened) return {};
    const auto append = [](std::vector<std::string>& all, std::vector<std::string>& more) {
      all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    append(outcome.added, told.added);
    append(outcome.removed, told.removed);
    append(outcome.new_columns, told.new_columns);
    append(outcome.widened, told.widened);
    return {};
  }

  /// What of a batch is to be done on this head: others may have done some of it.
  static Result<FilesChange::Options> PlanBatch(const std::vector<InspectedFile>& files,
                                                const std::vector<std::string>& removed,
                                                const ForeignWork& work, Attempt& attempt,
                                                ForeignOutcome& told) {
    TableMetadata& next = attempt.next;
    std::set<std::string> present;
    TM_ASSIGN(const auto entries, iceberg::LoadDataFiles(attempt.head.metadata.current()));
    for (const iceberg::ManifestEntry& entry : entries)
      present.insert(entry.file.location);
    FilesChange::Options options;
    for (const std::string& path : removed) {
      if (present.erase(iceberg::ToLocation(path)) == 0) continue;
      options.removed.push_back(path);
      told.removed.push_back(path);
    }
    std::vector<InspectedFile> fresh;
    for (const InspectedFile& file : files) {
      if (!present.contains(file.file.location)) fresh.push_back(file);
    }
    Fitting fitting(next.schema(), next.last_column_id, FolderColumns(next.schema(), next.spec()), work);
    TM_ASSIGN(const auto taken, fitting.Take(fresh, told));
    TM_TRY(Grow(fitting, next));
    for (const InspectedFile* file : taken) {
      TM_ASSIGN(WrittenFile written, AsWritten(*file, next.schema(), next.spec()));
      options.added.push_back(std::move(written));
      told.added.push_back(file->foreign.file.path);
    }
    told.new_columns = fitting.growth().added;
    told.widened = fitting.growth().widened;
    options.erases = !options.removed.empty();
    options.schema_id = next.current_schema_id;
    options.spec_id = next.default_spec_id;
    return options;
  }

  TableCatalog& catalog_;
  const Clock& clock_;
  const IcebergStoreOptions options_;
};

}  // namespace

Result<std::unique_ptr<ForeignTables>> OpenForeignTables(TableCatalog& catalog, const Clock& clock,
                                                         const IcebergStoreOptions& options) {
  TM_ASSIGN(IcebergStoreOptions plain, iceberg::WithPlainRoot(options));
  return std::make_unique<IcebergForeignTables>(catalog, clock, std::move(plain));
}

}  // namespace tidemark
