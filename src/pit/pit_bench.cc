// What the kernel costs, without reading or decoding anything: grouping entity rows, joining, reducing to the
// latest.
//
// Feature rows are 10M over 1M keys in random order, every tenth a tie by event time; they come in batches of
// 64k as a scan hands them over.
#include <arrow/api.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "base/check.h"
#include "base/parallel.h"
#include "pit/latest_per_key.h"
#include "pit/point_in_time_join.h"

namespace tidemark {
namespace {

constexpr std::size_t kFeatureRows = 10'000'000;
constexpr std::size_t kKeys = 1'000'000;
constexpr std::size_t kBatchRows = 65'536;
constexpr std::int64_t kRangeUs = 30LL * 86'400 * 1'000'000;

enum class Keys : std::int64_t { kInt64, kText, kTwoInt64 };

std::shared_ptr<arrow::Int64Array> Integers(const std::vector<std::int64_t>& values) {
  return std::make_shared<arrow::Int64Array>(static_cast<std::int64_t>(values.size()),
                                             arrow::Buffer::FromVector(values));
}

arrow::ArrayVector KeyColumns(Keys kind, const std::vector<std::int64_t>& ids) {
  if (kind == Keys::kInt64) return {Integers(ids)};
  if (kind == Keys::kTwoInt64) {
    std::vector<std::int64_t> high(ids);
    for (auto& id : high)
      id /= 1000;
    return {Integers(high), Integers(ids)};
  }
  arrow::BinaryBuilder builder;
  for (const std::int64_t id : ids) {
    TM_CHECK(builder.Append("customer-" + std::to_string(id)).ok(), "building keys");
  }
  return {builder.Finish().ValueOrDie()};
}

struct Rows {
  arrow::ArrayVector keys;
  std::shared_ptr<arrow::Int64Array> event;
  std::shared_ptr<arrow::Int64Array> created;
};

// Each key `count / keys` times or so, in random order unless `sorted` (by key, then time).
Rows MakeRows(std::size_t count, std::size_t keys, Keys kind, bool sorted, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> ids(count);
  for (std::size_t i = 0; i < count; ++i)
    ids[i] = static_cast<std::int64_t>(i % keys);
  if (sorted) {
    std::sort(ids.begin(), ids.end());
  } else {
    std::shuffle(ids.begin(), ids.end(), random);
  }
  std::vector<std::int64_t> event(count);
  std::vector<std::int64_t> created(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool tie = random() % 10 == 0;
    event[i] =
        tie ? kRangeUs / 2 : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kRangeUs));
    created[i] = event[i] + static_cast<std::int64_t>(random() % 3'600'000'000);
  }
  if (sorted) {
    for (std::size_t begin = 0; begin < count;) {
      std::size_t end = begin;
      while (end < count && ids[end] == ids[begin])
        ++end;
      std::sort(event.begin() + static_cast<std::ptrdiff_t>(begin),
                event.begin() + static_cast<std::ptrdiff_t>(end));
      begin = end;
    }
  }
  return {KeyColumns(kind, ids), Integers(event), Integers(created)};
}

// Made once: the benchmarks are run many times.
const Rows& Features(Keys kind, bool sorted) {
  static std::map<std::pair<Keys, bool>, Rows> made;
  auto& rows = made[{kind, sorted}];
  if (rows.event == nullptr) {
    made.clear();
    made[{kind, sorted}] = MakeRows(kFeatureRows, kKeys, kind, sorted, 1);
  }
  return made[{kind, sorted}];
}

FeatureRows Batch(const Rows& rows, std::size_t index, bool with_created) {
  const auto begin = static_cast<std::int64_t>(index * kBatchRows);
  const auto cut = [begin](const auto& array) {
    return std::static_pointer_cast<arrow::Int64Array>(array->Slice(begin, kBatchRows));
  };
  FeatureRows out;
  for (const auto& key : rows.keys)
    out.keys.push_back(key->Slice(begin, kBatchRows));
  out.event = cut(rows.event);
  if (with_created) out.created = cut(rows.created);
  out.first_location = static_cast<RowLocation>(begin);
  return out;
}

template <typename Sink>
void AddAll(const Rows& rows, bool with_created, std::size_t threads, Sink& sink) {
  const std::size_t batches = (static_cast<std::size_t>(rows.event->length()) + kBatchRows - 1) / kBatchRows;
  const auto done = ParallelFor(batches, threads, {}, [&](std::size_t index, std::size_t thread) {
    return sink.Add(Batch(rows, index, with_created), thread);
  });
  TM_CHECK(done.has_value(), "adding rows");
}

// Arguments: entity rows, keys among them (0: all keys of the features), kind of key.
void Group(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Rows rows =
      MakeRows(count, static_cast<std::size_t>(state.range(1)), static_cast<Keys>(state.range(2)), false, 2);
  for (auto _ : state) {
    auto groups = EntityGroups::Make(rows.keys, *rows.event);
    benchmark::DoNotOptimize(groups->groups());
  }
}
BENCHMARK(Group)
    ->ArgNames({"rows", "keys", "kind"})
    ->Args({1'000'000, 1'000'000, 0})
    ->Args({1'000'000, 10'000, 0})
    ->Args({1'000'000, 10, 0})
    ->Args({1'000'000, 1'000'000, 1})
    ->Args({10'000, 10'000, 0})
    ->Unit(benchmark::kMillisecond);

// Arguments: entity rows, keys among them, kind of key, threads, sorted features, created column.
void Join(benchmark::State& state) {
  const auto kind = static_cast<Keys>(state.range(2));
  const auto threads = static_cast<std::size_t>(state.range(3));
  const Rows& features = Features(kind, state.range(4) != 0);
  const Rows entities = MakeRows(static_cast<std::size_t>(state.range(0)),
                                 static_cast<std::size_t>(state.range(1)), kind, false, 2);
  const auto groups = EntityGroups::Make(entities.keys, *entities.event);
  for (auto _ : state) {
    PointInTimeJoin join(*groups, {.known_by = {}, .ttl_us = kRangeUs / 4, .threads = threads});
    AddAll(features, state.range(5) != 0, threads, join);
    benchmark::DoNotOptimize(join.Finish().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kFeatureRows));
}
BENCHMARK(Join)
    ->ArgNames({"rows", "keys", "kind", "threads", "sorted", "created"})
    ->Args({1'000'000, 1'000'000, 0, 1, 0, 1})
    ->Args({1'000'000, 1'000'000, 0, 2, 0, 1})
    ->Args({1'000'000, 1'000'000, 0, 2, 0, 0})
    ->Args({1'000'000, 100'000, 0, 2, 0, 1})
    ->Args({100'000, 100'000, 0, 2, 0, 1})
    ->Args({10'000, 10'000, 0, 1, 0, 1})
    ->Args({10'000, 10'000, 0, 2, 0, 1})
    ->Args({1'000'000, 1'000'000, 0, 2, 1, 1})
    ->Args({1'000'000, 1'000'000, 1, 2, 0, 1})
    ->Args({10'000, 10'000, 1, 2, 0, 1})
    ->Args({1'000'000, 1'000'000, 2, 2, 0, 1})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

// Arguments: kind of key, threads, sorted features.
void Latest(benchmark::State& state) {
  const auto threads = static_cast<std::size_t>(state.range(1));
  const Rows& features = Features(static_cast<Keys>(state.range(0)), state.range(2) != 0);
  for (auto _ : state) {
    LatestPerKey latest({.threads = threads});
    AddAll(features, true, threads, latest);
    benchmark::DoNotOptimize(latest.Finish().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kFeatureRows));
}
BENCHMARK(Latest)
    ->ArgNames({"kind", "threads", "sorted"})
    ->Args({0, 1, 0})
    ->Args({0, 2, 0})
    ->Args({0, 2, 1})
    ->Args({1, 2, 0})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
