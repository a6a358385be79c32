// Databases: what groups tables for other engines, and how a table is named with one.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/catalog.h"
#include "model/definition.h"
#include "store/registry.h"
#include "store/table_catalog.h"

namespace tidemark {

/// The database that a view's table lies in; `own` is the project's.
const std::string& DatabaseOfTable(const FeatureView& view, const std::string& own);

/// The view that `table` or `database.table` names: its name, which may not be one of a view. kNotFound if
/// the table lies in another database, kInvalidArgument for a view that is no table and so lies in none.
Result<std::string> ViewNameOf(const Catalog& catalog, const std::string& own, std::string_view name);

/// All of them, `own` too, by name.
Result<std::vector<std::string>> ListDatabases(const TableCatalog& catalog, const std::string& own);

/// As Store::CreateDatabase.
Result<void> CreateDatabase(TableCatalog& catalog, const std::string& own, std::string_view name);

/// As Store::DropDatabase; the definitions of every project may name it.
Result<void> DropDatabase(TableCatalog& catalog, const Registry& registry, const std::string& own,
                          std::string_view name);

/// kNotFound, with the command that makes it, if a table of `definitions` is to lie in a database that is not
/// there.
Result<void> CheckDatabases(const TableCatalog& catalog, const std::string& own,
                            const Definitions& definitions);

/// Where the metadata of a listed table `database.name` lies. kNotFound; kUnsupported for one that is not on
/// a local disk.
Result<std::filesystem::path> FindTable(const TableCatalog& catalog, std::string_view name);

/// True if a definition names a database: only then need the catalog be looked at.
bool NameDatabases(const Definitions& definitions);

}  // namespace tidemark
