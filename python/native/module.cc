// tidemark._native: what Python sees of the engine. Conversion only; python/src/tidemark/_native.pyi has the
// types.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>

#include "arrow_capsules.h"
#include "errors.h"
#include "interruptible.h"
#include "online_rows.h"
#include "python_store.h"
#include "python_time.h"
#include "saved_datasets.h"
#include "store_sql.h"
#include "tidemark/remote.h"
#include "tidemark/store.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tidemark::python {
namespace {

void BindReports(nb::module_& m) {
  nb::class_<Change>(m, "Change")
      .def_prop_ro("action", [](const Change& change) { return std::string(NameOf(change.action)); })
      .def_prop_ro("type", [](const Change& change) { return std::string(NameOf(change.type)); })
      .def_ro("name", &Change::name)
      .def_ro("from_name", &Change::from_name)
      .def_ro("details", &Change::details);
  using View = MaterializeReport::View;
  nb::class_<View>(m, "MaterializeView")
      .def_ro("view", &View::view)
      .def_ro("rows_read", &View::rows_read)
      .def_ro("rows_written", &View::rows_written)
      .def_ro("files_read", &View::files_read)
      .def_ro("files_skipped", &View::files_skipped)
      .def_ro("seconds", &View::seconds)
      .def_ro("put_seconds", &View::put_seconds)
      .def_ro("warnings", &View::warnings);
}

WriteTarget TargetFrom(const std::string& to) {
  if (to.empty()) return WriteTarget::kUsual;
  if (to == "online") return WriteTarget::kOnline;
  if (to == "offline") return WriteTarget::kOffline;
  if (to == "online_and_offline") return WriteTarget::kBoth;
  Raise(ErrorCode::kInvalidArgument, "'" + to + "' is not online, offline or online_and_offline");
}

void BindTables(nb::module_& m) {
  nb::class_<TableReadOptions>(m, "TableReading")
      .def(
          "__init__",
          [](TableReadOptions* made, std::optional<std::int64_t> as_of_us,
             std::optional<std::int64_t> snapshot_id, std::string at_least) {
            new (made) TableReadOptions{as_of_us, snapshot_id, std::move(at_least)};
          },
          nb::kw_only(), "as_of_us"_a = nb::none(), "snapshot_id"_a = nb::none(), "at_least"_a = "");
  nb::class_<ReadTableOptions>(m, "TableRequest")
      .def(
          "__init__",
          [](ReadTableOptions* made, TableReadOptions reading, std::vector<std::string> columns,
             std::optional<std::int64_t> start_us, std::optional<std::int64_t> end_us, bool latest) {
            new (made) ReadTableOptions{.reading = std::move(reading),
                                        .columns = std::move(columns),
                                        .start_us = start_us,
                                        .end_us = end_us,
                                        .entities = nullptr,
                                        .latest = latest,
                                        .stop = {}};
          },
          nb::kw_only(), "reading"_a = TableReadOptions{}, "columns"_a = std::vector<std::string>{},
          "start_us"_a = nb::none(), "end_us"_a = nb::none(), "latest"_a = false);
  nb::class_<IngestOptions>(m, "IngestRequest")
      .def(
          "__init__",
          [](IngestOptions* made, const std::string& to, bool dry_run, bool skip_bad_rows, bool reads_text,
             bool ignore_other_columns, std::string idempotency_key, nb::object progress) {
            new (made) IngestOptions{.to = TargetFrom(to),
                                     .dry_run = dry_run,
                                     .skip_bad_rows = skip_bad_rows,
                                     .reads_text = reads_text,
                                     .ignore_other_columns = ignore_other_columns,
                                     .idempotency_key = std::move(idempotency_key),
                                     .stop = {},
                                     .progress = {}};
            if (const auto report = ProgressFrom(std::move(progress)))
              made->progress = [report](std::int64_t rows) { report({"writing rows", rows, 0}); };
          },
          nb::kw_only(), "to"_a = "", "dry_run"_a = false, "skip_bad_rows"_a = false, "reads_text"_a = false,
          "ignore_other_columns"_a = false, "idempotency_key"_a = "", "progress"_a = nb::none());
  nb::class_<IngestReport>(m, "IngestReport")
      .def_ro("rows", &IngestReport::rows)
      .def_ro("online_rows", &IngestReport::online_rows)
      .def_ro("ahead", &IngestReport::ahead)
      .def_ro("rejected", &IngestReport::rejected)
      .def_ro("repeated", &IngestReport::repeated)
      .def_ro("token", &IngestReport::token)
      .def_ro("warnings", &IngestReport::warnings);
  nb::class_<FlushReport::Table>(m, "FlushedTable")
      .def_ro("view", &FlushReport::Table::view)
      .def_ro("rows", &FlushReport::Table::rows)
      .def_ro("snapshot_id", &FlushReport::Table::snapshot_id);
}

void BindBackfill(nb::module_& m) {
  nb::class_<BackfillOptions>(m, "BackfillRequest")
      .def(
          "__init__",
          [](BackfillOptions* made, std::optional<std::int64_t> start_us, std::optional<std::int64_t> end_us,
             std::int64_t step_us, const std::string& to, bool restart) {
            new (made) BackfillOptions{.start_us = start_us,
                                       .end_us = end_us,
                                       .step_us = step_us,
                                       .to = TargetFrom(to),
                                       .restart = restart,
                                       .work = {}};
          },
          nb::kw_only(), "start_us"_a = nb::none(), "end_us"_a = nb::none(), "step_us"_a, "to"_a = "",
          "restart"_a = false);
  nb::class_<BackfillReport>(m, "BackfillReport")
      .def_ro("start_us", &BackfillReport::start_us)
      .def_ro("end_us", &BackfillReport::end_us)
      .def_ro("ranges", &BackfillReport::ranges)
      .def_ro("ranges_before", &BackfillReport::ranges_before)
      .def_ro("rows", &BackfillReport::rows)
      .def_ro("deletions", &BackfillReport::deletions)
      .def_ro("online_rows", &BackfillReport::online_rows)
      .def_ro("warnings", &BackfillReport::warnings);
}

void BindUpkeep(nb::module_& m) {
  nb::class_<CompactReport::Table>(m, "CompactedTable")
      .def_ro("view", &CompactReport::Table::view)
      .def_ro("files_before", &CompactReport::Table::files_before)
      .def_ro("files_after", &CompactReport::Table::files_after)
      .def_ro("rows", &CompactReport::Table::rows)
      .def_ro("bytes", &CompactReport::Table::bytes);
  nb::class_<ExpireSnapshotsReport::Table>(m, "ExpiredSnapshots")
      .def_ro("view", &ExpireSnapshotsReport::Table::view)
      .def_ro("snapshots", &ExpireSnapshotsReport::Table::snapshots)
      .def_ro("files", &ExpireSnapshotsReport::Table::files)
      .def_ro("bytes", &ExpireSnapshotsReport::Table::bytes)
      .def_ro("being_read", &ExpireSnapshotsReport::Table::being_read);
  nb::class_<RelocateReport::Table>(m, "RelocatedTable")
      .def_ro("table", &RelocateReport::Table::table)
      .def_ro("old_folder", &RelocateReport::Table::from)
      .def_ro("new_folder", &RelocateReport::Table::to)
      .def_ro("snapshots", &RelocateReport::Table::snapshots);
}

void BindHistorical(nb::module_& m) {
  nb::class_<HistoricalOptions>(m, "HistoricalRequest")
      .def(
          "__init__",
          [](HistoricalOptions* made, std::string selection, std::string service,
             std::string event_timestamp_column, bool full_feature_names, bool include_status,
             std::optional<std::int64_t> known_by_us, bool known_by_event, TableReadOptions reading,
             bool has_range, std::optional<std::int64_t> start_us, std::optional<std::int64_t> end_us) {
            new (made) HistoricalOptions{
                .features = {},
                .service = std::move(service),
                .selection = std::move(selection),
                .event_timestamp_column = std::move(event_timestamp_column),
                .full_feature_names = full_feature_names,
                .include_status = include_status,
                .known_by_us = known_by_us,
                .known_by_event = known_by_event,
                .reading = std::move(reading),
                .range = has_range ? std::optional(EventRange{start_us, end_us}) : std::nullopt,
                .ended = {},
                .work = {}};
          },
          nb::kw_only(), "selection"_a = "", "service"_a = "", "event_timestamp_column"_a = "",
          "full_feature_names"_a = false, "include_status"_a = false, "known_by_us"_a = nb::none(),
          "known_by_event"_a = false, "reading"_a = TableReadOptions{}, "has_range"_a = false,
          "start_us"_a = nb::none(), "end_us"_a = nb::none());
  nb::class_<HistoricalReport>(m, "HistoricalReport")
      .def_ro("rows", &HistoricalReport::rows)
      .def_ro("warnings", &HistoricalReport::warnings);
  nb::class_<ArrowBatch>(m, "ArrowBatch")
      .def(
          "__arrow_c_array__", [](ArrowBatch& batch, const nb::object&) { return batch.Export(); },
          "requested_schema"_a = nb::none());
  nb::class_<ResultStream>(m, "ResultStream")
      .def("__arrow_c_schema__", &ResultStream::Schema)
      .def("next", &ResultStream::Next, "token"_a = nb::none())
      .def_prop_ro("report", &ResultStream::report, nb::rv_policy::copy);
}

void BindOnline(nb::module_& m) {
  nb::class_<OnlineRows>(m, "OnlineRows")
      .def("to_dict", &OnlineRows::ToDict, "event_timestamps"_a, "status"_a)
      .def("to_arrow", &OnlineRows::ToArrow, "event_timestamps"_a, "status"_a)
      .def("statuses", &OnlineRows::Statuses)
      .def("key_columns", &OnlineRows::KeyValues)
      .def("__len__", &OnlineRows::rows);
  nb::class_<PythonReader>(m, "OnlineReader")
      .def_prop_ro("keys", &PythonReader::Keys)
      .def_prop_ro("requests", &PythonReader::Requests)
      .def_prop_ro("features", &PythonReader::Features)
      .def("is_current", &PythonReader::IsCurrent, "max_age_ms"_a)
      .def("read", &PythonReader::Read, "entity_rows"_a);
}

void BindConnecting(nb::module_& m) {
  nb::class_<ConnectOptions>(m, "ConnectOptions")
      .def(
          "__init__",
          [](ConnectOptions* made, std::string url, std::string api_key, std::string project,
             std::optional<std::int64_t> timeout_ms, const std::string& ca_file,
             const std::string& certificate, const std::string& private_key) {
            new (made) ConnectOptions{.url = std::move(url),
                                      .api_key = std::move(api_key),
                                      .project = std::move(project),
                                      .ca_file = ca_file,
                                      .certificate = certificate,
                                      .private_key = private_key};
            if (timeout_ms) made->answer_time_max = std::chrono::milliseconds(*timeout_ms);
            made->connect_time_max = std::min(made->connect_time_max, made->answer_time_max);
          },
          nb::kw_only(), "url"_a, "api_key"_a = "", "project"_a = "", "timeout_ms"_a = nb::none(),
          "ca_file"_a = "", "certificate"_a = "", "private_key"_a = "");
  m.def("is_server_url", [](const std::string& text) { return IsServerUrl(text); }, "text"_a);
}

void BindStore(nb::module_& m) {
  nb::class_<PythonStore> store(m, "Store");
  BindSqlMethods(store);
  BindDatasetMethods(store);
  store
      .def_static("open", &PythonStore::Open, "path"_a, "project"_a, "create"_a,
                  "adbc_driver_folders"_a = std::vector<std::string>(), "python"_a = "")
      .def_prop_ro("is_remote", &PythonStore::is_remote)
      .def_static("connect", &PythonStore::Connect, "options"_a)
      .def_prop_ro("path", &PythonStore::path)
      .def_prop_ro("project", &PythonStore::project)
      .def("plan", &PythonStore::Plan, "definitions"_a, "remove_missing"_a, "remove"_a, "token"_a.none())
      .def("apply", &PythonStore::Apply, "definitions"_a, "remove_missing"_a, "remove"_a, "token"_a.none())
      .def("teardown", &PythonStore::Teardown, "token"_a.none())
      .def("list_objects", &PythonStore::List, "type"_a)
      .def("describe", &PythonStore::Describe, "type"_a, "name"_a)
      .def("historical", &PythonStore::Historical, "rows"_a.none(), "request"_a, "token"_a.none(),
           "progress"_a.none())
      .def("write_historical", &PythonStore::WriteHistorical, "rows"_a.none(), "request"_a, "path"_a,
           "token"_a.none(), "progress"_a.none())
      .def("materialize", &PythonStore::Materialize, "views"_a, "start_us"_a.none(), "end_us"_a, "reload"_a,
           "token"_a.none(), "progress"_a.none())
      .def("backfill", &PythonStore::Backfill, "view"_a, "request"_a, "token"_a.none(), "progress"_a.none())
      .def("write_to_online_store", &PythonStore::WriteToOnlineStore, "view"_a, "rows"_a, "token"_a.none())
      .def("create_table", &PythonStore::CreateTable, "schema"_a, "time_column"_a, "time_unit"_a, "online"_a,
           "catalog"_a, "database"_a)
      .def("databases", &PythonStore::Databases)
      .def("create_database", &PythonStore::CreateDatabase, "name"_a)
      .def("drop_database", &PythonStore::DropDatabase, "name"_a)
      .def("relocate", &PythonStore::Relocate)
      .def("register_table", &PythonStore::RegisterTable, "database"_a, "table"_a, "path"_a, "partitions"_a,
           "token"_a.none())
      .def("add_partitions", &PythonStore::AddPartitions, "database"_a, "table"_a, "partitions"_a,
           "token"_a.none())
      .def("refresh", &PythonStore::Refresh, "tables"_a, "token"_a.none())
      .def("tables", &PythonStore::Tables, "database"_a)
      .def("drop_registered_table", &PythonStore::DropRegisteredTable, "name"_a)
      .def("run_streams", &PythonStore::RunStreams, "views"_a, "until_end"_a, "group"_a,
           "rejected_rate_max"_a, "wait_max_us"_a, "token"_a.none())
      .def("stream_status", &PythonStore::StreamStatus, "views"_a)
      .def("restart_stream", &PythonStore::RestartStream, "view"_a, "from_"_a, "partitions"_a, "dry_run"_a)
      .def("ingest", &PythonStore::Ingest, "view"_a, "rows"_a, "request"_a, "token"_a.none())
      .def("delete_rows", &PythonStore::Delete, "view"_a, "rows"_a, "event_us"_a.none(), "request"_a,
           "token"_a.none())
      .def("push", &PythonStore::Push, "source"_a, "rows"_a, "request"_a, "token"_a.none())
      .def("flush", &PythonStore::Flush, "views"_a)
      .def("snapshots", &PythonStore::Snapshots, "view"_a)
      .def("compact", &PythonStore::Compact, "views"_a, "token"_a.none())
      .def("expire_snapshots", &PythonStore::ExpireSnapshots, "views"_a, "older_than_us"_a, "keep"_a)
      .def("erase", &PythonStore::Erase, "view"_a, "keys"_a, "token"_a.none())
      .def("erasures", &PythonStore::Erasures, "views"_a)
      .def("read_table", &PythonStore::ReadTable, "view"_a, "request"_a, "entities"_a.none(),
           "token"_a.none())
      .def("prepare_online", &PythonStore::PrepareOnline, "selection"_a, "service"_a, "full_feature_names"_a,
           "at_least"_a)
      .def("explain", &PythonStore::Explain, "feature"_a, "key"_a, "t_us"_a.none(), "token"_a.none())
      .def("online_stats", &PythonStore::OnlineStats);
}

}  // namespace
}  // namespace tidemark::python

NB_MODULE(_native, m) {
  using namespace tidemark;  // NOLINT(google-build-using-namespace): the macro makes a function
  python::LoadDateTime();
  m.attr("version") = std::string(kVersion);
  nb::class_<python::CancelToken>(m, "CancelToken")
      .def(nb::init<>())
      .def("cancel", &python::CancelToken::Cancel)
      .def_prop_ro("cancelled", &python::CancelToken::cancelled);
  python::BindReports(m);
  python::BindTables(m);
  python::BindBackfill(m);
  python::BindUpkeep(m);
  python::BindHistorical(m);
  python::BindOnline(m);
  python::BindSql(m);
  python::BindDatasets(m);
  python::BindConnecting(m);
  python::BindStore(m);
  m.def(
      "normalize_definitions",
      [](const std::string& text) { return python::Unwrap(NormalizeDefinitions(text)); }, "text"_a);
  m.def("stop_background_work", [] {
    const nb::gil_scoped_release released;
    StopBackgroundWork();
  });
  m.def("parse_time", [](const std::string& text) { return python::Unwrap(ParseTime(text)); }, "text"_a);
}
