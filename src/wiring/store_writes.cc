// Writing rows: loading the online store, rows that users give, and loads that a writer left unfinished.
#include <arrow/table.h>
#include <fmt/format.h>

#include "adapters/files/spill_file.h"
#include "engine/materialize.h"
#include "pit/stream_export.h"
#include "wiring/databases.h"
#include "wiring/embedded_store_internal.h"

namespace tidemark {

Result<MaterializeReport> EmbeddedStore::Materialize(const MaterializeOptions& options) {
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
  if (auto warning = MemoryWarning(config_); warning && !report.views.empty())
    report.views.front().warnings.push_back(*std::move(warning));
  return report;
}

Result<OnlineWriteReport> EmbeddedStore::WriteToOnlineStore(std::string_view view, ArrowArrayStream* rows) {
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

Result<IngestReport> EmbeddedStore::Ingest(std::string_view view, EntityRows rows,
                                           const IngestOptions& options, ArrowArrayStream* rejected) {
  TM_ASSIGN(const TableWrites writes, Writes());
  TM_ASSIGN(const TableWrites::Written written, writes.Ingest(view, Rows(rows), options));
  rows_written_ += written.report.rows;
  if (rejected != nullptr && written.rejected != nullptr) {
    ExportStream(std::make_shared<arrow::TableBatchReader>(written.rejected), {}, rejected);
  }
  return written.report;
}

Result<IngestReport> EmbeddedStore::Delete(std::string_view view, EntityRows rows,
                                           std::optional<std::int64_t> event_us,
                                           const IngestOptions& options) {
  TM_ASSIGN(const TableWrites writes, Writes());
  TM_ASSIGN(TableWrites::Written written, writes.Delete(view, Rows(rows), event_us, options));
  rows_written_ += written.report.rows;
  return std::move(written.report);
}

Result<std::vector<std::pair<std::string, IngestReport>>> EmbeddedStore::Push(std::string_view source,
                                                                              EntityRows rows,
                                                                              const IngestOptions& options) {
  TM_ASSIGN(const TableWrites writes, Writes());
  TM_ASSIGN(auto reports, writes.Push(source, Rows(rows), options));
  for (const auto& [view, report] : reports)
    rows_written_ += report.rows;
  return reports;
}

Result<void> EmbeddedStore::RunStreams(const std::vector<std::string>& views,
                                       const RunStreamsOptions& options) {
  TM_TRY(StartMaintenance());
  return streams_.Run(views, options);
}

Result<TableWrites> EmbeddedStore::Writes() {
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

Result<std::vector<const CatalogView*>> EmbeddedStore::ViewsToLoad(
    const Catalog& catalog, const std::vector<std::string>& names) const {
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

Result<void> EmbeddedStore::FinishLoads(const CatalogView& view) {
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

OnlineWriteOptions EmbeddedStore::SpillOptions() const {
  OnlineWriteOptions options;
  options.spill = [folder = path_ / kOwnFolder] { return OpenSpillFile(folder); };
  return options;
}

}  // namespace tidemark
