// Writes tables of all kinds with the Iceberg adapter, for other engines to read:
//
//   iceberg_tables <folder>
//
// The catalog is <folder>/registry.db, the tables lie in <folder>/tables. What each table must hold, the test
// that reads them knows (test_other_engines.py).
#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "adapters/iceberg/iceberg_store.h"
#include "adapters/sqlite/sqlite_table_catalog.h"
#include "base/check.h"
#include "pit/columns.h"

namespace {

using namespace tidemark;

template <typename T>
T Must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return;
    } else {
      return std::move(result).value();
    }
  }
  std::fprintf(stderr, "%s\n", result.error().ToString().c_str());
  std::exit(1);
}

class Tables {
 public:
  explicit Tables(const std::filesystem::path& folder)
      : catalog_(Must(OpenSqliteTableCatalog({.path = folder / "registry.db"}))),
        store_(Must(OpenIcebergStore(*catalog_, clock_, {.root = folder / "tables"}))) {}

  std::unique_ptr<OfflineTable> Create(const std::string& name, const TableLayout& layout,
                                       bool listed = true) {
    return Must(
        store_->Create(++last_id_, {.database = "feature_store", .name = name, .listed = listed}, layout));
  }

  std::int64_t Append(OfflineTable& table, const std::string& json) { return Commit(table, json, {}); }

  std::int64_t Commit(OfflineTable& table, const std::string& json, const RewriteOptions& options) {
    arrow::FieldVector fields;
    for (const TableColumn& column : Must(table.Layout()).columns)
      fields.push_back(arrow::field(column.name, ToArrow(column.type)));
    const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(fields), json).ValueOrDie();
    const auto batch = arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
    const auto reader = arrow::RecordBatchReader::Make({batch}).ValueOrDie();
    auto staged = Must(table.Stage(*reader, {}));
    const CommitOutcome outcome = options.inputs.empty()
                                      ? Must(table.Append(std::move(staged), CommitAlways))
                                      : Must(table.Rewrite(options, std::move(staged), CommitAlways));
    TM_CHECK(outcome.committed, "a commit without a rule happens");
    clock_.set_us(clock_.now_us() + 1'000'000);
    return outcome.snapshot_id;
  }

 private:
  ManualClock clock_{1'760'000'000'000'000};
  std::unique_ptr<TableCatalog> catalog_;
  std::unique_ptr<OfflineStore> store_;
  TableId last_id_ = 0;
};

TableColumn Column(std::string name, const std::string& type, bool required = false) {
  return {.name = std::move(name), .type = Must(DataType::Parse(type)), .required = required};
}

void MakeAllTypes(Tables& tables) {
  const auto table = tables.Create(
      "all_types",
      {.columns = {Column("id", "int64", true), Column("flag", "bool"), Column("small", "int32"),
                   Column("ratio", "float32"), Column("price", "float64"), Column("name", "string"),
                   Column("raw", "binary"), Column("seen", "timestamp"), Column("day", "date"),
                   Column("cents", "decimal(9, 2)"), Column("wide", "decimal(30, 5)"),
                   Column("tags", "list<string>"), Column("place", "struct<lat: float64, near: list<int32>>"),
                   Column("counts", "map<string, int64>"),
                   Column("visits", "list<struct<at: timestamp, page: string>>")},
       .sort_columns = {"id"}});
  tables.Append(*table, R"([
    {"id": 2, "flag": true, "small": -7, "ratio": 0.5, "price": 1.25, "name": "zoë", "raw": "xyz",
     "seen": "2026-01-02 03:04:05.678901", "day": 20000, "cents": "12.34",
     "wide": "-98765432109876543210.12345", "tags": ["a", null, "b"],
     "place": {"lat": 1.5, "near": [1, 2]}, "counts": [["x", 1], ["y", null]],
     "visits": [{"at": "2026-01-01 00:00:00", "page": "home"}, null]},
    {"id": 1, "flag": null, "small": null, "ratio": null, "price": null, "name": null, "raw": null,
     "seen": null,
     "day": null, "cents": null, "wide": null, "tags": null, "place": null, "counts": null, "visits": null},
    {"id": 3, "flag": false, "small": 2147483647, "ratio": -0.0, "price": 1e300, "name": "", "raw": "",
     "seen": "1969-12-31 23:59:59.999999", "day": -1, "cents": "-0.01", "wide": "0.00001",
     "tags": [], "place": {"lat": null, "near": null}, "counts": [], "visits": []}])");
}

void MakePartitioned(Tables& tables) {
  const auto table = tables.Create(
      "partitioned",
      {.columns = {Column("user", "string", true), Column("event", "timestamp", true),
                   Column("country", "string"), Column("amount", "float64")},
       .sort_columns = {"user", "event"},
       .partitions = {{.column = "user", .transform = PartitionField::Transform::kBucket, .buckets = 4},
                      {.column = "event", .transform = PartitionField::Transform::kDay},
                      {.column = "country"}}});
  for (int commit = 0; commit < 3; ++commit) {
    std::string rows;
    for (int i = 0; i < 20; ++i) {
      rows += fmt::format(R"({}{{"user": "user {}", "event": "2026-01-{:02} 10:00:{:02}",)"
                          R"( "country": {}, "amount": {}}})",
                          i == 0 ? "" : ", ", i % 7, i % 3 + 1, i,
                          i % 4 == 0   ? "null"
                          : i % 4 == 1 ? "\"DE\""
                                       : "\"FR\"",
                          commit * 100 + i);
    }
    tables.Append(*table, "[" + rows + "]");
  }
}

void MakeEvolved(Tables& tables) {
  const auto table =
      tables.Create("evolved", {.columns = {Column("id", "int64", true), Column("count", "int32"),
                                            Column("score", "float32"), Column("old_name", "string")},
                                .sort_columns = {"id"}});
  tables.Append(*table, R"([{"id": 1, "count": 10, "score": 0.5, "old_name": "a"}])");
  using Kind = ColumnChange::Kind;
  const std::vector<ColumnChange> changes{
      {.kind = Kind::kWiden, .column = "count", .type = {.kind = TypeKind::kInt64}},
      {.kind = Kind::kWiden, .column = "score", .type = {.kind = TypeKind::kFloat64}},
      {.kind = Kind::kRename, .column = "old_name", .new_name = "new-name"},
      {.kind = Kind::kAdd, .column = "extra", .type = DataType::List({.kind = TypeKind::kInt64})}};
  Must(table->Evolve(changes));
  tables.Append(*table,
                R"([{"id": 2, "count": 5000000000, "score": 0.1, "new-name": "b", "extra": [1, null]}])");
}

void MakeManyCommits(Tables& tables) {
  const auto table =
      tables.Create("many_commits", {.columns = {Column("id", "int64", true)}, .sort_columns = {"id"}});
  std::int64_t tagged = 0;
  for (int i = 0; i < 40; ++i) {
    const std::int64_t snapshot = tables.Append(*table, fmt::format(R"([{{"id": {}}}])", i));
    if (i == 9) tagged = snapshot;
  }
  Must(table->Tag("first_ten", tagged));
}

void MakeRewritten(Tables& tables) {
  const auto table =
      tables.Create("rewritten", {.columns = {Column("id", "int64", true)}, .sort_columns = {"id"}});
  for (int i = 0; i < 4; ++i)
    tables.Append(*table, fmt::format(R"([{{"id": {}}}, {{"id": {}}}])", 2 * i, 2 * i + 1));
  const auto snapshot = Must(table->Snapshot({}));
  const auto files = Must(snapshot->Files());
  RewriteOptions options;
  options.inputs = {files[2].path, files[3].path};  // the oldest two: 0 to 3
  options.erases = true;
  tables.Commit(*table, R"([{"id": 0}, {"id": 2}, {"id": 3}])", options);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: iceberg_tables <folder>\n");
    return 2;
  }
  Tables tables{std::filesystem::path(argv[1])};
  MakeAllTypes(tables);
  MakePartitioned(tables);
  MakeEvolved(tables);
  MakeManyCommits(tables);
  MakeRewritten(tables);
  tables.Create("empty", {.columns = {Column("id", "int64", true)}});
  tables.Create("unlisted", {.columns = {Column("id", "int64", true)}}, false);
  return 0;
}
