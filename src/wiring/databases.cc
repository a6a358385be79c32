// Names in the Iceberg catalog, checked against definitions.
#include "wiring/databases.h"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/iceberg/named_file.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {

const std::string& DatabaseOfTable(const FeatureView& view, const std::string& own) {
  return view.table.database.empty() ? own : view.table.database;
}

Result<std::string> ViewNameOf(const Catalog& catalog, const std::string& own, std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::string(name);
  const std::string_view database = name.substr(0, dot);
  for (const RegistryObject& object : catalog.state().objects) {
    if (object.kind != ObjectKind::kRegisteredTable || object.name != name) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("table '{}' is registered: its files are not Tidemark's to write, rewrite or remove, "
                    "and it is read as a view's batch source (table=) or by SQL",
                    object.name));
  }
  TM_ASSIGN(const CatalogView* const view, catalog.DefinedView(name.substr(dot + 1)));
  const FeatureView& definition = view->definition;
  if (!definition.is_table()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("view '{}' has a batch source and lies in no database: name it without one",
                            definition.name));
  }
  const std::string& actual = DatabaseOfTable(definition, own);
  if (actual == database) return definition.name;
  return Fail(ErrorCode::kNotFound, fmt::format("table '{}' lies in database '{}', not in {}",
                                                definition.name, actual, Quoted(database)));
}

Result<std::vector<std::string>> ListDatabases(const TableCatalog& catalog, const std::string& own) {
  TM_ASSIGN(std::vector<std::string> names, catalog.Databases());
  const auto place = std::ranges::lower_bound(names, own);
  if (place == names.end() || *place != own) names.insert(place, own);
  return names;
}

Result<void> CreateDatabase(TableCatalog& catalog, const std::string& own, std::string_view name) {
  TM_TRY(CheckName("database", name));
  TM_ASSIGN(const auto names, ListDatabases(catalog, own));
  for (const std::string& known : names) {
    if (known == name || FoldName(known) != FoldName(name)) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("database {} differs only in case from '{}', which is there", Quoted(name), known));
  }
  return catalog.CreateDatabase(name);
}

Result<void> DropDatabase(TableCatalog& catalog, const Registry& registry, const std::string& own,
                          std::string_view name) {
  if (name == own) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("database '{}' is the project's own and stays: new tables go there", own));
  }
  TM_ASSIGN(const auto names, ListDatabases(catalog, own));
  if (std::ranges::find(names, name) == names.end()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no database {}{}", Quoted(name), Suggest(name, names)));
  }
  // A table whose keys have no types yet is not in the catalog, only defined.
  TM_ASSIGN(const auto projects, registry.Projects());
  for (const std::string& project : projects) {
    TM_ASSIGN(const auto defined, Catalog::Load(registry, project));
    for (const RegistryObject& object : defined->state().objects) {
      const bool is_in =
          object.kind == ObjectKind::kRegisteredTable && object.name.starts_with(std::string(name) + ".");
      if (!is_in) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("database '{}' has tables, the registered '{}' of project '{}' for one: drop them "
                      "first",
                      name, object.name, project));
    }
    for (const auto& [view_name, view] : defined->views()) {
      if (!view.definition.is_table() || view.definition.table.database != name) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("database '{}' has tables, '{}' of project '{}' for one: drop them first, or "
                              "move them to another database",
                              name, view_name, project));
    }
  }
  return catalog.DropDatabase(name);
}

Result<std::filesystem::path> FindTable(const TableCatalog& catalog, std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos)
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no name of a table: write database.name", Quoted(name)));
  TM_ASSIGN(const std::string location, catalog.FindLocation(name.substr(0, dot), name.substr(dot + 1)));
  return iceberg::ToPath(location);
}

bool NameDatabases(const Definitions& definitions) {
  return std::ranges::any_of(definitions.views, [](const FeatureView& view) {
    return view.is_table() && !view.table.database.empty();
  });
}

Result<void> CheckDatabases(const TableCatalog& catalog, const std::string& own,
                            const Definitions& definitions) {
  TM_ASSIGN(const auto names, ListDatabases(catalog, own));
  for (const FeatureView& view : definitions.views) {
    const std::string& database = DatabaseOfTable(view, own);
    if (!view.is_table() || std::ranges::find(names, database) != names.end()) continue;
    return Fail(ErrorCode::kNotFound,
                fmt::format("feature view '{}': there is no database '{}'{}: make it by `tidemark databases "
                            "create {}`, or create_database(\"{}\")",
                            view.name, database, Suggest(database, names), database, database));
  }
  return {};
}

}  // namespace tidemark
