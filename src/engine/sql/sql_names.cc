// Names are compared folded; where that is not enough, with each `-` taken for `_`.
#include "engine/sql/sql_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "model/name.h"

namespace tidemark {
namespace {

std::string Undashed(std::string_view name) {
  std::string folded = FoldName(name);
  std::ranges::replace(folded, '-', '_');
  return folded;
}

const std::string& DatabaseOf(const CatalogView& view, const std::string& own) {
  const std::string& named = view.definition.table.database;
  return view.definition.is_table() && !named.empty() ? named : own;
}

}  // namespace

std::string_view SqlEntry::kind_name() const {
  switch (kind) {
    case Kind::kTable:
      return "feature table";
    case Kind::kView:
      return "feature view";
    case Kind::kSource:
      return "source";
    case Kind::kOther:
      break;
  }
  return another->kind;
}

SqlNames::SqlNames(std::vector<SqlProject> projects, std::vector<OtherSqlTable> others,
                   std::vector<std::string> databases)
    : databases_(std::move(databases)) {
  own_database_ = projects.front().database;
  own_project_ = projects.front().name;
  for (const SqlProject& project : projects)
    AddProject(project);
  for (OtherSqlTable& other : others) {
    SqlEntry entry{.kind = SqlEntry::Kind::kOther, .database = other.database, .name = other.name};
    entry.another = std::make_shared<const OtherSqlTable>(std::move(other));
    Add(std::move(entry));
  }
  for (const SqlEntry& entry : entries_)
    databases_.push_back(entry.database);
  std::ranges::sort(databases_);
  const auto repeated = std::ranges::unique(databases_);
  databases_.erase(repeated.begin(), repeated.end());
  std::ranges::stable_sort(entries_, {},
                           [](const SqlEntry& entry) { return std::tie(entry.database, entry.name); });
}

SqlNames::SqlNames(const SqlProject& project, std::vector<OtherSqlTable> only)
    : own_database_(project.database),
      own_project_(project.name),
      databases_({project.database}),
      is_of_query_(true) {
  for (OtherSqlTable& each : only) {
    SqlEntry entry{.kind = SqlEntry::Kind::kOther, .database = each.database, .name = each.name};
    entry.another = std::make_shared<const OtherSqlTable>(std::move(each));
    Add(std::move(entry));
  }
}

void SqlNames::AddProject(const SqlProject& project) {
  databases_.push_back(project.database);
  for (const auto& [name, view] : project.catalog->views()) {
    SqlEntry entry{.kind = view.definition.is_table() ? SqlEntry::Kind::kTable : SqlEntry::Kind::kView,
                   .database = DatabaseOf(view, project.database),
                   .name = name,
                   .catalog = project.catalog,
                   .view = &view};
    if (view.definition.is_table() && !view.definition.table.catalog) {
      unlisted_.push_back(std::move(entry));
    } else {
      Add(std::move(entry));
    }
  }
  // Views first: a source of the same name is reached through none.
  for (const auto& [name, view] : project.catalog->views()) {
    if (view.definition.is_table() || view.definition.source->name.empty()) continue;
    Add({.kind = SqlEntry::Kind::kSource,
         .database = project.database,
         .name = view.definition.source->name,
         .catalog = project.catalog,
         .source = &*view.definition.source});
  }
}

/// The first of a name counts.
void SqlNames::Add(SqlEntry entry) {
  const bool is_taken = std::ranges::any_of(entries_, [&](const SqlEntry& each) {
    return each.database == entry.database && FoldName(each.name) == FoldName(entry.name);
  });
  if (!is_taken) entries_.push_back(std::move(entry));
}

const SqlEntry* SqlNames::Among(const std::vector<SqlEntry>& entries, std::string_view database,
                                std::string_view name) const {
  for (const auto fold : {FoldName, Undashed}) {
    const std::string folded_database = fold(database);
    const std::string folded_name = fold(name);
    const bool is_own_project = folded_database == fold(own_project_);
    for (const SqlEntry& entry : entries) {
      if (fold(entry.name) != folded_name) continue;
      if (fold(entry.database) == folded_database) return &entry;
      if (is_own_project && entry.database == own_database_) return &entry;
    }
  }
  return nullptr;
}

Result<const SqlEntry*> SqlNames::Find(const SqlTableName& name) const {
  const std::string& database = name.schema.empty() ? own_database_ : name.schema;
  if (const SqlEntry* const found = Among(entries_, database, name.table)) return found;
  if (Among(unlisted_, database, name.table) != nullptr) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("table {} is kept from SQL (catalog: false)", Quoted(name.table)));
  }
  return Unknown(name, database);
}

std::unexpected<Error> SqlNames::Unknown(const SqlTableName& name, const std::string& database) const {
  const auto is_same = [&](const std::string& each) { return Undashed(each) == Undashed(database); };
  const bool is_own = Undashed(database) == Undashed(own_project_);
  const std::string shown = is_own ? own_database_ : database;
  std::vector<std::string> names;
  for (const SqlEntry& entry : entries_) {
    if (Undashed(entry.database) == Undashed(shown)) names.push_back(entry.name);
  }
  if (is_of_query_) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("table {} is none of the sources that the query was given{}; they are: {}",
                            Quoted(name.table), Suggest(name.table, names), fmt::join(names, ", ")));
  }
  for (const SqlEntry& entry : entries_) {
    if (Undashed(entry.name) == Undashed(name.table)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no table {} in database {} (did you mean '{}.{}'?)",
                              Quoted(name.table), Quoted(shown), entry.database, entry.name));
    }
  }
  if (!is_own && std::ranges::none_of(databases_, is_same)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no database {}{}; there are: {}", Quoted(database),
                            Suggest(database, databases_), fmt::join(databases_, ", ")));
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no table {} in database {}{}{}", Quoted(name.table), Quoted(shown),
                          Suggest(name.table, names), names.empty() ? "" : "; SHOW TABLES lists them"));
}

}  // namespace tidemark
