// Expressions over ten million rows, beside DuckDB over the same rows in memory; both on two threads, both to
// Arrow.
#include <arrow/builder.h>
#include <arrow/table.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>

#include "adapters/adbc/connection.h"
#include "base/parallel.h"
#include "expression/expression.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kRows = 10'000'000;
constexpr std::size_t kThreads = 2;
constexpr std::int64_t kPartRows = std::int64_t{1} << 17;

const std::vector<ExpressionColumn> kColumns{
    {"", "a", {TypeKind::kFloat64}}, {"", "b", {TypeKind::kInt64}}, {"", "s", {TypeKind::kString}}};
const std::vector<std::string> kTexts{"a * 2 + b / 3",
                                      "CASE WHEN a > 0.5e0 AND b < 500 THEN ln(a + 1) ELSE 0e0 END",
                                      "coalesce(a, 0e0) > 0.25e0 OR b % 7 = 0",
                                      "round(a * 100, 1) + abs(b - 500)",
                                      "upper(s) || '-' || b",
                                      "length(s) > 5 AND contains(s, '4')"};

const std::vector<std::shared_ptr<arrow::Array>>& Rows() {
  static const std::vector<std::shared_ptr<arrow::Array>> rows = [] {
    std::mt19937_64 random(1);
    arrow::DoubleBuilder a;
    arrow::Int64Builder b;
    arrow::StringBuilder s;
    arrow::Status done;
    for (std::int64_t row = 0; row < kRows && done.ok(); ++row) {
      const auto value = static_cast<std::int64_t>(random() % 1000);
      done &= row % 10 == 0 ? a.AppendNull() : a.Append(static_cast<double>(value) / 1000);
      done &= b.Append(value);
      done &= s.Append("name" + std::to_string(value % 50));
    }
    if (!done.ok()) done.Abort();
    return std::vector<std::shared_ptr<arrow::Array>>{a.Finish().ValueOrDie(), b.Finish().ValueOrDie(),
                                                      s.Finish().ValueOrDie()};
  }();
  return rows;
}

/// As a training set is computed: in parts, on threads.
void Ours(benchmark::State& state) {
  const auto expression =
      BoundExpression::Bind(kTexts[static_cast<std::size_t>(state.range(0))], kColumns).value();
  Rows();
  for (auto _ : state) {
    const auto computed =
        ParallelFor(static_cast<std::size_t>((kRows + kPartRows - 1) / kPartRows), kThreads, {},
                    [&](std::size_t i, std::size_t) -> Result<void> {
                      std::vector<std::shared_ptr<arrow::Array>> part;
                      for (const auto& column : Rows())
                        part.push_back(column->Slice(static_cast<std::int64_t>(i) * kPartRows, kPartRows));
                      const auto values = expression.Evaluate({.columns = part, .count = part[0]->length()});
                      if (!values) return std::unexpected(values.error());
                      return {};
                    });
    if (!computed) state.SkipWithError(computed.error().ToString().c_str());
  }
}

std::shared_ptr<AdbcConnection> DuckDb() {
  static const std::shared_ptr<AdbcConnection> connection = [] {
    const auto database = AdbcDatabase::Open({.driver = TIDEMARK_DUCKDB_LIBRARY,
                                              .entrypoint = "duckdb_adbc_init",
                                              .options = {{"path", ":memory:"}}});
    auto made = (*database)->Connect().value();
    const auto table = arrow::Table::Make(
        arrow::schema({arrow::field("a", arrow::float64()), arrow::field("b", arrow::int64()),
                       arrow::field("s", arrow::utf8())}),
        Rows());
    (void)made->Execute(fmt::format("SET threads = {}", kThreads)).value();
    (void)made->Ingest({.table = "t"}, std::make_shared<arrow::TableBatchReader>(table)).value();
    return made;
  }();
  return connection;
}

void TheirsOf(benchmark::State& state) {
  const auto connection = DuckDb();
  const std::string sql =
      fmt::format("SELECT {} AS x FROM t", kTexts[static_cast<std::size_t>(state.range(0))]);
  for (auto _ : state) {
    const auto reader = connection->Query({.sql = sql}).value();
    std::shared_ptr<arrow::RecordBatch> batch;
    std::int64_t rows = 0;
    while (reader->ReadNext(&batch).ok() && batch != nullptr)
      rows += batch->num_rows();
    if (rows != kRows) state.SkipWithError("rows are missing");
  }
}

BENCHMARK(Ours)->DenseRange(0, 5)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(TheirsOf)->Name("DuckDb")->DenseRange(0, 5)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
