// SQL by DuckDB, in this process: its library is loaded when the first statement comes.
//
// DuckDB sees nothing but the files of the tables that a statement names: a database is opened for exactly
// these, may read only these, and is locked before the user's text reaches it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "store/file_checks.h"
#include "store/sql_engine.h"

namespace tidemark {

struct DuckDbOptions {
  /// Of libduckdb.so; empty: the one beside Tidemark's own library.
  std::filesystem::path library = {};
  /// Where queries spill to when memory is short, in folders of their own that go with the query's database.
  /// Made when it is first needed.
  std::filesystem::path spill_folder;
  /// Verifies files before DuckDB, which does not, reads them; null: nobody does.
  std::shared_ptr<FileChecks> checks = {};
  /// Databases kept open for further statements over the same tables.
  std::size_t databases_kept_max = 8;
};

/// Does not load the library: that, and its error (kNotFound, kIo), comes with the first statement.
std::unique_ptr<SqlEngine> MakeDuckDbEngine(DuckDbOptions options);

}  // namespace tidemark
