// Durable small writes through Tidemark's C++ API, one row each: how many a second one writer and 32 make,
// and how long an acknowledgement takes, beside a bare append and fdatasync in the same folder. All take
// turns, because disks have moods.
//
//   tidemark_small_writes FOLDER ROUNDS SECONDS
//
// Prints one JSON object: of each contestant the rates, and the 50th and 99th percentiles, of every round.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tidemark/store.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kFeatures = 8;
constexpr int kManyWriters = 32;
constexpr std::size_t kBareBytes = 200;  // about the values of one row, and what a frame has around them
constexpr std::int64_t kFirstEventUs = 1'735'689'600'000'000;

constexpr const char* kDefinitions = R"({
  "entities": [{"name": "key", "join_keys": [{"name": "key", "type": "int64"}]}],
  "feature_views": [
    {"name": "offline_rows", "entities": ["key"], "online": false, "fields": [FIELDS]},
    {"name": "both_rows", "entities": ["key"], "fields": [FIELDS]}
  ]
})";

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "tidemark_small_writes: %s\n", what.c_str());
  std::exit(1);
}

double MicrosecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

/// One row as an Arrow C stream: a key, an event time, and features. Lives as long as the stream is used.
class RowStream {
 public:
  RowStream(std::int64_t key, std::int64_t event_us) : key_(key), event_us_(event_us) {}

  ArrowArrayStream* stream() {
    stream_ = {.get_schema = &GetSchema,
               .get_next = &GetNext,
               .get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; },
               .release = [](ArrowArrayStream* stream) { stream->release = nullptr; },
               .private_data = this};
    return &stream_;
  }

 private:
  static constexpr std::size_t kColumns = 2 + kFeatures;

  static RowStream& Of(ArrowArrayStream* stream) { return *static_cast<RowStream*>(stream->private_data); }

  static int GetSchema(ArrowArrayStream* stream, ArrowSchema* out) {
    static const std::array<std::string, kFeatures> features{"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"};
    RowStream& row = Of(stream);
    for (std::size_t i = 0; i < kColumns; ++i) {
      ArrowSchema& field = row.fields_[i];
      field = {};
      field.format = i == 0 ? "l" : i == 1 ? "tsu:UTC" : "g";
      field.name = i == 0 ? "key" : i == 1 ? "event_timestamp" : features[i - 2].c_str();
      field.flags = ARROW_FLAG_NULLABLE;
      field.release = [](ArrowSchema* schema) { schema->release = nullptr; };
      row.field_pointers_[i] = &field;
    }
    *out = {};
    out->format = "+s";
    out->name = "";
    out->n_children = kColumns;
    out->children = row.field_pointers_.data();
    out->release = &ReleaseSchema;
    return 0;
  }

  static void ReleaseSchema(ArrowSchema* schema) {
    for (std::int64_t i = 0; i < schema->n_children; ++i) {
      if (schema->children[i]->release != nullptr) schema->children[i]->release(schema->children[i]);
    }
    schema->release = nullptr;
  }

  static int GetNext(ArrowArrayStream* stream, ArrowArray* out) {
    RowStream& row = Of(stream);
    *out = {};
    if (std::exchange(row.is_read_, true)) return 0;  // no release: the end
    for (std::size_t i = 0; i < kColumns; ++i) {
      const void* const values = i == 0   ? static_cast<const void*>(&row.key_)
                                 : i == 1 ? static_cast<const void*>(&row.event_us_)
                                          : static_cast<const void*>(&row.values_[i - 2]);
      row.buffers_[i] = {nullptr, values};
      ArrowArray& column = row.columns_[i];
      column = {};
      column.length = 1;
      column.n_buffers = 2;
      column.buffers = row.buffers_[i].data();
      column.release = [](ArrowArray* array) { array->release = nullptr; };
      row.column_pointers_[i] = &column;
    }
    out->length = 1;
    out->n_buffers = 1;
    out->buffers = row.no_buffers_.data();
    out->n_children = kColumns;
    out->children = row.column_pointers_.data();
    out->release = &ReleaseArray;
    return 0;
  }

  static void ReleaseArray(ArrowArray* array) {
    for (std::int64_t i = 0; i < array->n_children; ++i) {
      if (array->children[i]->release != nullptr) array->children[i]->release(array->children[i]);
    }
    array->release = nullptr;
  }

  const std::int64_t key_;
  const std::int64_t event_us_;
  const std::array<double, kFeatures> values_{0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5};
  bool is_read_ = false;
  ArrowArrayStream stream_{};
  std::array<ArrowSchema, kColumns> fields_{};
  std::array<ArrowSchema*, kColumns> field_pointers_{};
  std::array<std::array<const void*, 2>, kColumns> buffers_{};
  std::array<const void*, 1> no_buffers_{};
  std::array<ArrowArray, kColumns> columns_{};
  std::array<ArrowArray*, kColumns> column_pointers_{};
};

std::string Definitions() {
  std::string fields;
  for (std::size_t i = 0; i < kFeatures; ++i)
    fields += (i == 0 ? "" : ", ") + (R"({"name": "f)" + std::to_string(i) + R"(", "type": "float64"})");
  std::string text = kDefinitions;
  for (std::size_t at = text.find("FIELDS"); at != std::string::npos; at = text.find("FIELDS"))
    text.replace(at, std::string("FIELDS").size(), fields);
  return text;
}

/// What is timed: one durable write.
struct Contestant {
  std::string name;
  int writers = 1;
  std::function<void()> write;
  std::vector<double> rates{};  // a second, by round
  std::vector<double> p50_us{};
  std::vector<double> p99_us{};
};

/// Writes by so many threads, each one write after the other, until the time is over.
void Turn(Contestant& contestant, double seconds) {
  std::vector<std::vector<double>> latencies_us(static_cast<std::size_t>(contestant.writers));
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::vector<double>& own_us : latencies_us) {
      threads.emplace_back([&] {
        while (MicrosecondsSince(begin) < seconds * 1e6) {
          const auto before = Clock::now();
          contestant.write();
          own_us.push_back(MicrosecondsSince(before));
        }
      });
    }
  }
  const double took_s = MicrosecondsSince(begin) / 1e6;
  std::vector<double> all_us;
  for (const std::vector<double>& own_us : latencies_us)
    all_us.insert(all_us.end(), own_us.begin(), own_us.end());
  if (all_us.empty()) Die("a turn is too short to measure anything");
  std::ranges::sort(all_us);
  const auto at = [&](double share) {
    return all_us[static_cast<std::size_t>(share * static_cast<double>(all_us.size() - 1))];
  };
  contestant.rates.push_back(static_cast<double>(all_us.size()) / took_s);
  contestant.p50_us.push_back(at(0.5));
  contestant.p99_us.push_back(at(0.99));
}

/// Rows that a reader of the table finds, wherever they are by now: in the log or flushed.
std::int64_t RowsOf(tidemark::Store& store, const char* table) {
  ArrowArrayStream stream{};
  if (const auto read = store.ReadTable(table, {}, &stream); !read) Die(read.error().ToString());
  std::int64_t rows = 0;
  while (true) {
    ArrowArray batch{};
    if (const int error = stream.get_next(&stream, &batch); error != 0)
      Die(tidemark::StreamError(&stream, error).ToString());
    if (batch.release == nullptr) break;
    rows += batch.length;
    batch.release(&batch);
  }
  stream.release(&stream);
  return rows;
}

std::string Json(const std::vector<double>& values) {
  std::string text = "[";
  for (const double value : values)
    text += (text.size() > 1 ? ", " : "") + std::to_string(value);
  return text + "]";
}

void Print(const std::vector<Contestant>& contestants, std::int64_t rows) {
  std::string text = "{\"rows\": " + std::to_string(rows);
  for (const Contestant& each : contestants) {
    text += ", \"" + each.name + "\": {\"rates\": " + Json(each.rates) +
            ", \"p50_us\": " + Json(each.p50_us) + ", \"p99_us\": " + Json(each.p99_us) + "}";
  }
  std::puts((text + "}").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: tidemark_small_writes FOLDER ROUNDS SECONDS\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  auto store = tidemark::Store::Open({.path = folder / "store"});
  if (!store) Die(store.error().ToString());
  if (const auto applied = (*store)->Apply(Definitions(), {}); !applied) Die(applied.error().ToString());

  std::atomic<std::int64_t> next = 0;
  const auto ingest = [&](const char* view) {
    const std::int64_t number = next.fetch_add(1);
    RowStream row(number % 1000, kFirstEventUs + number);
    const auto report = (*store)->Ingest(view, {.stream = row.stream()}, {}, nullptr);
    if (!report) Die(report.error().ToString());
    if (report->rows != 1) Die("a write of one row took " + std::to_string(report->rows));
  };
  const std::string bare_path = folder / "bare";
  const int bare = ::open(bare_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (bare < 0) Die("the folder cannot be written to");
  const std::string bytes(kBareBytes, 'x');
  const auto append_bare = [&] {
    if (::write(bare, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) Die("write");
    if (::fdatasync(bare) != 0) Die("fdatasync");
  };
  std::vector<Contestant> contestants{
      {"bare", 1, append_bare},
      {"one", 1, [&] { ingest("offline_rows"); }},
      {"many", kManyWriters, [&] { ingest("offline_rows"); }},
      {"both_one", 1, [&] { ingest("both_rows"); }},
      {"both_many", kManyWriters, [&] { ingest("both_rows"); }},
  };
  for (int round = 0; round < std::atoi(argv[2]); ++round) {
    for (Contestant& each : contestants)
      Turn(each, std::atof(argv[3]));
  }
  ::close(bare);
  const std::int64_t rows = RowsOf(**store, "offline_rows") + RowsOf(**store, "both_rows");
  if (rows != next.load())
    Die(std::to_string(next.load()) + " rows were acknowledged, " + std::to_string(rows) + " are there");
  Print(contestants, rows);
  return 0;
}
