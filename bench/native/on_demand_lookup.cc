// What expressions add to a lookup through Tidemark's C++ API: the inputs of five expressions looked up, and
// the five expressions over them, in one process, taking turns.
//
//   tidemark_on_demand_bench STORE KEYS VIEW INPUT... -- COMPUTED_VIEW
//
// STORE: a store with a view of one int64 join key, float64 features INPUT and an on-demand view over them
// and request data km (float64). Prints one JSON object: microseconds of each, and of what is added.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tidemark/online.h"
#include "tidemark/store.h"

namespace {

constexpr int kRounds = 15;  // of each, in turns; the median counts
constexpr double kRoundSeconds = 0.1;
constexpr std::size_t kRows = 100;
constexpr std::size_t kKeysDrawn = std::size_t{1} << 14;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "tidemark_on_demand_bench: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T Value(tidemark::Result<T> result) {
  if (!result) Die(result.error().ToString());
  return std::move(result).value();
}

/// Request data of kRows rows as an Arrow batch of one column, which the caller of ReadWith owns no more.
struct RequestData {
  std::vector<double> km = std::vector<double>(kRows, 250.0);
  const void* buffers[2] = {nullptr, km.data()};
  const void* none[1] = {nullptr};
  ArrowArray column{};
  ArrowArray* columns[1] = {&column};
  ArrowSchema field{};
  ArrowSchema* fields[1] = {&field};

  void Export(ArrowSchema& schema, ArrowArray& batch) {
    const auto done_array = [](ArrowArray* array) { array->release = nullptr; };
    const auto done_schema = [](ArrowSchema* made) { made->release = nullptr; };
    column = {};
    column.length = kRows;
    column.n_buffers = 2;
    column.buffers = buffers;
    column.release = done_array;
    batch = {};
    batch.length = kRows;
    batch.n_buffers = 1;
    batch.buffers = none;
    batch.n_children = 1;
    batch.children = columns;
    batch.release = done_array;
    field = {};
    field.format = "g";
    field.name = "km";
    field.flags = 2;
    field.release = done_schema;
    schema = {};
    schema.format = "+s";
    schema.name = "";
    schema.n_children = 1;
    schema.children = fields;
    schema.release = done_schema;
  }
};

class Lookup {
 public:
  Lookup(tidemark::Store& store, std::vector<std::string> features)
      : reader_(Value(store.PrepareOnline({.features = std::move(features)}))) {}

  void Read(std::span<const std::int64_t> keys) {
    const tidemark::KeyColumn column{keys};
    tidemark::Result<void> read;
    if (reader_->requests().empty()) {
      read = reader_->Read(std::span(&column, 1), keys.size(), result_);
    } else {
      ArrowSchema schema{};
      ArrowArray batch{};
      data_.Export(schema, batch);
      read = reader_->ReadWith(std::span(&column, 1), keys.size(), &schema, &batch, result_);
    }
    if (!read) Die(read.error().ToString());
  }

 private:
  std::shared_ptr<const tidemark::OnlineReader> reader_;
  tidemark::OnlineResult result_;
  RequestData data_;
};

/// Microseconds of one lookup on average over a round.
double Round(const std::vector<std::int64_t>& drawn, Lookup& lookup) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  std::size_t calls = 0;
  std::size_t at = 0;
  double seconds = 0;
  while (seconds < kRoundSeconds) {
    for (int i = 0; i < 16; ++i, ++calls, at += kRows) {
      if (at + kRows > drawn.size()) at = 0;
      lookup.Read(std::span(drawn).subspan(at, kRows));
    }
    seconds = std::chrono::duration<double>(Clock::now() - began).count();
  }
  return seconds * 1e6 / static_cast<double>(calls);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7 || std::strcmp(argv[argc - 2], "--") != 0) {
    std::fprintf(stderr, "usage: tidemark_on_demand_bench STORE KEYS VIEW INPUT... -- COMPUTED_VIEW\n");
    return 2;
  }
  const auto store = Value(tidemark::Store::Open({.path = argv[1], .create = false}));
  std::vector<std::string> inputs;
  for (int i = 4; i < argc - 2; ++i)
    inputs.push_back(std::string(argv[3]) + ":" + argv[i]);
  Lookup plain(*store, inputs);
  Lookup computed(*store, {argv[argc - 1]});
  std::mt19937_64 random(7);
  std::vector<std::int64_t> drawn(kKeysDrawn);
  for (std::int64_t& key : drawn)
    key = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(std::atoll(argv[2])));
  Round(drawn, plain);  // both warm
  Round(drawn, computed);
  std::vector<double> plain_us;
  std::vector<double> computed_us;
  std::vector<double> added_us;
  for (int i = 0; i < kRounds; ++i) {
    plain_us.push_back(Round(drawn, plain));
    computed_us.push_back(Round(drawn, computed));
    added_us.push_back(computed_us.back() - plain_us.back());
  }
  std::printf("{\"plain_us\": %.2f, \"computed_us\": %.2f, \"added_us\": %.2f}\n", Median(plain_us),
              Median(computed_us), Median(added_us));
  return 0;
}
