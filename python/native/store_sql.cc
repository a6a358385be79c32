// SQL, snapshots and dumps of a store, and what they are asked with.
#include "store_sql.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include <chrono>

#include "errors.h"
#include "interruptible.h"
#include "python_store.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tidemark::python {
namespace {

/// A stream that a call fills in.
template <typename Call>
std::unique_ptr<ResultStream> Streamed(const std::shared_ptr<Store>& store, const std::stop_source& stop,
                                       const Call& call) {
  ArrowArrayStream out{};
  Unwrap(RunInterruptibly(stop, [&] { return call(&out); }));
  return std::make_unique<ResultStream>(store, out, stop, std::make_shared<HistoricalReport>());
}

}  // namespace

std::unique_ptr<ResultStream> PythonStore::Sql(const std::string& query, SqlQueryOptions options,
                                               const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  return Streamed(store_, stop, [&](ArrowArrayStream* out) { return store_->Sql(query, options, out); });
}

std::unique_ptr<ResultStream> PythonStore::LatestRows(const std::string& table, LatestRowsOptions options,
                                                      const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  return Streamed(store_, stop,
                  [&](ArrowArrayStream* out) { return store_->LatestRows(table, options, out); });
}

std::tuple<std::string, std::string, std::int64_t, std::int64_t> PythonStore::Dump(
    const std::string& query, SqlQueryOptions options, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  options.stop = stop.get_token();
  const DumpReport made = Unwrap(RunInterruptibly(stop, [&] { return store_->Dump(query, options); }));
  return {made.id, made.path.string(), made.rows, made.bytes};
}

std::unique_ptr<ResultStream> PythonStore::ReadDump(const std::string& id, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  return Streamed(store_, stop,
                  [&](ArrowArrayStream* out) { return store_->ReadDump(id, stop.get_token(), out); });
}

std::string PythonStore::Dumps() const {
  return Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->Dumps(); }));
}

void PythonStore::RemoveDump(const std::string& id) const {
  Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->RemoveDump(id); }));
}

void BindSql(nb::module_& m) {
  nb::class_<SqlQueryOptions>(m, "SqlRequest")
      .def(
          "__init__",
          [](SqlQueryOptions* made, TableReadOptions reading, std::optional<std::int64_t> memory_bytes_max,
             std::optional<std::int64_t> time_limit_ms) {
            new (made) SqlQueryOptions{
                .reading = std::move(reading),
                .memory_bytes_max = memory_bytes_max,
                .time_limit =
                    time_limit_ms ? std::optional(std::chrono::milliseconds(*time_limit_ms)) : std::nullopt,
                .stop = {}};
          },
          nb::kw_only(), "reading"_a = TableReadOptions{}, "memory_bytes_max"_a = nb::none(),
          "time_limit_ms"_a = nb::none());
  nb::class_<LatestRowsOptions>(m, "SnapshotRequest")
      .def(
          "__init__",
          [](LatestRowsOptions* made, TableReadOptions reading, std::optional<std::int64_t> at_us,
             bool deleted) {
            new (made) LatestRowsOptions{
                .at_us = at_us, .deleted = deleted, .reading = std::move(reading), .stop = {}};
          },
          nb::kw_only(), "reading"_a = TableReadOptions{}, "at_us"_a = nb::none(), "deleted"_a = false);
  m.def("parse_size", [](const std::string& text) { return Unwrap(ParseSize(text)); }, "text"_a);
}

void BindSqlMethods(nb::class_<PythonStore>& store) {
  store.def("sql", &PythonStore::Sql, "query"_a, "request"_a, "token"_a.none())
      .def("latest_rows", &PythonStore::LatestRows, "table"_a, "request"_a, "token"_a.none())
      .def("dump", &PythonStore::Dump, "query"_a, "request"_a, "token"_a.none())
      .def("read_dump", &PythonStore::ReadDump, "id"_a, "token"_a.none())
      .def("dumps", &PythonStore::Dumps)
      .def("remove_dump", &PythonStore::RemoveDump, "id"_a)
      .def("tables", &PythonStore::Tables);
}

}  // namespace tidemark::python
