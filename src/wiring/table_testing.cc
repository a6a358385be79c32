// Rows in and out of a store, and what is on its disk.
#include "wiring/table_testing.h"

#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include <algorithm>
#include <fstream>

#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/sqlite/sqlite_registry.h"
#include "base/check.h"
#include "base/write_times.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kHourUs = std::int64_t{3600} * 1'000'000;
constexpr std::int64_t kBeginUs = std::int64_t{1'767'225'600} * 1'000'000;  // 2026-01-01

constexpr std::string_view kSchema = R"({"name": "visits", "entities": ["user"], "schema": [
  {"name": "user", "type": "string"}, {"name": "event_timestamp", "type": "timestamp"},
  {"name": "n", "type": "int64"}, {"name": "place", "type": "string"}]})";

std::string TextOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (path.extension() != ".parquet") return bytes;
  const auto opened = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  const auto reader = parquet::arrow::OpenFile(opened, arrow::default_memory_pool()).ValueOrDie();
  return bytes + reader->ReadTable().ValueOrDie()->ToString();
}

}  // namespace

std::unique_ptr<Store> MakeVisitsStore(const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream(folder / "tidemark.yaml") << "offline_store:\n  maintenance: false\n";
  auto store = Store::Open({.path = folder});
  TM_CHECK(store.has_value(), "a test needs a store");
  TM_CHECK((*store)->CreateTable(kSchema, {}).has_value(), "a test needs a table");
  return *std::move(store);
}

std::shared_ptr<arrow::RecordBatchReader> VisitKey(const std::string& user) {
  arrow::StringBuilder users;
  TM_CHECK(users.Append(user).ok(), "a key of a test");
  const auto schema = arrow::schema({arrow::field("user", arrow::utf8())});
  const auto batch = arrow::RecordBatch::Make(schema, 1, {users.Finish().ValueOrDie()});
  return arrow::RecordBatchReader::Make({batch}).ValueOrDie();
}

std::shared_ptr<arrow::RecordBatchReader> VisitRows(const std::vector<Visit>& visits) {
  arrow::StringBuilder users;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::Int64Builder counts;
  arrow::StringBuilder places;
  std::int64_t time = kBeginUs;
  for (const Visit& visit : visits) {
    TM_CHECK(users.Append(visit.user).ok() && times.Append(time).ok() && counts.Append(visit.n).ok() &&
                 places.Append(visit.place).ok(),
             "rows of a test");
    time += kHourUs;
  }
  const auto schema =
      arrow::schema({arrow::field("user", arrow::utf8()), arrow::field("event_timestamp", times.type()),
                     arrow::field("n", arrow::int64()), arrow::field("place", arrow::utf8())});
  const auto batch = arrow::RecordBatch::Make(schema, std::ssize(visits),
                                              {users.Finish().ValueOrDie(), times.Finish().ValueOrDie(),
                                               counts.Finish().ValueOrDie(), places.Finish().ValueOrDie()});
  return arrow::RecordBatchReader::Make({batch}).ValueOrDie();
}

void IngestVisits(Store& store, const std::vector<Visit>& visits, WriteTarget to) {
  ArrowArrayStream stream{};
  TM_CHECK(arrow::ExportRecordBatchReader(VisitRows(visits), &stream).ok(), "rows of a test");
  const auto report = store.Ingest("visits", {.stream = &stream, .path = {}}, {.to = to}, nullptr);
  TM_CHECK(report.has_value(), report ? "" : report.error().message.c_str());
}

std::vector<std::string> VisitsOf(Store& store) {
  ArrowArrayStream stream{};
  const auto read = store.ReadTable("visits", {}, &stream);
  TM_CHECK(read.has_value(), read ? "" : read.error().message.c_str());
  const auto table = arrow::ImportRecordBatchReader(&stream).ValueOrDie()->ToTable().ValueOrDie();
  std::vector<std::string> visits;
  for (std::int64_t row = 0; row < table->num_rows(); ++row) {
    visits.push_back(fmt::format("{} {}",
                                 table->GetColumnByName("user")->GetScalar(row).ValueOrDie()->ToString(),
                                 table->GetColumnByName("n")->GetScalar(row).ValueOrDie()->ToString()));
  }
  std::ranges::sort(visits);
  return visits;
}

std::vector<std::string> FilesWith(const fs::path& folder, std::string_view text) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && TextOf(entry.path()).find(text) != std::string::npos)
      found.push_back(entry.path().string());
  }
  return found;
}

EmbeddedTablesParts PartsIn(const fs::path& folder, std::shared_ptr<const Clock> clock) {
  EmbeddedTablesParts parts;
  parts.folder = folder / kOwnFolder;
  parts.config = ReadConfig(folder).value();
  parts.registry = OpenSqliteRegistry({.path = parts.config.registry_path.string()}).value();
  parts.clock = std::move(clock);
  parts.online = [path = parts.config.online_path.string(),
                  opened = std::shared_ptr<OnlineStore>()]() mutable -> Result<std::shared_ptr<OnlineStore>> {
    if (opened == nullptr) {
      TM_ASSIGN(opened, OpenLmdbOnlineStore({.folder = path}));
    }
    return opened;
  };
  parts.write_times = [path =
                           (parts.folder / "write_time").string()]() -> Result<std::shared_ptr<WriteTimes>> {
    TM_ASSIGN(std::shared_ptr<WriteTimes> times, WriteTimes::Open(path));
    return times;
  };
  return parts;
}

std::shared_ptr<const CatalogView> VisitsView(const Registry& registry) {
  const auto catalog = Catalog::Load(registry, "default").value();
  return {catalog, catalog->View("visits").value()};
}

}  // namespace tidemark::testing_support
