// What the tests of DuckDB's engine share.
#pragma once

#include <arrow/table.h>

#include <filesystem>
#include <memory>

#include "store/sql_engine.h"

namespace tidemark::testing_support {

void WriteParquet(const arrow::Table& table, const std::filesystem::path& file);
std::shared_ptr<arrow::Table> ReadParquet(const std::filesystem::path& file);

/// With the library of the build.
std::unique_ptr<SqlEngine> MakeTestEngine(const std::filesystem::path& spill_folder);

}  // namespace tidemark::testing_support
