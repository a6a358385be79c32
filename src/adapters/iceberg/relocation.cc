// New metadata from the old, file by file from the manifests up.
#include "adapters/iceberg/relocation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <set>

#include "adapters/iceberg/avro_rewrite.h"
#include "adapters/iceberg/commit.h"
#include "adapters/iceberg/manifest.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/table_head.h"
#include "base/json.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

// The ids of Iceberg's fields in manifest lists and manifests.
constexpr int kManifestPath = 500;
constexpr int kManifestLength = 501;
constexpr int kFilePath = 100;
constexpr int kFileContent = 134;

/// One table on its way.
class Moving {
 public:
  Moving(TableCatalog& catalog, const IcebergStoreOptions& options, RelocatedTable table)
      : catalog_(catalog),
        options_(options),
        table_(std::move(table)),
        from_(table_.from.parent_path().string() + "/"),
        metadata_(table_.to / "metadata") {}

  Result<RelocatedTable> Run() {
    TM_ASSIGN(const CatalogEntry entry, catalog_.Get(table_.id));
    auto written = Write(entry.metadata_location);
    if (written) written = Swap(entry.metadata_location, *std::move(written));
    if (!written) {
      if (written.error().code != ErrorCode::kUnknownFate) Remove(made_);
      return std::unexpected(std::move(written).error());
    }
    TM_TRY(Step("relocate after swap"));
    Remove(replaced_);
    return std::move(table_);
  }

 private:
  /// Where something of the old place is now; what lies elsewhere stays there.
  std::string Moved(const std::string& location) const {
    const auto path = iceberg::ToPath(location);
    if (!path || !path->native().starts_with(from_)) return location;
    return iceberg::ToLocation(table_.to.parent_path() / path->native().substr(from_.size()));
  }

  bool Moves(const std::string& location) const { return Moved(location) != location; }

  Result<void> Step(std::string_view step) const {
    return options_.at_step ? options_.at_step(step) : Result<void>();
  }

  /// Removes files of this table only: what is left is found as an orphan later.
  void Remove(const std::set<fs::path>& paths) const {
    for (const fs::path& path : paths) {
      if (path.parent_path() == metadata_) ::unlink(path.c_str());
    }
  }

  void Replaced(const std::string& moved_location) {
    if (const auto path = iceberg::ToPath(moved_location)) replaced_.insert(*path);
  }

  Result<std::string> Read(const std::string& moved_location) const {
    TM_ASSIGN(const fs::path path, iceberg::ToPath(moved_location));
    auto bytes = iceberg::ReadNamedFile(path);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("a file of the table is missing: {}. Copy the store's folder again, while "
                              "nobody writes to it",
                              bytes.error().message));
    }
    return bytes;
  }

  struct NewFile {
    std::string location;
    std::int64_t bytes = 0;
  };

  Result<NewFile> WriteNew(std::string_view ending, std::string_view bytes) {
    TM_TRY(Step("relocate file"));
    TM_ASSIGN(const fs::path path,
              iceberg::WriteNamedFile(metadata_, iceberg::RandomUuid() + "-r", ending, bytes));
    made_.insert(path);
    return NewFile{iceberg::ToLocation(path), std::ssize(bytes)};
  }

  Result<bool> ReplaceInManifest(int field_id, const AvroType& type, AvroDecoder& in,
                                 AvroEncoder& out) const {
    if (field_id == kFilePath && type.kind == AvroKind::kString) {
      TM_ASSIGN(const std::string_view path, in.Bytes());
      out.Bytes(Moved(std::string(path)));
      return true;
    }
    if (field_id != kFileContent || type.kind != AvroKind::kInt) return false;
    TM_ASSIGN(const std::int64_t content, in.Int32());
    if (content != 0) {
      return Fail(ErrorCode::kUnsupported,
                  "the table has delete files, which name data files by their place: rewrite its data files "
                  "(compact it) in its old place, and copy it again");
    }
    out.Int(content);
    return true;
  }

  /// Each manifest once: snapshots share them.
  Result<NewFile> MoveManifest(const std::string& location) {
    if (const auto done = manifests_.find(location); done != manifests_.end()) return done->second;
    const std::string moved = Moved(location);
    TM_ASSIGN(const std::string bytes, Read(moved));
    const auto replace = [this](std::int64_t /*row*/, int field_id, const AvroType& type, AvroDecoder& in,
                                AvroEncoder& out) { return ReplaceInManifest(field_id, type, in, out); };
    auto rewritten = iceberg::RewriteAvroFile(bytes, replace);
    if (!rewritten) return std::unexpected(std::move(rewritten).error().In("file " + moved));
    TM_ASSIGN(NewFile made, WriteNew("-m.avro", *rewritten));
    Replaced(moved);
    return manifests_.emplace(location, std::move(made)).first->second;
  }

  Result<std::string> MoveManifestList(const std::string& location) {
    const std::string moved = Moved(location);
    TM_ASSIGN(const std::string bytes, Read(moved));
    std::vector<NewFile> manifests;
    const auto rewrite = [&]() -> Result<std::string> {
      TM_ASSIGN(const auto listed, iceberg::ReadManifestList(bytes));
      for (const iceberg::ManifestFile& manifest : listed) {
        if (!Moves(manifest.location)) {
          manifests.push_back({manifest.location, manifest.length});
          continue;
        }
        TM_ASSIGN(NewFile made, MoveManifest(manifest.location));
        manifests.push_back(std::move(made));
      }
      return iceberg::RewriteAvroFile(bytes,
                                      [&](std::int64_t row, int field_id, const AvroType& type,
                                          AvroDecoder& in, AvroEncoder& out) -> Result<bool> {
                                        if (field_id != kManifestPath && field_id != kManifestLength)
                                          return false;
                                        TM_TRY(in.Skip(type));
                                        const NewFile& manifest = manifests[static_cast<std::size_t>(row)];
                                        if (field_id == kManifestPath) out.Bytes(manifest.location);
                                        if (field_id == kManifestLength) out.Int(manifest.bytes);
                                        return true;
                                      });
    };
    auto rewritten = rewrite();
    if (!rewritten) return std::unexpected(std::move(rewritten).error().In("file " + moved));
    TM_ASSIGN(NewFile made, WriteNew(".avro", *rewritten));
    Replaced(moved);
    return std::move(made.location);
  }

  /// Locations in members that Tidemark does not look at, such as statistics of other engines.
  void MoveTexts(Json& json) const {
    if (json.is_string()) json = Moved(json.get<std::string>());
    if (!json.is_structured()) return;
    for (auto& member : json)
      MoveTexts(member);
  }

  /// The new metadata file's location.
  Result<std::string> Write(const std::string& location) {
    const std::string moved = Moved(location);
    TM_ASSIGN(const auto head, iceberg::ReadHead(moved));
    Replaced(moved);
    iceberg::TableMetadata metadata = head->metadata;
    metadata.location = Moved(metadata.location);
    for (iceberg::Snapshot& snapshot : metadata.snapshots) {
      if (!Moves(snapshot.manifest_list)) continue;
      TM_ASSIGN(snapshot.manifest_list, MoveManifestList(snapshot.manifest_list));
    }
    // Earlier metadata files speak of the old place: they go.
    for (const iceberg::MetadataLogEntry& entry : metadata.metadata_log)
      Replaced(Moved(entry.location));
    metadata.metadata_log.clear();
    for (auto& [name, value] : metadata.properties)
      value = Moved(value);
    for (auto& [name, text] : metadata.others) {
      TM_ASSIGN(Json json, ParseJson(text));
      MoveTexts(json);
      text = json.dump();
    }
    table_.snapshots = std::ssize(metadata.snapshots);
    TM_TRY(Step("relocate metadata"));
    TM_ASSIGN(const fs::path path, iceberg::WriteMetadataFile(metadata_, VersionAfter(location), metadata));
    made_.insert(path);
    TM_TRY(iceberg::SyncFolder(metadata_));
    TM_TRY(Step("relocate before swap"));
    return iceberg::ToLocation(path);
  }

  /// Metadata files are numbered, and so go on.
  static std::int64_t VersionAfter(const std::string& location) {
    return std::strtoll(location.c_str() + location.rfind('/') + 1, nullptr, 10) + 1;
  }

  Result<std::string> Swap(const std::string& expected, std::string next) {
    TM_ASSIGN(const bool swapped, catalog_.Swap(table_.id, expected, next));
    if (swapped) return next;
    return Fail(ErrorCode::kBusy, "another program changed the table while it was relocated: run it again");
  }

  TableCatalog& catalog_;
  const IcebergStoreOptions& options_;
  RelocatedTable table_;
  const std::string from_;                    // the folder of all tables, with a slash
  const fs::path metadata_;                   // of this table, now
  std::map<std::string, NewFile> manifests_;  // by the location they had
  std::set<fs::path> made_;
  std::set<fs::path> replaced_;
};

std::string Named(const RelocatedTable& table) {
  return fmt::format("table {}.{}", table.name.database, table.name.name);
}

Result<void> CheckCameAlong(const RelocatedTable& table) {
  std::error_code failed;
  if (fs::is_directory(table.to / "metadata", failed)) return {};
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("{} lay in '{}', and its files did not come along: copy that folder to '{}', and run "
                  "`tidemark relocate` again",
                  Named(table), table.from.string(), table.to.string()));
}

}  // namespace

Result<std::vector<RelocatedTable>> TablesElsewhere(const TableCatalog& catalog, const fs::path& root) {
  TM_ASSIGN(const auto entries, catalog.List());
  std::vector<RelocatedTable> tables;
  for (const CatalogEntry& entry : entries) {
    if (entry.metadata_location.empty()) continue;  // another engine dropped it
    TM_ASSIGN(const fs::path path, iceberg::ToPath(entry.metadata_location));
    const fs::path folder = path.parent_path().parent_path();
    if (folder.parent_path() == root) continue;
    tables.push_back({.id = entry.id, .name = entry.name, .from = folder, .to = root / folder.filename()});
  }
  return tables;
}

Result<std::vector<RelocatedTable>> RelocateTables(TableCatalog& catalog,
                                                   const IcebergStoreOptions& options) {
  TM_ASSIGN(std::vector<RelocatedTable> tables, TablesElsewhere(catalog, options.root));
  for (const RelocatedTable& table : tables)
    TM_TRY(CheckCameAlong(table));
  for (RelocatedTable& table : tables) {
    const std::string name = Named(table);
    auto moved = Moving(catalog, options, table).Run();
    if (!moved) return std::unexpected(std::move(moved).error().In(name));
    table = *std::move(moved);
  }
  return tables;
}

}  // namespace tidemark
