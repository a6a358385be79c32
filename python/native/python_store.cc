// Short calls give up the interpreter lock; long ones also hear Ctrl-C (interruptible.h).
#include "python_store.h"

#include <nanobind/stl/string.h>

#include "errors.h"
#include "open_rows.h"
#include "tidemark/python_workers.h"

namespace nb = nanobind;

namespace tidemark::python {
namespace {

ObjectType TypeFrom(const std::string& type) {
  if (type == "entity") return ObjectType::kEntity;
  if (type == "feature_view") return ObjectType::kFeatureView;
  if (type == "feature_service") return ObjectType::kFeatureService;
  if (type == "on_demand_feature_view") return ObjectType::kOnDemandView;
  Raise(ErrorCode::kInvalidArgument,
        "'" + type + "' is not entity, feature_view, on_demand_feature_view or feature_service");
}

ApplyOptions OptionsFrom(bool remove_missing, const NamedObjects& remove, const std::stop_source& stop) {
  ApplyOptions options{
      .remove_missing = remove_missing, .remove = {}, .work = {.stop = stop.get_token(), .progress = {}}};
  for (const auto& [type, name] : remove)
    options.remove.emplace_back(TypeFrom(type), name);
  return options;
}

WorkOptions WorkFrom(const std::stop_source& stop, nb::object progress) {
  return {.stop = stop.get_token(), .progress = ProgressFrom(std::move(progress))};
}

}  // namespace

PythonStore PythonStore::Open(const std::string& path, const std::string& project, bool create,
                              const std::vector<std::string>& adbc_driver_folders,
                              const std::string& python) {
  StoreOptions options{.path = path, .project = project, .create = create};
  options.adbc_driver_folders.assign(adbc_driver_folders.begin(), adbc_driver_folders.end());
  if (!python.empty()) {
    options.python_workers =
        Unlocked([&] { return PythonWorkers::Start({.workers = 1, .interpreter = python}); });
  }
  return PythonStore(Unlocked([&] { return Store::Open(options); }));
}

PythonStore PythonStore::Connect(const ConnectOptions& options) {
  return PythonStore(Unlocked([&] { return tidemark::Connect(options); }), true);
}

std::vector<Change> PythonStore::Plan(const std::string& definitions, bool remove_missing,
                                      const NamedObjects& remove, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const ApplyOptions options = OptionsFrom(remove_missing, remove, stop);
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Plan(definitions, options); }));
}

std::vector<Change> PythonStore::Apply(const std::string& definitions, bool remove_missing,
                                       const NamedObjects& remove, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const ApplyOptions options = OptionsFrom(remove_missing, remove, stop);
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Apply(definitions, options); }));
}

void PythonStore::Teardown(const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const WorkOptions work{.stop = stop.get_token(), .progress = {}};
  Unwrap(RunInterruptibly(stop, [&] { return store_->Teardown(work); }));
}

std::string PythonStore::List(const std::string& type) const {
  const ObjectType wanted = TypeFrom(type);
  return Unlocked([&] { return store_->List(wanted); });
}

std::string PythonStore::Describe(const std::string& type, const std::string& name) const {
  const ObjectType wanted = TypeFrom(type);
  return Unlocked([&] { return store_->Describe(wanted, name); });
}

std::unique_ptr<ResultStream> PythonStore::Historical(const nb::object& rows, HistoricalOptions options,
                                                      const CancelToken* token, nb::object progress) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  const auto report = std::make_shared<HistoricalReport>();
  options.work = WorkFrom(stop, std::move(progress));
  options.ended = [report](const HistoricalReport& told) { *report = told; };
  ArrowArrayStream out{};
  Unwrap(RunInterruptibly(stop, [&] { return store_->GetHistorical(open.rows, options, &out); }));
  return std::make_unique<ResultStream>(store_, out, stop, report);
}

HistoricalReport PythonStore::WriteHistorical(const nb::object& rows, HistoricalOptions options,
                                              const std::string& path, const CancelToken* token,
                                              nb::object progress) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  options.work = WorkFrom(stop, std::move(progress));
  return Unwrap(RunInterruptibly(stop, [&] { return store_->WriteHistorical(open.rows, options, path); }));
}

std::vector<MaterializeReport::View> PythonStore::Materialize(std::vector<std::string> views,
                                                              std::optional<std::int64_t> start_us,
                                                              std::int64_t end_us, bool reload,
                                                              const CancelToken* token,
                                                              nb::object progress) const {
  const std::stop_source stop = SourceOf(token);
  const MaterializeOptions options{.views = std::move(views),
                                   .start_us = start_us,
                                   .end_us = end_us,
                                   .reload = reload,
                                   .work = WorkFrom(stop, std::move(progress))};
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Materialize(options); })).views;
}

BackfillReport PythonStore::Backfill(const std::string& view, BackfillOptions options,
                                     const CancelToken* token, nb::object progress) const {
  const std::stop_source stop = SourceOf(token);
  options.work = WorkFrom(stop, std::move(progress));
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Backfill(view, options); }));
}

std::pair<std::int64_t, std::int64_t> PythonStore::WriteToOnlineStore(const std::string& view,
                                                                      const nb::object& rows,
                                                                      const CancelToken* token) const {
  TakenStream taken(rows);
  const OnlineWriteReport report = Unwrap(
      RunInterruptibly(SourceOf(token), [&] { return store_->WriteToOnlineStore(view, taken.get()); }));
  return {report.written, report.kept};
}

void PythonStore::CreateTable(const std::string& schema, const std::string& time_column,
                              const std::string& time_unit, bool online, bool catalog,
                              const std::string& database) const {
  const CreateTableOptions options{.time_column = time_column,
                                   .time_unit = time_unit,
                                   .online = online,
                                   .catalog = catalog,
                                   .database = database};
  Unlocked([&] { return store_->CreateTable(schema, options); });
}

std::vector<std::string> PythonStore::Databases() const {
  return Unlocked([&] { return store_->Databases(); });
}

void PythonStore::CreateDatabase(const std::string& name) const {
  Unlocked([&] { return store_->CreateDatabase(name); });
}

void PythonStore::DropDatabase(const std::string& name) const {
  Unlocked([&] { return store_->DropDatabase(name); });
}

std::vector<RelocateReport::Table> PythonStore::Relocate() const {
  return Unlocked([&] { return store_->Relocate(); }).tables;
}

std::pair<IngestReport, std::unique_ptr<ResultStream>> PythonStore::Ingest(const std::string& view,
                                                                           const nb::object& rows,
                                                                           IngestOptions options,
                                                                           const CancelToken* token) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  ArrowArrayStream rejected{};
  IngestReport report =
      Unwrap(RunInterruptibly(stop, [&] { return store_->Ingest(view, open.rows, options, &rejected); }));
  std::unique_ptr<ResultStream> stream;
  if (rejected.release != nullptr) {
    stream = std::make_unique<ResultStream>(store_, rejected, stop, std::make_shared<HistoricalReport>());
  }
  return {std::move(report), std::move(stream)};
}

IngestReport PythonStore::Delete(const std::string& view, const nb::object& rows,
                                 std::optional<std::int64_t> event_us, IngestOptions options,
                                 const CancelToken* token) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Delete(view, open.rows, event_us, options); }));
}

std::vector<std::pair<std::string, IngestReport>> PythonStore::Push(const std::string& source,
                                                                    const nb::object& rows,
                                                                    IngestOptions options,
                                                                    const CancelToken* token) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Push(source, open.rows, options); }));
}

std::vector<FlushReport::Table> PythonStore::Flush(const std::vector<std::string>& views) const {
  return Unlocked([&] { return store_->Flush(views); }).tables;
}

std::string PythonStore::Snapshots(const std::string& view) const {
  return Unlocked([&] { return store_->Snapshots(view); });
}

std::vector<CompactReport::Table> PythonStore::Compact(const std::vector<std::string>& views,
                                                       const CancelToken* token) const {
  WorkOptions work;
  const std::stop_source stop = SourceOf(token);
  work.stop = stop.get_token();
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Compact(views, work); })).tables;
}

std::vector<ExpireSnapshotsReport::Table> PythonStore::ExpireSnapshots(const std::vector<std::string>& views,
                                                                       std::int64_t older_than_us,
                                                                       std::int64_t keep) const {
  return Unlocked([&] { return store_->ExpireSnapshots(views, {older_than_us, keep}); }).tables;
}

std::string PythonStore::Erase(const std::string& view, const nb::object& keys,
                               const CancelToken* token) const {
  const OpenRows open(keys);
  WorkOptions work;
  const std::stop_source stop = SourceOf(token);
  work.stop = stop.get_token();
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Erase(view, open.rows, work); }));
}

std::string PythonStore::Erasures(const std::vector<std::string>& views) const {
  return Unlocked([&] { return store_->Erasures(views); });
}

std::unique_ptr<ResultStream> PythonStore::ReadTable(const std::string& view, ReadTableOptions options,
                                                     const nb::object& entities,
                                                     const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  std::unique_ptr<TakenStream> taken;
  if (!entities.is_none()) {
    taken = std::make_unique<TakenStream>(entities);
    options.entities = taken->get();
  }
  options.stop = stop.get_token();
  ArrowArrayStream out{};
  Unwrap(RunInterruptibly(stop, [&] { return store_->ReadTable(view, options, &out); }));
  return std::make_unique<ResultStream>(store_, out, stop, std::make_shared<HistoricalReport>());
}

PythonReader PythonStore::PrepareOnline(const std::string& selection, const std::string& service,
                                        bool full_feature_names, const std::string& at_least) const {
  const OnlineOptions options{.features = {},
                              .service = service,
                              .selection = selection,
                              .full_feature_names = full_feature_names,
                              .at_least = at_least};
  return {store_, Unlocked([&] { return store_->PrepareOnline(options); }), is_remote_};
}

std::string PythonStore::Explain(const std::string& feature, const std::string& key,
                                 std::optional<std::int64_t> t_us, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const ExplainOptions options{.t_us = t_us, .work = {.stop = stop.get_token(), .progress = {}}};
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Explain(feature, key, options); }));
}

std::string PythonStore::OnlineStats() const {
  return Unlocked([&] { return store_->OnlineStats(); });
}

}  // namespace tidemark::python
