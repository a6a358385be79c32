// What the names in a statement stand for.
//
// A table is named `database.table`: the project's own database is called as the project is (and
// "feature_store", for the default project), others as they are. Case does not matter, and a `-` may be
// written `_`. A name without a database is one of the project's own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "store/sql_engine.h"

namespace tidemark {

/// The definitions of a project, and the database of its tables.
struct SqlProject {
  std::string name;
  std::string database;
  std::shared_ptr<const Catalog> catalog;
};

/// A table that is in no definition, but registered beside them.
struct OtherSqlTable {
  std::string database;
  std::string name;
  std::string kind;  // as it is listed
  /// Its files and columns; schema, name and aliases are set by who asks.
  std::function<Result<SqlTable>(const std::stop_token& stop)> open;
};

/// A table that SQL can name.
struct SqlEntry {
  enum class Kind : std::uint8_t { kTable, kView, kSource, kOther } kind = Kind::kTable;
  std::string database = {};
  std::string name = {};
  std::shared_ptr<const Catalog> catalog = {};        // what the next two belong to
  const CatalogView* view = nullptr;                  // kTable, kView
  const BatchSource* source = nullptr;                // kSource
  std::shared_ptr<const OtherSqlTable> another = {};  // kOther

  /// "feature table", "feature view", "source", or what the other one says.
  std::string_view kind_name() const;
};

/// Immutable.
class SqlNames {
 public:
  /// The first project is the one that statements are of. `databases` are those that are there, also empty
  /// ones.
  SqlNames(std::vector<SqlProject> projects, std::vector<OtherSqlTable> others,
           std::vector<std::string> databases);

  /// These tables of the database, and no others.
  SqlNames(const SqlProject& project, std::vector<OtherSqlTable> only);

  /// kNotFound with the nearest names; also for tables that are kept from SQL.
  Result<const SqlEntry*> Find(const SqlTableName& name) const;

  /// All of them, by database and name.
  const std::vector<SqlEntry>& entries() const { return entries_; }
  const std::vector<std::string>& databases() const { return databases_; }

 private:
  void AddProject(const SqlProject& project);
  void Add(SqlEntry entry);
  const SqlEntry* Among(const std::vector<SqlEntry>& entries, std::string_view database,
                        std::string_view name) const;
  std::unexpected<Error> Unknown(const SqlTableName& name, const std::string& database) const;

  std::string own_database_;
  std::string own_project_;
  std::vector<SqlEntry> entries_;
  std::vector<SqlEntry> unlisted_;  // kept from SQL
  std::vector<std::string> databases_;
  bool is_of_query_ = false;  // the names of one query's own sources
};

}  // namespace tidemark
