// Tidemark from C++, with the installed package alone: declares features over a CSV file, reads a training
// set through the Arrow C data interface, loads the online store and looks features up. It writes nothing
// outside a folder of its own under the system's temporary one, which it removes. docs/cpp.md explains it
// piece by piece.
#include <stdlib.h>
#include <tidemark/store.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace {

using tidemark::Result;
namespace fs = std::filesystem;

constexpr const char* kDriverStats =
    "driver_id,event_timestamp,rating,trips\n"
    "1001,2026-05-01T08:00:00Z,4.5,12\n"
    "1001,2026-05-01T10:00:00Z,4.7,15\n"
    "1002,2026-05-01T09:00:00Z,,3\n";

constexpr const char* kOrders =
    "order,driver_id,event_timestamp\n"
    "a,1001,2026-05-01T09:00:00Z\n"
    "b,1001,2026-05-01T11:00:00Z\n"
    "c,1002,2026-05-01T11:00:00Z\n"
    "d,1003,2026-05-01T11:00:00Z\n";

constexpr const char* kDefinitions = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}]}],
  "feature_views": [{
    "name": "driver_stats",
    "entities": ["driver"],
    "fields": [{"name": "rating", "type": "float64"}, {"name": "trips", "type": "int64"}],
    "source": {"type": "file", "path": "driver_stats.csv", "timestamp_field": "event_timestamp"}
  }]
})";

const std::vector<std::string> kFeatures{"driver_stats:rating", "driver_stats:trips"};

Result<void> Define(tidemark::Store& store) {
  const auto changes = store.Apply(kDefinitions, {});
  if (!changes) return std::unexpected(changes.error());
  for (const tidemark::Change& change : *changes) {
    std::cout << "applied " << change.name << "\n";
    for (const std::string& detail : change.details)
      std::cout << "    " << detail << "\n";
  }
  return {};
}

/// Releases a structure of the Arrow C data interface when it goes.
template <typename T>
struct Owned : T {
  Owned() : T{} {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (this->release != nullptr) this->release(this);
  }
};

/// One value of a column as text. Buffer 0 has a bit for each value that is there, and may be absent; then
/// come the values, or for text the ends of the values and their bytes.
std::string ValueOf(const char* format, const ArrowArray& column, std::int64_t row) {
  const auto at = static_cast<std::size_t>(column.offset + row);
  const auto* valid = static_cast<const std::uint8_t*>(column.buffers[0]);
  if (valid != nullptr && (valid[at / 8] >> (at % 8) & 1) == 0) return "null";
  switch (format[0]) {
    case 'l':
      return std::to_string(static_cast<const std::int64_t*>(column.buffers[1])[at]);
    case 'g': {
      std::string text = std::to_string(static_cast<const double*>(column.buffers[1])[at]);
      return text.substr(0, text.find('.') + 2);
    }
    case 'u': {
      const auto* ends = static_cast<const std::int32_t*>(column.buffers[1]);
      return {static_cast<const char*>(column.buffers[2]) + ends[at],
              static_cast<std::size_t>(ends[at + 1] - ends[at])};
    }
    default:
      return "...";
  }
}

Result<void> PrintTrainingSet(tidemark::Store& store, const fs::path& orders) {
  tidemark::HistoricalOptions options{.features = kFeatures, .include_status = true};
  Owned<ArrowArrayStream> stream;
  const auto made = store.GetHistorical({.path = orders}, options, &stream);
  if (!made) return made;

  Owned<ArrowSchema> schema;
  if (const int error = stream.get_schema(&stream, &schema); error != 0) {
    return std::unexpected(tidemark::StreamError(&stream, error));
  }
  while (true) {
    Owned<ArrowArray> batch;
    if (const int error = stream.get_next(&stream, &batch); error != 0) {
      return std::unexpected(tidemark::StreamError(&stream, error));
    }
    if (batch.release == nullptr) return {};  // the end
    for (std::int64_t row = 0; row < batch.length; ++row) {
      std::string line;
      for (std::int64_t i = 0; i < batch.n_children; ++i) {
        if (std::strcmp(schema.children[i]->name, "event_timestamp") == 0) continue;
        line += (line.empty() ? "" : "  ") + ValueOf(schema.children[i]->format, *batch.children[i], row);
      }
      std::cout << line << "\n";
    }
  }
}

Result<void> Load(tidemark::Store& store) {
  const auto end_us = tidemark::ParseTime("2026-05-01T12:00:00Z");
  if (!end_us) return std::unexpected(end_us.error());
  const auto report = store.Materialize({.end_us = *end_us});
  if (!report) return std::unexpected(report.error());
  for (const auto& view : report->views) {
    std::cout << "loaded " << view.view << ": " << view.rows_written << " keys\n";
  }
  return {};
}

Result<void> LookUp(tidemark::Store& store) {
  const auto reader = store.PrepareOnline({.features = kFeatures});  // once for many lookups
  if (!reader) return std::unexpected(reader.error());

  const std::array<std::int64_t, 3> drivers{1001, 1002, 1003};
  const std::vector<tidemark::KeyColumn> keys{std::span<const std::int64_t>(drivers)};
  tidemark::OnlineResult result;  // keep it: its buffers are used again
  if (const auto read = (*reader)->Read(keys, drivers.size(), result); !read) return read;

  for (std::size_t row = 0; row < result.rows(); ++row) {
    std::cout << "driver " << drivers[row] << ": rating " << tidemark::StatusName(result.status(0, row));
    if (result.status(0, row) == tidemark::Status::kPresent) std::cout << " " << result.Fixed<double>(0)[row];
    std::cout << ", trips " << tidemark::StatusName(result.status(1, row));
    if (result.status(1, row) == tidemark::Status::kPresent)
      std::cout << " " << result.Fixed<std::int64_t>(1)[row];
    std::cout << "\n";
  }
  return {};
}

Result<void> Run(const fs::path& folder) {
  std::ofstream(folder / "driver_stats.csv") << kDriverStats;
  std::ofstream(folder / "orders.csv") << kOrders;
  const auto store = tidemark::Store::Open({.path = folder});
  if (!store) return std::unexpected(store.error());
  if (const auto done = Define(**store); !done) return done;
  if (const auto done = PrintTrainingSet(**store, folder / "orders.csv"); !done) return done;
  if (const auto done = Load(**store); !done) return done;
  if (const auto done = LookUp(**store); !done) return done;

  const auto unknown = (*store)->PrepareOnline({.features = {"driver_stats:ratin"}});
  if (!unknown) {
    std::cout << tidemark::Describe(unknown.error().code).name << ": " << unknown.error().ToString() << "\n";
  }
  return {};
}

}  // namespace

int main() {
  std::string folder = (fs::temp_directory_path() / "tidemark-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::cerr << "cannot make a folder like " << folder << "\n";
    return 1;
  }
  const auto done = Run(folder);
  fs::remove_all(folder);
  if (done) return 0;
  std::cerr << "error: " << done.error().ToString() << "\n";
  return tidemark::Describe(done.error().code).exit_code;
}
