// Parquet files, and an engine.
#include "adapters/adbc/duckdb_testing.h"

#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include "adapters/adbc/duckdb_engine.h"

namespace tidemark::testing_support {

void WriteParquet(const arrow::Table& table, const std::filesystem::path& file) {
  const auto out = arrow::io::FileOutputStream::Open(file.string()).ValueOrDie();
  const auto written = parquet::arrow::WriteTable(table, arrow::default_memory_pool(), out, 1000);
  if (!written.ok()) written.Abort("writing " + file.string());
}

std::shared_ptr<arrow::Table> ReadParquet(const std::filesystem::path& file) {
  const auto in = arrow::io::ReadableFile::Open(file.string()).ValueOrDie();
  const auto reader = parquet::arrow::OpenFile(in, arrow::default_memory_pool()).ValueOrDie();
  return reader->ReadTable().ValueOrDie();
}

std::unique_ptr<SqlEngine> MakeTestEngine(const std::filesystem::path& spill_folder) {
  return MakeDuckDbEngine({.library = {}, .spill_folder = spill_folder});
}

}  // namespace tidemark::testing_support
