// Reading features: training sets, lookups, rows of tables, and why a value is what it is.
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "engine/entity_range.h"
#include "engine/explain.h"
#include "engine/on_demand.h"
#include "engine/online_reader.h"
#include "engine/online_scan.h"
#include "engine/tables/read_rows.h"
#include "pit/arrow_status.h"
#include "pit/stream_export.h"
#include "wiring/embedded_store_internal.h"
#include "wiring/store_stats.h"

namespace tidemark {
namespace {

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
  if (selection.on_demand != nullptr) {
    for (const RequestColumn& request : selection.on_demand->requests)
      types.emplace(request.name, request.type);
  }
  return types;
}

}  // namespace

Result<void> EmbeddedStore::GetHistorical(EntityRows rows, const HistoricalOptions& options,
                                          ArrowArrayStream* out) {
  auto warnings = std::make_shared<Warnings>();
  TM_ASSIGN(auto reader, StartHistorical(rows, options, warnings));
  StreamEnd ended;
  if (options.ended) {
    ended = [warnings, told = options.ended](std::int64_t count) { told({count, warnings->Texts()}); };
  }
  ExportStream(std::move(reader), std::move(ended), out);
  return {};
}

Result<HistoricalReport> EmbeddedStore::WriteHistorical(EntityRows rows, const HistoricalOptions& options,
                                                        const std::filesystem::path& out) {
  auto warnings = std::make_shared<Warnings>();
  TM_ASSIGN(const auto reader, StartHistorical(rows, options, warnings));
  TM_ASSIGN(const std::int64_t written, WriteTableFile(*reader, out, FileWriting()));
  return HistoricalReport{written, warnings->Texts()};
}

Result<KnownBy> EmbeddedStore::KnownByOf(const HistoricalOptions& options) {
  if (options.known_by_us && options.known_by_event) {
    return Fail(ErrorCode::kInvalidArgument, "known_by is a time or each row's own time, not both");
  }
  if (options.known_by_us) return KnownBy{KnownBy::Kind::kTime, *options.known_by_us};
  if (options.known_by_event) return KnownBy{KnownBy::Kind::kEntityRow, 0};
  return KnownBy{};
}

Result<std::shared_ptr<arrow::RecordBatchReader>> EmbeddedStore::OpenEntityFile(
    const EntityRows& rows, const HistoricalOptions& options, const Selection& selection) const {
  TM_TRY(CheckRows(rows, options));
  if (rows.path.empty()) return nullptr;
  return OpenTableFile(rows.path, threads_, KeyTypes(selection), options.work.stop);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> EmbeddedStore::StartHistorical(
    const EntityRows& rows, const HistoricalOptions& options, const std::shared_ptr<Warnings>& warnings) {
  std::shared_ptr<arrow::RecordBatchReader> entity_rows;
  if (rows.stream != nullptr) {
    TM_ASSIGN(entity_rows, TakeOver(rows.stream));
  }
  TM_TRY(CheckRows(rows, options));
  TM_TRY(CheckReading(options.reading));
  TM_ASSIGN(auto catalog, LoadCatalog());
  TM_ASSIGN(const auto wanted,
            SelectionsOf(*catalog, {options.features, options.service, options.selection}));
  HistoricalRequest request;
  TM_ASSIGN(request.selection, Resolve(*catalog, wanted, options.full_feature_names, config_.functions));
  std::vector<const CatalogView*> views;
  for (const SelectedView& selected : request.selection.views)
    views.push_back(selected.view);
  TM_TRY(CheckSeenInFolders(views, options.reading.at_least));
  request.event_timestamp_column = options.event_timestamp_column;
  request.include_status = options.include_status;
  TM_ASSIGN(request.known_by, KnownByOf(options));
  request.threads = threads_;
  request.memory_bytes_max = config_.memory_bytes_max;
  if (auto warning = MemoryWarning(config_)) warnings->Add(*std::move(warning));
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

Result<std::shared_ptr<const OnlineReader>> EmbeddedStore::PrepareOnline(const OnlineOptions& options) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto wanted,
            SelectionsOf(*catalog, {options.features, options.service, options.selection}));
  TM_ASSIGN(Selection selection, Resolve(*catalog, wanted, options.full_feature_names, config_.functions));
  TM_TRY_IN(tables_.Repair(), "finishing what a writer began that is gone");
  for (const SelectedView& selected : selection.views)
    TM_TRY(FinishLoads(*selected.view));
  if (!options.at_least.empty()) TM_TRY(CheckSeenOnline(selection, options.at_least));
  TM_ASSIGN(const auto online, Online());
  return MakeOnlineReader({catalog, std::move(selection), config_.project, online, registry_, clock_});
}

Result<OnlineRowsPage> EmbeddedStore::ReadOnlineRows(std::string_view view, const OnlineRowsOptions& options,
                                                     ArrowArrayStream* out) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const std::string name, ViewName(*catalog, view));
  TM_ASSIGN(const CatalogView* found, catalog->View(name));
  TM_ASSIGN(const auto online, Online());
  TM_ASSIGN(ScannedPage page, ScanOnlineRows(*found, *online, options, clock_->now_us()));
  TM_ASSIGN(auto reader, FromArrowResult(arrow::RecordBatchReader::Make({page.rows})));
  ExportStream(std::move(reader), {}, out);
  return OnlineRowsPage{page.rows->num_rows(), std::move(page.next)};
}

Result<void> EmbeddedStore::ReadTable(std::string_view view, const ReadTableOptions& options,
                                      ArrowArrayStream* out) {
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

Result<std::string> EmbeddedStore::Explain(std::string_view feature, std::string_view key,
                                           const ExplainOptions& options) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto online, Online());
  const std::stop_token& stop = options.work.stop;
  return tidemark::Explain(
      {catalog, Openers(stop), config_.project, online, registry_, clock_, threads_, stop, config_.functions},
      feature, key, options.t_us);
}

Result<std::string> EmbeddedStore::OnlineStats() const {
  TM_ASSIGN(const auto online, Online());
  TM_ASSIGN(const auto stats, online->Stats());
  return Json{{"rows", stats.rows}, {"bytes", stats.bytes}, {"bytes_max", stats.bytes_max}}.dump();
}

Result<std::string> EmbeddedStore::Stats() {
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

Result<void> EmbeddedStore::CheckReading(const TableReadOptions& reading) {
  if (reading.at_least.empty() || (!reading.as_of_us && !reading.snapshot_id)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "as_of looks back, and at_least asks for a write that must be seen: give one of the two");
}

Result<void> EmbeddedStore::CheckSeenOnline(const Selection& selection, const std::string& token) {
  TM_ASSIGN(const auto tables, tables_.Open());
  Result<void> seen;
  for (const SelectedView& selected : selection.views) {
    seen = tables->CheckSeenOnline(*selected.view, token);
    if (seen) break;
  }
  return seen;
}

Result<void> EmbeddedStore::CheckSeenInFolders(const std::vector<const CatalogView*>& views,
                                               const std::string& token) {
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

Result<void> EmbeddedStore::CheckSeen(const Selection& selection, const TableReadOptions& reading) {
  TM_TRY(CheckReading(reading));
  if (reading.at_least.empty()) return {};
  std::vector<const CatalogView*> views;
  for (const SelectedView& selected : selection.views)
    views.push_back(selected.view);
  TM_TRY(CheckSeenInFolders(views, reading.at_least));
  TM_ASSIGN(const auto tables, tables_.Open());
  for (const CatalogView* view : views) {
    if (view->definition.is_table())
      TM_TRY(tables->State(*view, {.snapshot_id = std::nullopt, .at_least = reading.at_least}));
  }
  return {};
}

}  // namespace tidemark
