// The public API over the engine, with the concrete adapters put in: files, SQLite, LMDB.
#include "tidemark/store.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "adapters/adbc/adbc_source.h"
#include "adapters/files/dump_folder.h"
#include "adapters/files/file_source.h"
#include "adapters/files/spill_file.h"
#include "adapters/files/table_file.h"
#include "adapters/iceberg/external_table.h"
#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/sqlite/sqlite_registry.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/result.h"
#include "base/write_times.h"
#include "engine/apply.h"
#include "engine/catalog.h"
#include "engine/describe.h"
#include "engine/entity_range.h"
#include "engine/explain.h"
#include "engine/historical.h"
#include "engine/materialize.h"
#include "engine/online_reader.h"
#include "engine/online_rows.h"
#include "engine/online_scan.h"
#include "engine/online_write.h"
#include "engine/selection.h"
#include "engine/tables/read_rows.h"
#include "model/definition_json.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/stream_export.h"
#include "wiring/config.h"
#include "wiring/databases.h"
#include "wiring/embedded_tables.h"
#include "wiring/existing_data.h"
#include "wiring/place_owner.h"
#include "wiring/revision_check.h"
#include "wiring/source_places.h"
#include "wiring/store_relocation.h"
#include "wiring/store_sql.h"
#include "wiring/store_stats.h"
#include "wiring/table_maintenance.h"
#include "wiring/table_schema.h"
#include "wiring/table_upkeep.h"
#include "wiring/table_writes.h"
#include "wiring/unfinished_loads.h"

namespace tidemark {
namespace {

/// A row group that is being written may take this part of the memory limit: one over it.
constexpr std::int64_t kRowGroupsInMemory = 16;

ObjectKind KindOf(ObjectType type) {
  switch (type) {
    case ObjectType::kEntity:
      return ObjectKind::kEntity;
    case ObjectType::kFeatureView:
      return ObjectKind::kFeatureView;
    case ObjectType::kFeatureService:
      break;
  }
  return ObjectKind::kFeatureService;
}

ObjectType TypeOf(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kEntity:
      return ObjectType::kEntity;
    case ObjectKind::kFeatureView:
      return ObjectType::kFeatureView;
    case ObjectKind::kFeatureService:
    case ObjectKind::kRegisteredTable:
      break;
  }
  return ObjectType::kFeatureService;
}

/// What both Plan and Apply work from.
struct Stated {
  Definitions definitions;
  PlanOptions options;
};

Result<Definitions> ReadDefinitions(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '{') return DefinitionsFromJson(text);
  return DefinitionsFromYaml(text);
}

static_assert(static_cast<int>(Change::Action::kRemove) == static_cast<int>(PlannedChange::Action::kRemove) &&
              static_cast<int>(Change::Action::kRename) == static_cast<int>(PlannedChange::Action::kRename) &&
              static_cast<int>(Change::Action::kChange) == static_cast<int>(PlannedChange::Action::kChange));

std::vector<Change> ToChanges(const tidemark::Plan& plan) {
  std::vector<Change> changes;
  for (const PlannedChange& planned : plan.changes) {
    changes.push_back({static_cast<Change::Action>(planned.action), TypeOf(planned.kind), planned.name,
                       planned.from_name, planned.details});
  }
  return changes;
}

/// Takes a stream over, so that it is released whatever comes of the request.
Result<std::shared_ptr<arrow::RecordBatchReader>> TakeOver(ArrowArrayStream* stream) {
  if (stream == nullptr || stream->release == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
  }
  return FromArrowResult(arrow::ImportRecordBatchReader(stream));
}

Result<void> CheckRows(const EntityRows& rows, const HistoricalOptions& options) {
  const int given = (rows.stream == nullptr ? 0 : 1) + (rows.path.empty() ? 0 : 1);
  if (given == (options.range ? 0 : 1)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              options.range ? "a range of event times is for requests without entity rows: give one of them"
                            : "entity rows come as a stream or from a file: give exactly one, or a range of "
                              "event times for all entities");
}

/// The types of the columns that a request's views are looked up by. CSV is read as these: text that looks
/// like a number stays text where the key is text.
std::map<std::string, DataType> KeyTypes(const Selection& selection) {
  std::map<std::string, DataType> types;
  for (const SelectedView& view : selection.views) {
    for (std::size_t i = 0; i < view.key_columns.size(); ++i) {
      types.emplace(view.key_columns[i], *view.view->join_keys[i].type);
    }
  }
  return types;
}

Result<KnownBy> KnownByOf(const HistoricalOptions& options) {
  if (options.known_by_us && options.known_by_event) {
    return Fail(ErrorCode::kInvalidArgument, "known_by is a time or each row's own time, not both");
  }
  if (options.known_by_us) return KnownBy{KnownBy::Kind::kTime, *options.known_by_us};
  if (options.known_by_event) return KnownBy{KnownBy::Kind::kEntityRow, 0};
  return KnownBy{};
}

Result<void> MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return {};
  const ErrorCode code = error == std::errc::no_space_on_device ? ErrorCode::kOutOfSpace : ErrorCode::kIo;
  return Fail(code, fmt::format("cannot make the folder '{}': {}", folder.string(), error.message()));
}

class EmbeddedStore final : public Store {
 public:
  EmbeddedStore(std::filesystem::path path, Config config, std::shared_ptr<Registry> registry)
      : path_(std::move(path)),
        config_(std::move(config)),
        threads_(ThreadCount(config_.threads)),
        registry_(std::move(registry)),
        tables_(TableParts()) {}

  const std::filesystem::path& path() const override { return path_; }
  const std::string& project() const override { return config_.project; }

  Result<std::vector<Change>> Plan(std::string_view definitions, const ApplyOptions& options) override {
    TM_ASSIGN(const Stated stated, Read(definitions, options));
    TM_TRY(CheckDatabases(stated.definitions));
    TM_ASSIGN(const auto plan, PlanApply(*registry_, config_.project, stated.definitions, stated.options,
                                         Opener(options.work.stop, kAllTypes)));
    return ToChanges(plan);
  }

  Result<std::vector<Change>> Apply(std::string_view definitions, const ApplyOptions& options) override {
    TM_ASSIGN(const Stated stated, Read(definitions, options));
    TM_TRY(CheckDatabases(stated.definitions));
    TM_TRY(tables_.CheckHere());
    TM_ASSIGN(const auto plan,
              tidemark::Apply(*registry_, config_.project, stated.definitions, stated.options,
                              Opener(options.work.stop, kAllTypes), *clock_));
    TM_TRY_IN(RemoveRows(plan.dropped_view_ids),
              "the definitions are applied; removing the rows of views that are gone");
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_TRY_IN(tables_.Follow(*catalog), "the definitions are applied; making their tables");
    return ToChanges(plan);
  }

  Result<void> Teardown(const WorkOptions& work) override {
    if (work.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted: nothing was removed");
    TM_TRY(tables_.CheckHere());
    TM_ASSIGN(const auto ids, tidemark::Teardown(*registry_, config_.project));
    TM_TRY_IN(RemoveRows(ids), "the definitions are removed; removing their rows");
    return {};
  }

  Result<std::vector<std::string>> Projects() const override { return registry_->Projects(); }

  Result<std::int64_t> Revision(std::int64_t max_age_ms) const override {
    return revision_.Get(*registry_, config_.project, clock_->now_us(), max_age_ms);
  }

  Result<ProjectDefinitions> AllDefinitions() const override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    return ProjectDefinitions{.revision = catalog->serial(), .json = ListAll(*catalog, config_.project)};
  }

  Result<std::string> List(ObjectType type) const override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    return ListObjects(*catalog, KindOf(type));
  }

  Result<std::string> Describe(ObjectType type, std::string_view name) const override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    LoadPlace place{.online_store = {}, .store_folder = PlainFolder()};  // of no store: nothing was loaded
    std::string plain(name);
    if (type == ObjectType::kFeatureView) {
      TM_ASSIGN(plain, ViewName(*catalog, name));
      if (HasOnline()) {
        TM_ASSIGN(const auto online, Online());
        place.online_store = online->identity();
      }
    }
    return DescribeObject(*catalog, *registry_, *clock_, KindOf(type), plain, place);
  }

  Result<void> GetHistorical(EntityRows rows, const HistoricalOptions& options,
                             ArrowArrayStream* out) override {
    auto warnings = std::make_shared<Warnings>();
    TM_ASSIGN(auto reader, StartHistorical(rows, options, warnings));
    StreamEnd ended;
    if (options.ended) {
      ended = [warnings, told = options.ended](std::int64_t count) { told({count, warnings->Texts()}); };
    }
    ExportStream(std::move(reader), std::move(ended), out);
    return {};
  }

  Result<HistoricalReport> WriteHistorical(EntityRows rows, const HistoricalOptions& options,
                                           const std::filesystem::path& out) override {
    auto warnings = std::make_shared<Warnings>();
    TM_ASSIGN(const auto reader, StartHistorical(rows, options, warnings));
    TM_ASSIGN(const std::int64_t written, WriteTableFile(*reader, out, FileWriting()));
    return HistoricalReport{written, warnings->Texts()};
  }

  Result<MaterializeReport> Materialize(const MaterializeOptions& options) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto views, ViewsToLoad(*catalog, options.views));
    TM_ASSIGN(const auto online, Online());
    TM_ASSIGN(const auto write_times, OwnWriteTimes());
    MaterializeRequest request;
    request.start_us = options.start_us;
    request.end_us = options.end_us;
    request.reload = options.reload;
    request.threads = threads_;
    request.store_folder = PlainFolder();
    request.memory_bytes_max = config_.memory_bytes_max;
    request.stop = options.work.stop;
    request.progress = ProgressOf(options.work);
    MaterializeReport report;
    for (const CatalogView* view : views) {
      TM_ASSIGN(auto loaded, tidemark::Materialize(*view, request, Openers(request.stop), *online, *registry_,
                                                   *clock_, *write_times));
      report.views.push_back({view->definition.name, loaded.rows_read, loaded.rows_written, loaded.files_read,
                              loaded.files_skipped, loaded.seconds, loaded.put_seconds,
                              std::move(loaded.warnings)});
    }
    return report;
  }

  Result<OnlineWriteReport> WriteToOnlineStore(std::string_view view, ArrowArrayStream* rows) override {
    TM_ASSIGN(const auto reader, TakeOver(rows));
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const std::string name, ViewName(*catalog, view));
    TM_ASSIGN(const CatalogView* found, catalog->View(name));
    if (found->definition.is_table()) {
      TM_TRY(StartMaintenance());
      TM_ASSIGN(const auto tables, tables_.Open());
      IngestRequest request;
      request.to = WriteTo::kOnline;
      request.others_allowed = true;
      TM_ASSIGN(const IngestedRows written, tables->Ingest(*found, reader, request));
      return OnlineWriteReport{written.online_rows, written.rows - written.online_rows};
    }
    TM_ASSIGN(const auto online, Online());
    TM_ASSIGN(const auto write_times, OwnWriteTimes());
    TM_ASSIGN(const MergeCounts counts,
              WriteOnline(*found, *reader, *online, *clock_, *write_times, SpillOptions()));
    return OnlineWriteReport{counts.written, counts.kept};
  }

  Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const OnlineOptions& options) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto wanted, Wanted(*catalog, options.features, options.service, options.selection));
    TM_ASSIGN(Selection selection, Resolve(*catalog, wanted, options.full_feature_names));
    TM_TRY_IN(tables_.Repair(), "finishing what a writer began that is gone");
    for (const SelectedView& selected : selection.views)
      TM_TRY(FinishLoads(*selected.view));
    if (!options.at_least.empty()) TM_TRY(CheckSeenOnline(selection, options.at_least));
    TM_ASSIGN(const auto online, Online());
    return MakeOnlineReader({catalog, std::move(selection), config_.project, online, registry_, clock_});
  }

  Result<OnlineRowsPage> ReadOnlineRows(std::string_view view, const OnlineRowsOptions& options,
                                        ArrowArrayStream* out) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const std::string name, ViewName(*catalog, view));
    TM_ASSIGN(const CatalogView* found, catalog->View(name));
    TM_ASSIGN(const auto online, Online());
    TM_ASSIGN(ScannedPage page, ScanOnlineRows(*found, *online, options, clock_->now_us()));
    TM_ASSIGN(auto reader, FromArrowResult(arrow::RecordBatchReader::Make({page.rows})));
    ExportStream(std::move(reader), {}, out);
    return OnlineRowsPage{page.rows->num_rows(), std::move(page.next)};
  }

  Result<std::string> DataFolder(std::string_view view) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto found, TablesNamed(*catalog, {std::string(view)}));
    TM_ASSIGN(const auto tables, tables_.Open());
    TM_TRY(tables->Prepare(*found[0]));
    TM_ASSIGN(const auto places, tables_.Catalog());
    TM_ASSIGN(const CatalogEntry entry, places->Get(found[0]->id));
    const std::filesystem::path metadata(entry.metadata_location);
    return (metadata.parent_path().parent_path() / "data").string();
  }

  Result<void> CreateTable(std::string_view schema, const CreateTableOptions& options) override {
    TM_ASSIGN(const auto before, LoadCatalog());
    TM_ASSIGN(const Definitions definitions, DefinitionsOfSchema(schema, options, *before));
    TM_TRY(CheckDatabases(definitions));
    TM_TRY(tables_.CheckHere());
    const PlanOptions plan{.own_database = DatabaseOf(config_.project)};
    TM_TRY(tidemark::Apply(*registry_, config_.project, definitions, plan, Opener({}), *clock_));
    TM_ASSIGN(const auto catalog, LoadCatalog());
    return tables_.Follow(*catalog);
  }

  Result<IngestReport> Ingest(std::string_view view, EntityRows rows, const IngestOptions& options,
                              ArrowArrayStream* rejected) override {
    TM_ASSIGN(const TableWrites writes, Writes());
    TM_ASSIGN(const TableWrites::Written written, writes.Ingest(view, Rows(rows), options));
    rows_written_ += written.report.rows;
    if (rejected != nullptr && written.rejected != nullptr) {
      ExportStream(std::make_shared<arrow::TableBatchReader>(written.rejected), {}, rejected);
    }
    return written.report;
  }

  Result<IngestReport> Delete(std::string_view view, EntityRows rows, std::optional<std::int64_t> event_us,
                              const IngestOptions& options) override {
    TM_ASSIGN(const TableWrites writes, Writes());
    TM_ASSIGN(TableWrites::Written written, writes.Delete(view, Rows(rows), event_us, options));
    rows_written_ += written.report.rows;
    return std::move(written.report);
  }

  Result<std::vector<std::pair<std::string, IngestReport>>> Push(std::string_view source, EntityRows rows,
                                                                 const IngestOptions& options) override {
    TM_ASSIGN(const TableWrites writes, Writes());
    TM_ASSIGN(auto reports, writes.Push(source, Rows(rows), options));
    for (const auto& [view, report] : reports)
      rows_written_ += report.rows;
    return reports;
  }

  Result<FlushReport> Flush(const std::vector<std::string>& views) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
    return tables_.Flush(tables);
  }

  Result<CompactReport> Compact(const std::vector<std::string>& views, const WorkOptions& work) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
    return upkeep_.Compact(tables, work);
  }

  Result<ExpireSnapshotsReport> ExpireSnapshots(const std::vector<std::string>& views,
                                                const ExpireSnapshotsOptions& options) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
    return upkeep_.ExpireSnapshots(tables, options);
  }

  Result<std::string> Erase(std::string_view view, EntityRows keys, const WorkOptions& work) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const std::string name, ViewName(*catalog, view));
    TM_ASSIGN(const CatalogView* found, catalog->View(name));
    TM_TRY(StartMaintenance());  // what stays pending is completed by it
    return upkeep_.Erase(*found, Rows(keys), work);
  }

  Result<std::string> Erasures(const std::vector<std::string>& views) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
    return upkeep_.Erasures(tables);
  }

  Result<std::string> Snapshots(std::string_view view) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto found, TablesNamed(*catalog, {std::string(view)}));
    TM_ASSIGN(const auto tables, tables_.Open());
    TM_TRY(tables->Prepare(*found[0]));
    TM_ASSIGN(const auto table, tables->offline().Open(found[0]->id));
    TM_ASSIGN(const auto snapshots, table->Snapshots());
    auto list = Json::array();
    for (const SnapshotInfo& each : snapshots) {
      list.push_back({{"id", each.id},
                      {"parent", each.parent_id},
                      {"committed", FormatTimestampUs(each.committed_us)},
                      {"operation", each.operation},
                      {"rows", each.rows},
                      {"files", each.files},
                      {"tags", each.tags}});
    }
    return list.dump();
  }

  Result<void> ReadTable(std::string_view view, const ReadTableOptions& options,
                         ArrowArrayStream* out) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const std::string name, ViewName(*catalog, view));
    TM_ASSIGN(const CatalogView* found, catalog->View(name));
    TM_TRY(CheckReading(options.reading));
    TM_TRY(CheckSeenInFolders({found}, options.reading.at_least));
    ReadRowsRequest request;
    request.now_us = clock_->now_us();
    request.features = options.columns;
    request.start_us = options.start_us;
    request.end_us = options.end_us;
    request.latest = options.latest;
    request.threads = threads_;
    request.stop = options.stop;
    if (options.entities != nullptr) {
      TM_ASSIGN(const auto entities, TakeOver(options.entities));
      TM_ASSIGN(request.entities, FromArrowResult(entities->ToTable()));
    }
    TM_ASSIGN(auto reader, ReadRows(*found, Openers(options.stop, options.reading), request));
    ExportStream(std::move(reader), {}, out);
    return {};
  }

  Result<void> Sql(std::string_view query, const SqlQueryOptions& options, ArrowArrayStream* out) override {
    TM_ASSIGN(auto reader, sql_.Query(query, options));
    ExportStream(std::move(reader), {}, out);
    return {};
  }

  Result<std::int64_t> WriteSql(std::string_view query, const SqlQueryOptions& options,
                                const std::filesystem::path& out) override {
    TM_ASSIGN(const auto reader, sql_.Query(query, options));
    return WriteTableFile(*reader, out, FileWriting());
  }

  Result<void> LatestRows(std::string_view table, const LatestRowsOptions& options,
                          ArrowArrayStream* out) override {
    TM_ASSIGN(auto reader, sql_.LatestRows(table, options));
    ExportStream(std::move(reader), {}, out);
    return {};
  }

  Result<DumpReport> Dump(std::string_view query, const SqlQueryOptions& options) override {
    return sql_.Dump(query, options);
  }

  Result<void> ReadDump(std::string_view id, const std::stop_token& stop, ArrowArrayStream* out) override {
    TM_ASSIGN(auto reader, dumps_->Read(id, stop));
    ExportStream(std::move(reader), {}, out);
    return {};
  }

  Result<std::string> Dumps() override { return sql_.ListDumps(); }
  Result<void> RemoveDump(std::string_view id) override { return dumps_->Remove(id); }

  Result<std::vector<std::string>> Databases() override {
    TM_ASSIGN(const auto catalog, tables_.Catalog());
    return ListDatabases(*catalog, DatabaseOf(config_.project));
  }

  Result<void> CreateDatabase(std::string_view name) override {
    TM_ASSIGN(const auto catalog, tables_.Catalog());
    return tidemark::CreateDatabase(*catalog, DatabaseOf(config_.project), name);
  }

  Result<void> DropDatabase(std::string_view name) override {
    TM_ASSIGN(const auto catalog, tables_.Catalog());
    return tidemark::DropDatabase(*catalog, *registry_, DatabaseOf(config_.project), name);
  }

  Result<std::string> RegisterTable(std::string_view database, std::string_view table, std::string_view path,
                                    const RegisterOptions& options) override {
    return existing_.Register(database, table, path, options);
  }

  Result<std::string> AddPartitions(std::string_view database, std::string_view table,
                                    const std::vector<std::string>& partitions,
                                    const std::stop_token& stop) override {
    return existing_.AddPartitions(database, table, partitions, stop);
  }

  Result<std::string> Refresh(const std::vector<std::string>& tables, const std::stop_token& stop) override {
    return existing_.Refresh(tables, stop);
  }

  Result<std::string> Tables(std::string_view database) override {
    TM_ASSIGN(const std::string listed, sql_.ListTables());
    return existing_.Tables(listed, database);
  }

  Result<bool> DropRegisteredTable(std::string_view name) override { return existing_.Drop(name); }

  Result<RelocateReport> Relocate() override {
    TM_TRY(MakeFolder(path_ / kOwnFolder));
    return RelocateStore(path_, config_);
  }

  Result<std::string> Explain(std::string_view feature, std::string_view key,
                              const ExplainOptions& options) override {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TM_ASSIGN(const auto online, Online());
    const std::stop_token& stop = options.work.stop;
    return tidemark::Explain(
        {catalog, Openers(stop), config_.project, online, registry_, clock_, threads_, stop}, feature, key,
        options.t_us);
  }

  Result<std::string> OnlineStats() const override {
    TM_ASSIGN(const auto online, Online());
    TM_ASSIGN(const auto stats, online->Stats());
    return Json{{"rows", stats.rows}, {"bytes", stats.bytes}, {"bytes_max", stats.bytes_max}}.dump();
  }

  Result<std::string> Stats() override {
    StoreStatsParts parts;
    TM_ASSIGN(parts.catalog, LoadCatalog());
    TM_ASSIGN(parts.tables, tables_.Open());
    parts.registry = registry_;
    if (HasOnline()) {
      TM_ASSIGN(parts.online, Online());
    }
    parts.log_folder = path_ / kOwnFolder / "log";
    parts.rows_written = rows_written_;
    return StatsOfStore(parts);
  }

  /// As if something had been written.
  Result<void> Maintain() { return StartMaintenance(); }

 private:
  Result<Stated> Read(std::string_view text, const ApplyOptions& options) const {
    Stated stated;
    TM_ASSIGN(stated.definitions, ReadDefinitions(text));
    if (!stated.definitions.project.empty() && stated.definitions.project != config_.project) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the definitions are of project '{}' and the store was opened for project '{}'",
                              stated.definitions.project, config_.project));
    }
    stated.options.remove_missing = options.remove_missing;
    stated.options.own_database = DatabaseOf(config_.project);
    TM_ASSIGN(const auto catalog, LoadCatalog());
    for (const auto& [type, name] : options.remove) {
      std::string plain = name;
      if (type == ObjectType::kFeatureView) {
        TM_ASSIGN(plain, ViewName(*catalog, name));
      }
      stated.options.remove.emplace_back(KindOf(type), std::move(plain));
    }
    return stated;
  }

  Result<void> CheckDatabases(const Definitions& definitions) {
    if (!NameDatabases(definitions)) return {};
    TM_ASSIGN(const auto catalog, tables_.Catalog());
    return tidemark::CheckDatabases(*catalog, DatabaseOf(config_.project), definitions);
  }

  /// The view that `table` or `database.table` names.
  Result<std::string> ViewName(const Catalog& catalog, std::string_view name) const {
    return ViewNameOf(catalog, DatabaseOf(config_.project), name);
  }

  /// The store's folder as paths of files in it begin.
  std::string PlainFolder() const {
    const std::filesystem::path plain = path_.lexically_normal();
    return (plain.has_filename() ? plain : plain.parent_path()).string();
  }

  TableWriteOptions FileWriting() const {
    TableWriteOptions options;
    options.threads = threads_;
    options.row_group_bytes_max =
        std::min(options.row_group_bytes_max, config_.memory_bytes_max / kRowGroupsInMemory);
    return options;
  }

  StoreSql::Parts SqlParts() {
    return {.folder = path_,
            .config = config_,
            .threads = threads_,
            .registry = registry_,
            .clock = clock_,
            .dumps = dumps_,
            .tables = tables_,
            .catalog = [this] { return LoadCatalog(); },
            .openers = [this](const std::stop_token& stop,
                              const TableReadOptions& reading) { return Openers(stop, reading); },
            .check_folder = [this](const CatalogView& view,
                                   const std::string& token) { return CheckSeenInFolders({&view}, token); },
            .others = [this] { return existing_.SqlTables(); },
            .registered = [this](const std::string& name) { return existing_.ForSql(name); }};
  }

  EmbeddedTablesParts TableParts() {
    return {.folder = path_ / kOwnFolder,
            .folders = OpenSourcePlaces(path_, threads_, config_.adbc_driver_folders),
            .dumps = dumps_,
            .config = config_,
            .registry = registry_,
            .clock = clock_,
            .online = [this] { return Online(); },
            .write_times = [this] { return OwnWriteTimes(); },
            .threads = threads_};
  }

  /// The tables are opened first: a fork then waits for the work in the background before it takes the locks
  /// of what the tables are made of.
  Result<void> StartMaintenance() {
    TM_ASSIGN(const auto tables, tables_.Open());
    if (!tables->parts().is_read_only) maintenance_.Start();
    return {};
  }

  TableMaintenance::Parts MaintenanceParts() {
    TableMaintenance::Parts parts;
    parts.settings = config_.maintenance;
    parts.tables = [this] { return tables_.Open(); };
    parts.views = [this]() -> Result<TableMaintenance::Views> {
      TM_ASSIGN(const auto catalog, LoadCatalog());
      TableMaintenance::Views views;
      for (const auto& [name, view] : catalog->views()) {
        if (view.definition.is_table() && view.is_typed()) views.emplace_back(catalog, &view);
      }
      return views;
    };
    parts.clock = clock_;
    parts.tell = [path = path_](const std::string& message) {
      fmt::print(stderr, "tidemark: store {}: {}\n", path.string(), message);
    };
    return parts;
  }

  ExistingData::Parts ExistingParts() const {
    return {.folder = path_,
            .config = config_,
            .registry = registry_,
            .clock = clock_,
            .catalog = [this] { return tables_.Catalog(); },
            .views = [this] { return LoadCatalog(); },
            .opener = [this](const std::stop_token& stop) { return Opener(stop); },
            .threads = threads_};
  }

  OnlineWriteOptions SpillOptions() const {
    OnlineWriteOptions options;
    options.spill = [folder = path_ / kOwnFolder] { return OpenSpillFile(folder); };
    return options;
  }

  /// What writes of rows work with, at this moment.
  Result<TableWrites> Writes() {
    TM_TRY(StartMaintenance());
    TM_ASSIGN(auto catalog, LoadCatalog());
    TableWrites::Parts parts;
    parts.catalog = std::move(catalog);
    parts.reload = [this] { return LoadCatalog(); };
    parts.tables = [this] { return tables_.Open(); };
    parts.apply = [this](const Definitions& definitions) -> Result<void> {
      TM_TRY(tidemark::Apply(*registry_, config_.project, definitions, {}, Opener({}), *clock_));
      return {};
    };
    parts.load_online = [this](const std::string& view, const std::stop_token& stop) -> Result<std::int64_t> {
      MaterializeOptions options;
      options.views = {view};
      options.end_us = clock_->now_us();
      options.work.stop = stop;
      TM_ASSIGN(const MaterializeReport report, Materialize(options));
      return report.views[0].rows_written;
    };
    parts.own_database = DatabaseOf(config_.project);
    parts.loads = &loads_;
    parts.threads = threads_;
    return TableWrites(std::move(parts));
  }

  /// The write was to one of the views that are asked for.
  Result<void> CheckSeenOnline(const Selection& selection, const std::string& token) {
    TM_ASSIGN(const auto tables, tables_.Open());
    Result<void> seen;
    for (const SelectedView& selected : selection.views) {
      seen = tables->CheckSeenOnline(*selected.view, token);
      if (seen) break;
    }
    return seen;
  }

  /// The write was to the folder of one of the views that are asked for; tables are asked when they are
  /// opened.
  Result<void> CheckSeenInFolders(const std::vector<const CatalogView*>& views, const std::string& token) {
    const auto is_table = [](const CatalogView* view) { return view->definition.is_table(); };
    if (token.empty() || std::ranges::any_of(views, is_table)) return {};
    TM_ASSIGN(const auto tables, tables_.Open());
    Result<void> seen;
    for (const CatalogView* view : views) {
      seen = tables->CheckSeenInFolder(*view, token);
      if (seen) break;
    }
    return seen;
  }

  /// Loads a view again whose rows came into files, by a writer that is gone, but perhaps not online.
  Result<void> FinishLoads(const CatalogView& view) {
    TM_ASSIGN(const auto marks, loads_.Abandoned(view.id));
    if (marks.empty()) return {};
    MaterializeOptions options;
    options.views = {view.definition.name};
    options.end_us = clock_->now_us();
    TM_TRY(Materialize(options));
    for (const auto& mark : marks)
      TM_TRY(mark->End());
    return {};
  }

  /// Rows that a caller gave, opened once it is known what they are read as.
  static GivenRows Rows(const EntityRows& rows) { return {rows.stream, rows.path}; }

  Result<std::vector<const CatalogView*>> TablesNamed(const Catalog& catalog,
                                                      const std::vector<std::string>& names) const {
    std::vector<const CatalogView*> tables;
    for (const std::string& given : names) {
      TM_ASSIGN(const std::string name, ViewName(catalog, given));
      TM_ASSIGN(const CatalogView* view, catalog.View(name));
      if (!view->definition.is_table()) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("view '{}' has a batch source: Tidemark keeps no table of it", name));
      }
      tables.push_back(view);
    }
    if (!names.empty()) return tables;
    for (const auto& [name, view] : catalog.views()) {
      if (view.definition.is_table() && view.is_typed()) tables.push_back(&view);
    }
    return tables;
  }

  /// The catalog as it is now; read again only when the registry has moved.
  Result<std::shared_ptr<const Catalog>> LoadCatalog() const {
    TM_ASSIGN(const std::int64_t serial, registry_->Serial(config_.project));
    const std::lock_guard lock(mutex_);
    if (catalog_ != nullptr && catalog_->serial() == serial) return catalog_;
    TM_ASSIGN(catalog_, Catalog::Load(*registry_, config_.project));
    return catalog_;
  }

  /// Opened when it is first needed: defining features and building training sets do without.
  Result<std::shared_ptr<OnlineStore>> Online() const {
    const std::lock_guard lock(mutex_);
    if (online_ != nullptr) return online_;
    TM_TRY(MakeFolder(config_.online_path));
    TM_TRY(ClaimPlace(config_.online_path, path_));
    LmdbOptions options;
    options.folder = config_.online_path.string();
    options.map_bytes_max = config_.online_bytes_max;
    options.erase_key = (path_ / kOwnFolder / kEraseKeyFile).string();
    TM_ASSIGN(online_, OpenLmdbOnlineStore(options));
    return online_;
  }

  /// For writing only: a store in a folder that cannot be written is read without.
  Result<std::shared_ptr<WriteTimes>> OwnWriteTimes() const {
    const std::lock_guard lock(mutex_);
    if (write_times_ != nullptr) return write_times_;
    TM_TRY(MakeFolder(path_ / kOwnFolder));
    TM_ASSIGN(write_times_, WriteTimes::Open((path_ / kOwnFolder / "write_time").string()));
    return write_times_;
  }

  /// False as long as nothing can have been written online.
  bool HasOnline() const {
    std::error_code error;
    return std::filesystem::exists(config_.online_path, error);
  }

  /// Whether a source's columns are all of interest, or only those whose types are known.
  enum SourceTypes : bool { kKnownTypes = false, kAllTypes = true };

  SourceOpener Opener(std::stop_token stop, SourceTypes types = kKnownTypes) const {
    return [this, folder = path_, threads = threads_, stop = std::move(stop), types](
               const BatchSource& source, const std::map<std::string, DataType>& column_types,
               const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
      if (source.warehouse) return OpenWarehouse(source, column_types, needs, stop);
      if (!source.table.empty()) {
        TM_ASSIGN(auto csv, existing_.OpenCsv(source, column_types, types == kAllTypes, stop));
        if (csv != nullptr) return csv;
      }
      if (source.format == FileFormat::kIceberg) return OpenIceberg(source, stop);
      FileSourceOptions options;
      options.threads = threads;
      options.column_types = column_types;
      options.guesses_types = types == kAllTypes;
      options.stop = stop;
      return OpenFileSource(source, folder, options);
    };
  }

  static Result<void> CheckReading(const TableReadOptions& reading) {
    if (reading.at_least.empty() || (!reading.as_of_us && !reading.snapshot_id)) return {};
    return Fail(ErrorCode::kInvalidArgument,
                "as_of looks back, and at_least asks for a write that must be seen: give one of the two");
  }

  /// A table that another engine keeps, in a folder or in the store's catalog.
  Result<std::unique_ptr<Source>> OpenIceberg(const BatchSource& source, const std::stop_token& stop) const {
    std::filesystem::path path = (path_ / source.path).lexically_normal();
    if (!source.table.empty()) {
      TM_ASSIGN(const auto catalog, tables_.Catalog());
      TM_ASSIGN(path, FindTable(*catalog, source.table));
    }
    return OpenExternalTable(path,
                             {.field_mapping = source.field_mapping, .threads = threads_, .stop = stop});
  }

  Result<std::unique_ptr<Source>> OpenWarehouse(const BatchSource& source,
                                                const std::map<std::string, DataType>& column_types,
                                                const SourceNeeds& needs, const std::stop_token& stop) const {
    AdbcSourceOptions options{.column_types = column_types, .needs = needs, .stop = stop};
    options.driver_folders = config_.adbc_driver_folders;
    options.memory_bytes_max = config_.memory_bytes_max;
    options.spill = [folder = path_ / kOwnFolder]() -> Result<std::unique_ptr<Spill>> {
      TM_TRY(MakeFolder(folder));
      return OpenSpillFile(folder);
    };
    return OpenAdbcSource(source, options);
  }

  SourceOpeners Openers(std::stop_token stop, const TableReadOptions& reading = {}) {
    const auto repairing = [this, open = Opener(std::move(stop)),
                            has_past = reading.as_of_us || reading.snapshot_id](
                               const BatchSource& source, const std::map<std::string, DataType>& types,
                               const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
      if (has_past) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("as_of is for feature tables: nothing says when the rows of {} were written; "
                                "known_by goes by a created-timestamp column",
                                Quoted(source.place())));
      }
      TM_TRY_IN(tables_.Repair(), "finishing what a writer began that is gone");
      return open(source, types, needs);
    };
    return {repairing, tables_.Opener(reading)};
  }

  static Result<std::vector<ViewSelection>> Wanted(const Catalog& catalog,
                                                   const std::vector<std::string>& features,
                                                   const std::string& service, const std::string& selection) {
    const int given = (features.empty() ? 0 : 1) + (service.empty() ? 0 : 1) + (selection.empty() ? 0 : 1);
    if (given != 1) {
      return Fail(ErrorCode::kInvalidArgument, "ask for a list of features or for one feature service");
    }
    if (!features.empty()) return SelectionsFromRefs(features);
    if (!service.empty()) {
      TM_ASSIGN(const FeatureService* found, catalog.Service(service));
      return found->views;
    }
    // A list that was put together for one request is a service without a name of its own.
    TM_ASSIGN(const FeatureService once,
              FeatureServiceFromJson(fmt::format(R"({{"name": "request", "features": {}}})", selection)));
    return once.views;
  }

  static std::function<void(std::string_view, std::int64_t, std::int64_t)> ProgressOf(
      const WorkOptions& work) {
    if (!work.progress) return {};
    return [report = work.progress](std::string_view what, std::int64_t done, std::int64_t total) {
      report({what, done, total});
    };
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> StartHistorical(
      const EntityRows& rows, const HistoricalOptions& options, const std::shared_ptr<Warnings>& warnings) {
    std::shared_ptr<arrow::RecordBatchReader> entity_rows;
    if (rows.stream != nullptr) {
      TM_ASSIGN(entity_rows, TakeOver(rows.stream));
    }
    TM_TRY(CheckRows(rows, options));
    TM_TRY(CheckReading(options.reading));
    TM_ASSIGN(auto catalog, LoadCatalog());
    TM_ASSIGN(const auto wanted, Wanted(*catalog, options.features, options.service, options.selection));
    HistoricalRequest request;
    TM_ASSIGN(request.selection, Resolve(*catalog, wanted, options.full_feature_names));
    std::vector<const CatalogView*> views;
    for (const SelectedView& selected : request.selection.views)
      views.push_back(selected.view);
    TM_TRY(CheckSeenInFolders(views, options.reading.at_least));
    request.event_timestamp_column = options.event_timestamp_column;
    request.include_status = options.include_status;
    TM_ASSIGN(request.known_by, KnownByOf(options));
    request.threads = threads_;
    request.memory_bytes_max = config_.memory_bytes_max;
    request.stop = options.work.stop;
    request.progress = ProgressOf(options.work);
    if (options.range) {
      TM_ASSIGN(request.range,
                RangeOf(request.selection, options.range->start_us, options.range->end_us, clock_->now_us()));
    } else if (entity_rows == nullptr) {
      TM_ASSIGN(entity_rows, OpenTableFile(rows.path, threads_, KeyTypes(request.selection), request.stop));
      request.first_row = FirstRowNumber(rows.path);
    }
    const SourceOpeners open = Openers(request.stop, options.reading);
    return tidemark::GetHistorical(std::move(catalog), std::move(entity_rows), std::move(request), open,
                                   warnings);
  }

  Result<std::vector<const CatalogView*>> ViewsToLoad(const Catalog& catalog,
                                                      const std::vector<std::string>& names) const {
    std::vector<const CatalogView*> views;
    for (const std::string& given : names) {
      TM_ASSIGN(const std::string name, ViewName(catalog, given));
      TM_ASSIGN(const CatalogView* view, catalog.View(name));
      if (!view->definition.online) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("view '{}' is not kept online (online: false)", name));
      }
      views.push_back(view);
    }
    if (!names.empty()) return views;
    for (const auto& [name, view] : catalog.views()) {
      if (view.definition.online && view.is_typed()) views.push_back(&view);
    }
    return views;
  }

  Result<void> RemoveRows(const std::vector<std::uint32_t>& view_ids) {
    TM_TRY(tables_.Drop(view_ids));
    if (view_ids.empty() || !HasOnline()) return {};
    TM_ASSIGN(const auto online, Online());
    for (const std::uint32_t id : view_ids)
      TM_TRY(online->RemovePrefix(ViewPrefix(id)));
    return online->Sync();
  }

  const std::filesystem::path path_;
  const Config config_;
  const std::size_t threads_;
  const std::shared_ptr<Registry> registry_;
  const std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  const RevisionCheck revision_;
  std::atomic<std::int64_t> rows_written_ = 0;
  mutable std::mutex mutex_;  // guards those below
  mutable std::shared_ptr<const Catalog> catalog_;
  mutable std::shared_ptr<WriteTimes> write_times_;  // there once something was written
  mutable std::shared_ptr<OnlineStore> online_;
  const std::shared_ptr<tidemark::Dumps> dumps_ = OpenDumpFolder(path_ / "dumps", threads_);
  UnfinishedLoads loads_{path_ / kOwnFolder / "loads"};
  mutable EmbeddedTables tables_;  // uses those above
  mutable ExistingData existing_{ExistingParts()};
  StoreSql sql_{SqlParts()};
  TableUpkeep upkeep_{[this] { return tables_.Open(); }, threads_};
  TableMaintenance maintenance_{MaintenanceParts()};  // last: its thread uses all of those
};

}  // namespace

std::string_view NameOf(ObjectType type) {
  switch (type) {
    case ObjectType::kEntity:
      return "entity";
    case ObjectType::kFeatureView:
      return "feature_view";
    case ObjectType::kFeatureService:
      break;
  }
  return "feature_service";
}

std::string_view NameOf(Change::Action action) {
  switch (action) {
    case Change::Action::kAdd:
      return "add";
    case Change::Action::kChange:
      return "change";
    case Change::Action::kRename:
      return "rename";
    case Change::Action::kRemove:
      break;
  }
  return "remove";
}

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(options.path, error);
  if (error) return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no path", options.path.string()));
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a folder: a store is opened by its folder", path.string()));
  }
  TM_ASSIGN(Config config, ReadConfig(path));
  if (!options.project.empty()) {
    TM_TRY(CheckName("project", options.project));
    config.project = options.project;
  }
  config.adbc_driver_folders = options.adbc_driver_folders;
  if (!options.create && !std::filesystem::exists(config.registry_path, error)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no store in '{}': make one with `tidemark init`, or apply "
                            "definitions to it",
                            path.string()));
  }
  TM_TRY(MakeFolder(config.registry_path.parent_path()));
  SqliteRegistryOptions registry_options;
  registry_options.path = config.registry_path.string();
  registry_options.busy_timeout_ms = static_cast<int>(config.busy_timeout_ms);
  TM_ASSIGN(std::shared_ptr<Registry> registry, OpenSqliteRegistry(registry_options));
  auto store = std::make_unique<EmbeddedStore>(path, std::move(config), std::move(registry));
  if (options.maintain) TM_TRY(store->Maintain());
  return store;
}

void StopBackgroundWork() {
  StopAllMaintenance();
}

Result<std::string> NormalizeDefinitions(std::string_view text) {
  TM_ASSIGN(const Definitions definitions, ReadDefinitions(text));
  return ToJson(definitions);
}

Result<std::int64_t> ParseSize(std::string_view text) {
  return ParseBytes(text);
}

Result<std::int64_t> ParseDuration(std::string_view text) {
  return ParseDurationUs(text);
}

Result<std::int64_t> ParseTime(std::string_view text) {
  if (const auto us = ParseTimestampUs(text)) return *us;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is not a time: write 2024-05-01T12:00:00Z", text));
}

}  // namespace tidemark
