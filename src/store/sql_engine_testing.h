// The conformance suite of SqlEngine: what every engine must do. An engine's test registers it:
//
//   INSTANTIATE_TEST_SUITE_P(DuckDb, SqlEngineConformance, testing::Values(SqlEngineMaker{"duckdb", Make}),
//                            SqlEngineName);
#pragma once

#include <arrow/table.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/source_testing.h"
#include "store/sql_engine.h"

namespace tidemark::testing_support {

struct SqlEngineMaker {
  std::string name;
  /// An engine that may spill into `folder`.
  std::function<std::unique_ptr<SqlEngine>(const std::filesystem::path& folder)> make;
  /// Writes a Parquet file.
  std::function<void(const arrow::Table& table, const std::filesystem::path& file)> write;
  /// Reads one.
  std::function<std::shared_ptr<arrow::Table>(const std::filesystem::path& file)> read;
};

/// Parses `text` and runs it over `tables`: all of its rows, or the first error that comes.
Result<std::shared_ptr<arrow::Table>> RunSql(SqlEngine& engine, const std::string& text,
                                             const std::vector<SqlTable>& tables,
                                             const SqlOptions& options = {});

/// The rows as text, "1, a | 2, null", for comparing at a glance. Fails the test on an error.
std::string RowsText(const Result<std::shared_ptr<arrow::Table>>& rows);

class SqlEngineConformance : public testing::TestWithParam<SqlEngineMaker> {
 protected:
  void SetUp() override;

  /// Three drivers in a file and one in memory: (driver_id, rating, seen_at).
  SqlTable Drivers();

  TestFolder folder_;
  std::unique_ptr<SqlEngine> engine_;
};

/// Printed instead of the bytes of the parameter.
void PrintTo(const SqlEngineMaker& maker, std::ostream* out);
std::string SqlEngineName(const testing::TestParamInfo<SqlEngineMaker>& info);

/// A table of columns of int64, float64, text and timestamps[us, UTC], from JSON rows.
std::shared_ptr<arrow::Table> TableOf(const std::shared_ptr<arrow::Schema>& schema, const std::string& json);

}  // namespace tidemark::testing_support
