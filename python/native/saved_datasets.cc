// Training sets that are kept, for Python: what is known of them goes out as JSON.
#include "saved_datasets.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <map>

#include "errors.h"
#include "interruptible.h"
#include "open_rows.h"
#include "python_store.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tidemark::python {

std::string PythonStore::SaveDataset(const std::string& name, const nb::object& rows, HistoricalOptions what,
                                     SaveDatasetOptions options, const CancelToken* token,
                                     nb::object progress) const {
  const OpenRows open(rows);
  const std::stop_source stop = SourceOf(token);
  what.work = {.stop = stop.get_token(), .progress = ProgressFrom(std::move(progress))};
  return Unwrap(RunInterruptibly(stop, [&] { return store_->SaveDataset(name, open.rows, what, options); }));
}

std::string PythonStore::SavedDatasets() const {
  return Unlocked([&] { return store_->SavedDatasets(); });
}

std::string PythonStore::SavedDataset(const std::string& name) const {
  return Unlocked([&] { return store_->SavedDataset(name); });
}

std::unique_ptr<ResultStream> PythonStore::ReadSavedDataset(const std::string& name,
                                                            const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  ArrowArrayStream out{};
  Unwrap(RunInterruptibly(stop, [&] { return store_->ReadSavedDataset(name, stop.get_token(), &out); }));
  return std::make_unique<ResultStream>(store_, out, stop, std::make_shared<HistoricalReport>());
}

std::string PythonStore::RebuildDataset(const std::string& name, const std::string& out,
                                        const CancelToken* token, nb::object progress) const {
  const std::stop_source stop = SourceOf(token);
  const WorkOptions work{.stop = stop.get_token(), .progress = ProgressFrom(std::move(progress))};
  return Unwrap(RunInterruptibly(stop, [&] { return store_->RebuildDataset(name, out, work); })).string();
}

void PythonStore::FetchSavedDataset(const std::string& name, bool entity_rows, const std::string& out,
                                    const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const DatasetFile file = entity_rows ? DatasetFile::kEntityRows : DatasetFile::kRows;
  Unwrap(
      RunInterruptibly(stop, [&] { return store_->FetchSavedDataset(name, file, out, stop.get_token()); }));
}

void PythonStore::DeleteSavedDataset(const std::string& name) const {
  Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->DeleteSavedDataset(name); }));
}

std::string PythonStore::SaveTable(const std::string& table, const nb::object& rows, bool allow_overwrite,
                                   const CancelToken* token) const {
  TakenStream taken(rows);
  const std::stop_source stop = SourceOf(token);
  const SaveTableOptions options{.allow_overwrite = allow_overwrite};
  return Unwrap(RunInterruptibly(
      stop, [&] { return store_->SaveTable(table, taken.get(), options, stop.get_token()); }));
}

void BindDatasets(nb::module_& m) {
  nb::class_<SaveDatasetOptions>(m, "SaveDatasetRequest")
      .def(
          "__init__",
          [](SaveDatasetOptions* made, const std::string& storage, std::map<std::string, std::string> tags,
             std::string feature_service, bool allow_overwrite) {
            new (made) SaveDatasetOptions{.storage = storage,
                                          .tags = std::move(tags),
                                          .feature_service = std::move(feature_service),
                                          .allow_overwrite = allow_overwrite};
          },
          nb::kw_only(), "storage"_a = "", "tags"_a = std::map<std::string, std::string>(),
          "feature_service"_a = "", "allow_overwrite"_a = false);
}

void BindDatasetMethods(nb::class_<PythonStore>& store) {
  store
      .def("save_dataset", &PythonStore::SaveDataset, "name"_a, "rows"_a.none(), "request"_a, "options"_a,
           "token"_a.none(), "progress"_a.none())
      .def("saved_datasets", &PythonStore::SavedDatasets)
      .def("saved_dataset", &PythonStore::SavedDataset, "name"_a)
      .def("read_saved_dataset", &PythonStore::ReadSavedDataset, "name"_a, "token"_a.none())
      .def("rebuild_dataset", &PythonStore::RebuildDataset, "name"_a, "out"_a, "token"_a.none(),
           "progress"_a.none())
      .def("fetch_saved_dataset", &PythonStore::FetchSavedDataset, "name"_a, "entity_rows"_a, "out"_a,
           "token"_a.none())
      .def("delete_saved_dataset", &PythonStore::DeleteSavedDataset, "name"_a)
      .def("save_table", &PythonStore::SaveTable, "table"_a, "rows"_a, "allow_overwrite"_a, "token"_a.none());
}

}  // namespace tidemark::python
