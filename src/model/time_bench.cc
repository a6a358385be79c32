// What reading one timestamp of a CSV column costs.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "model/time.h"

namespace tidemark {
namespace {

void ParseColumn(benchmark::State& state, const char* suffix) {
  std::vector<std::string> column;
  for (std::int64_t i = 0; i < 4096; ++i) {
    std::string text = FormatTimestampUs(i * 479'001'599 % 2'000'000'000 * 1'000'000);
    text.pop_back();
    column.push_back(text + suffix);
  }
  for (auto _ : state) {
    for (const std::string& text : column)
      benchmark::DoNotOptimize(ParseTimestampUs(text));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(column.size()));
}
BENCHMARK_CAPTURE(ParseColumn, seconds, "");
BENCHMARK_CAPTURE(ParseColumn, microseconds_with_zone, ".123456+02:00");

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
