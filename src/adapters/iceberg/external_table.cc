// Finds the metadata, and distrusts what it says.
#include "adapters/iceberg/external_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/inflate.h"
#include "adapters/iceberg/name_mapping.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/partition.h"
#include "adapters/iceberg/snapshot_source.h"
#include "adapters/iceberg/table_files.h"
#include "adapters/iceberg/table_metadata.h"
#include "model/name.h"

namespace tidemark {
namespace iceberg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMetadataFolder = "metadata";
constexpr std::string_view kHintFile = "version-hint.text";
constexpr std::string_view kEnding = ".metadata.json";
constexpr std::string_view kGzipEnding = ".metadata.json.gz";

bool IsMetadataFile(std::string_view name) {
  return name.ends_with(kEnding) || name.ends_with(kGzipEnding);
}

/// "00012-<uuid>.metadata.json" and "v12.metadata.json" are of version 12.
std::optional<std::int64_t> VersionInName(std::string_view name) {
  if (name.starts_with('v')) name.remove_prefix(1);
  std::int64_t version = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), version);
  const bool is_version = failed == std::errc() && end != name.data() + name.size() &&
                          (*end == '-' || *end == '.') && IsMetadataFile(name);
  return is_version ? std::optional(version) : std::nullopt;
}

struct VersionedFile {
  std::int64_t version = 0;
  fs::path path;
  auto operator<=>(const VersionedFile&) const = default;
};

/// All metadata files of a folder, by version.
Result<std::vector<VersionedFile>> MetadataFiles(const fs::path& folder) {
  std::vector<VersionedFile> files;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (const auto version = VersionInName(entry->path().filename().native()))
      files.push_back({*version, entry->path()});
  }
  if (failed) return std::unexpected(SystemError("list", folder, failed.value()));
  std::ranges::sort(files);
  return files;
}

/// The version that a table without a catalog says is its newest; nothing if it says none.
Result<std::optional<std::int64_t>> Hint(const fs::path& folder) {
  auto text = ReadNamedFile(folder / kHintFile);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!text) return std::unexpected(std::move(text).error());
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), version);
  const std::string_view rest(end, text->data() + text->size());
  if (error == std::errc() && rest.find_first_not_of(" \r\n") == std::string_view::npos) return version;
  return Fail(ErrorCode::kCorruption, fmt::format("{} does not name a version: name the metadata file itself",
                                                  Quoted((folder / kHintFile).string())));
}

Result<fs::path> NewestMetadata(const fs::path& folder) {
  TM_ASSIGN(std::vector<VersionedFile> files, MetadataFiles(folder));
  TM_ASSIGN(const auto hint, Hint(folder));
  if (files.empty() || (hint && files.back().version < *hint)) {
    return Fail(ErrorCode::kNotFound,
                hint ? fmt::format("the metadata file of version {}, which {} names, is not there", *hint,
                                   Quoted((folder / kHintFile).string()))
                     : fmt::format("there is no Iceberg table: {} has no metadata file (*{})",
                                   Quoted(folder.string()), kEnding));
  }
  const VersionedFile& last = files.back();
  const bool is_only = files.size() == 1 || files[files.size() - 2].version != last.version;
  if (is_only) return last.path;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} and {} are of one version, and only the table's catalog knows which is the "
                          "table's: name one of them as the path, or a table of the store's catalog",
                          Quoted(files[files.size() - 2].path.string()), Quoted(last.path.string())));
}

Result<fs::path> FindMetadata(const fs::path& path) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (!fs::exists(status))
    return Fail(ErrorCode::kNotFound, fmt::format("there is no Iceberg table at {}", Quoted(path.string())));
  if (!fs::is_directory(status)) return path;
  const fs::path folder = path / kMetadataFolder;
  return NewestMetadata(fs::is_directory(folder, failed) ? folder : path);
}

Result<TableMetadata> LoadMetadata(const fs::path& path) {
  TM_ASSIGN(std::string bytes, ReadNamedFile(path));
  if (IsGzip(bytes)) {
    TM_ASSIGN(bytes, Inflate(bytes, PackedForm::kGzip));
  }
  return ReadTableMetadata(bytes, MetadataUse::kRead);
}

/// A data file with what decides its place among the others.
struct ListedFile {
  std::int64_t sequence_number = 0;  // 0 in tables of version 1
  std::int64_t committed_ms = 0;     // 0 if its snapshot is gone
  DataFileInfo info = {};
  std::set<std::int32_t> partition_ids = {};  // columns whose value the partition says
  std::map<std::int32_t, std::shared_ptr<arrow::Scalar>> constants =
      {};  // and those values, if they are known
};

Result<ListedFile> Describe(const ManifestEntry& entry, const ManifestFile& manifest,
                            const TableMetadata& metadata) {
  const DataFile& file = entry.file;
  if (FoldName(file.format) != "parquet") {
    return Fail(ErrorCode::kUnsupported, fmt::format("data file {} is of format {}: Tidemark reads Parquet",
                                                     Quoted(file.location), Quoted(file.format)));
  }
  TM_ASSIGN(const fs::path path, ToPath(file.location));
  ListedFile listed;
  listed.sequence_number = entry.sequence_number.value_or(0);
  listed.info = {.path = path.string(), .rows = file.rows, .bytes = file.bytes};
  if (const Snapshot* const snapshot = metadata.FindSnapshot(entry.snapshot_id.value_or(0)))
    listed.committed_ms = snapshot->timestamp_ms;
  if (const PartitionSpec* const spec = metadata.FindSpec(manifest.spec_id)) {
    for (const PartitionSpecField& field : spec->fields) {
      if (field.transform == "identity") listed.partition_ids.insert(field.source_id);
    }
    TM_ASSIGN(const auto constants, ConstantsOf(metadata.schema(), *spec, file.partition));
    for (const PartitionConstant& constant : constants)
      listed.constants.emplace(constant.column_id, constant.value);
  }
  return listed;
}

Result<std::vector<ListedFile>> ListFiles(const TableMetadata& metadata) {
  std::vector<ListedFile> files;
  TM_ASSIGN(const std::vector<ManifestFile> manifests, LoadManifests(metadata.current()));
  for (const ManifestFile& manifest : manifests) {
    TM_TRY(LoadEntries(manifest, [&](ManifestEntry&& entry) -> Result<void> {
      if (entry.status == EntryStatus::kDeleted) return {};
      if (entry.file.content != 0 || manifest.content != 0) {
        return Fail(
            ErrorCode::kUnsupported,
            fmt::format("the table has delete files ({}), which are not read: rewrite its data files "
                        "where it is written (rewrite_data_files, or write.delete.mode=copy-on-write)",
                        entry.file.location));
      }
      TM_ASSIGN(ListedFile listed, Describe(entry, manifest, metadata));
      files.push_back(std::move(listed));
      return {};
    }));
  }
  std::ranges::sort(files, {}, [](const ListedFile& file) {
    return std::tie(file.sequence_number, file.committed_ms, file.info.path);
  });
  return files;
}

/// The columns that Tidemark has types for, under the names that definitions use.
Result<void> AddColumns(const Schema& schema, const std::map<std::string, std::string>& mapping,
                        SnapshotRows& rows) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const SchemaField& field : schema.fields) {
    names.push_back(field.name);
    auto type = TypeOf(field);
    const auto mapped = mapping.find(field.name);
    const bool is_wanted = mapped != mapping.end();
    if (!type && (is_wanted || type.error().code != ErrorCode::kUnsupported))
      return std::unexpected(std::move(type).error());
    if (!type) continue;
    const std::string& name = is_wanted ? mapped->second : field.name;
    if (!taken.insert(name).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("after the field mapping two columns of the table are named {}", Quoted(name)));
    }
    rows.columns.push_back(
        {.name = name, .type = *std::move(type), .required = field.required, .id = field.id});
    rows.fields.push_back(field);
  }
  for (const auto& [column, name] : mapping) {
    if (std::ranges::find(names, column) != names.end()) continue;
    return Fail(ErrorCode::kNotFound,
                fmt::format("the field mapping names a column {} that the table does not have; it has {}",
                            Quoted(column), fmt::join(names, ", ")));
  }
  return {};
}

Result<SnapshotRows> Plan(const TableMetadata& metadata, const ExternalTableOptions& options) {
  if (!SystemColumnsOf(metadata, metadata.schema()).sequence.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "this is a feature table of Tidemark's, whose deletions and unflushed rows a source would "
                "not see: use its feature view");
  }
  SnapshotRows rows;
  rows.are_in_order = true;
  TM_TRY(AddColumns(metadata.schema(), options.field_mapping, rows));
  TM_ASSIGN(std::vector<ListedFile> files, ListFiles(metadata));
  for (ListedFile& file : files) {
    rows.files.push_back(std::move(file.info));
    rows.partition_ids.push_back(std::move(file.partition_ids));
    rows.constants.push_back(std::move(file.constants));
  }
  const auto mapping = metadata.properties.find(std::string(kNameMappingProperty));
  if (mapping != metadata.properties.end()) {
    TM_ASSIGN(rows.mapping, ParseNameMapping(mapping->second));
  }
  rows.are_foreign = IsForeign(metadata);
  return rows;
}

Result<SnapshotRows> PlanTable(const fs::path& metadata_path, const ExternalTableOptions& options) {
  const auto plan = [&]() -> Result<SnapshotRows> {
    TM_ASSIGN(const TableMetadata metadata, LoadMetadata(metadata_path));
    return Plan(metadata, options);
  };
  auto rows = plan();
  if (!rows) return std::unexpected(std::move(rows).error().In("Iceberg table " + metadata_path.string()));
  return rows;
}

}  // namespace
}  // namespace iceberg

Result<std::filesystem::path> FindTableMetadata(const std::filesystem::path& path) {
  return iceberg::FindMetadata(path);
}

Result<std::unique_ptr<Source>> OpenExternalTable(const std::filesystem::path& path,
                                                  const ExternalTableOptions& options) {
  TM_ASSIGN(const auto metadata_path, iceberg::FindMetadata(path));
  TM_ASSIGN(auto rows, iceberg::PlanTable(metadata_path, options));
  return iceberg::OpenSnapshotSource(std::move(rows), {.threads = options.threads, .stop = options.stop});
}

Result<ExternalTableFiles> ListExternalTable(const std::filesystem::path& path,
                                             const ExternalTableOptions& options) {
  ExternalTableFiles files;
  TM_ASSIGN(files.metadata, iceberg::FindMetadata(path));
  TM_ASSIGN(auto rows, iceberg::PlanTable(files.metadata, options));
  files.columns = rows.columns;
  for (const DataFileInfo& file : rows.files)
    files.paths.push_back(file.path);
  // Opening the files looks into each.
  TM_TRY(iceberg::OpenSnapshotSource(std::move(rows), {.threads = options.threads, .stop = options.stop}));
  return files;
}

}  // namespace tidemark
