// One database of DuckDB's: in memory, locked, open to the files of one set of tables and to nothing else.
//
//   memory                       the database's own catalog
//     tidemark_functions         macros
//     tidemark_rows.r1, r2, ...  rows in memory, one table for each identity
//   tidemark_c1, c2, ...         a catalog for each set of tables: their views in the schemas that users name
//
// DuckDB's settings hold for a database and cannot be changed once it is locked, so the files decide which
// database serves a query; which rows the tables have decides which catalog within it does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/adbc/connection.h"
#include "base/result.h"
#include "store/sql_engine.h"

namespace tidemark {

struct DuckDbDatabaseOptions {
  std::filesystem::path library;
  std::vector<std::string> files = {};      // that it may read, and write: only queries are ever run
  std::int64_t memory_bytes_max = 0;        // 0: DuckDB's own choice
  std::size_t threads = 0;                  // 0: one per processor
  std::int64_t result_bytes = 0;            // of a result that waits for its reader; 0: DuckDB's own choice
  std::filesystem::path spill_folder = {};  // of its own: made when needed, removed with it
};

/// The views of a set of tables, as long as somebody uses them.
class DuckDbCatalog {
 public:
  virtual ~DuckDbCatalog() = default;
  /// Quoted.
  virtual const std::string& name() const = 0;
};

/// Thread safe. Errors are the driver's own (DuckDbErrorOf).
class DuckDbDatabase {
 public:
  static Result<std::unique_ptr<DuckDbDatabase>> Open(const DuckDbDatabaseOptions& options);
  ~DuckDbDatabase();
  DuckDbDatabase(const DuckDbDatabase&) = delete;
  DuckDbDatabase& operator=(const DuckDbDatabase&) = delete;

  /// The views of `tables`, made unless they are still there from before.
  Result<std::shared_ptr<const DuckDbCatalog>> Prepare(const std::vector<SqlTable>& tables,
                                                       const AdbcLimits& limits);

  /// A connection to which the names of `catalog` and the functions are known.
  Result<std::shared_ptr<AdbcConnection>> Connect(const DuckDbCatalog& catalog);

  /// True once it has tables that could not be dropped: it is not to be used again.
  bool is_spoiled() const;

  /// What Open, Prepare and the limits are about, outlives the database as long as a catalog is used.
  struct Core;

 private:
  struct Kept {
    std::string key;
    std::int64_t bytes = 0;  // of rows in memory
    std::shared_ptr<const DuckDbCatalog> catalog;
  };

  explicit DuckDbDatabase(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  void Keep(Kept kept);

  std::shared_ptr<Core> core_;
  std::mutex mutex_;      // of kept_
  std::list<Kept> kept_;  // the last used first
};

}  // namespace tidemark
