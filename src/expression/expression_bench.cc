// What an expression costs: over the rows of a request, and over millions.
#include <arrow/builder.h>
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "expression/expression.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

const std::vector<ExpressionColumn> kColumns{{"", "a", {TypeKind::kFloat64}},
                                             {"", "b", {TypeKind::kInt64}},
                                             {"", "s", {TypeKind::kString}},
                                             {"", "t", {TypeKind::kTimestamp}}};
const std::vector<std::string> kExpressions{
    "a * 2 + b / 3", "CASE WHEN a > 0.5 AND b < 500 THEN ln(a + 1) ELSE 0 END",
    "coalesce(a, 0) > 0.25 OR b % 7 = 0", "upper(s) || '-' || b", "date_diff('hour', t, now())"};

std::vector<std::shared_ptr<arrow::Array>> MakeColumns(std::int64_t rows) {
  std::mt19937_64 random(1);
  arrow::DoubleBuilder a;
  arrow::Int64Builder b;
  arrow::StringBuilder s;
  arrow::TimestampBuilder t(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), arrow::default_memory_pool());
  arrow::Status done;
  for (std::int64_t row = 0; row < rows && done.ok(); ++row) {
    const auto value = static_cast<std::int64_t>(random() % 1000);
    done &= row % 10 == 0 ? a.AppendNull() : a.Append(static_cast<double>(value) / 1000);
    done &= b.Append(value);
    done &= s.Append("name" + std::to_string(value % 50));
    done &= t.Append(1'700'000'000'000'000 + value * 1'000'000'000);
  }
  if (!done.ok()) done.Abort();
  return {a.Finish().ValueOrDie(), b.Finish().ValueOrDie(), s.Finish().ValueOrDie(), t.Finish().ValueOrDie()};
}

/// All five over one set of columns.
void OfARequest(benchmark::State& state) {
  const auto columns = MakeColumns(state.range(0));
  std::vector<BoundExpression> expressions;
  for (const std::string& text : kExpressions)
    expressions.push_back(BoundExpression::Bind(text, kColumns).value());
  for (auto _ : state) {
    for (const BoundExpression& expression : expressions)
      benchmark::DoNotOptimize(
          expression.Evaluate({.columns = columns, .count = state.range(0), .now_us = 1}));
  }
}
BENCHMARK(OfARequest)->Arg(1)->Arg(100)->Unit(benchmark::kMicrosecond);

/// One over many rows.
void OfManyRows(benchmark::State& state) {
  constexpr std::int64_t kRows = 1'000'000;
  static const auto columns = MakeColumns(kRows);
  const auto expression =
      BoundExpression::Bind(kExpressions[static_cast<std::size_t>(state.range(0))], kColumns).value();
  for (auto _ : state)
    benchmark::DoNotOptimize(expression.Evaluate({.columns = columns, .count = kRows, .now_us = 1}));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(OfManyRows)->DenseRange(0, 4)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
