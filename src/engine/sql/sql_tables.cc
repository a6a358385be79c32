// Feature tables: data files by field id, and the logs' rows beside them. Sources: their files.
#include "engine/sql/sql_tables.h"

#include <arrow/table.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "engine/tables/table_rows.h"
#include "engine/tables/table_state.h"
#include "engine/view_source.h"
#include "model/feature_table.h"
#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

const DataType kTimestampType{.kind = TypeKind::kTimestamp};

std::string HashOf(std::string_view text) {
  return fmt::format("{:016x}", Hash64(std::as_bytes(std::span(text))));
}

std::string ColumnsText(const std::vector<SqlColumn>& columns) {
  std::string text;
  for (const SqlColumn& column : columns) {
    text += fmt::format("{}|{}|{}|{}|{}\n", column.name, column.type.ToString(), column.in_file, column.id,
                        column.is_text_time);
  }
  return text;
}

/// Rows in memory as the table's columns.
Result<std::shared_ptr<arrow::Table>> RowsOf(const std::vector<SqlColumn>& columns,
                                             const arrow::RecordBatchVector& batches) {
  if (batches.empty()) return nullptr;
  TM_ASSIGN(const auto all, FromArrowResult(arrow::Table::FromRecordBatches(batches)));
  std::vector<int> places;
  for (const SqlColumn& column : columns)
    places.push_back(all->schema()->GetFieldIndex(column.name));
  return FromArrowResult(all->SelectColumns(places));
}

class TableOpening {
 public:
  TableOpening(const CatalogView& view, const SqlReading& reading, const SqlTablesParts& parts,
               const std::stop_token& stop)
      : view_(view), reading_(reading), parts_(parts), stop_(stop) {}

  Result<OpenedSqlTable> Run() {
    TM_ASSIGN(const auto tables, parts_.tables());
    TM_ASSIGN(state_,
              tables->State(view_, {.snapshot_id = reading_.snapshot_id, .at_least = reading_.at_least}));
    OpenedSqlTable opened;
    opened.table_id = view_.id;
    opened.snapshot = state_.snapshot;
    opened.has_seen = !reading_.at_least.empty();
    SqlTable& table = opened.table;
    table.columns = ShownColumns(view_);
    TM_TRY(AddIds(table.columns));
    TM_ASSIGN(StandingFiles standing, FindStanding(view_, state_, parts_.memory_bytes_max, stop_));
    table.files.are_own = true;
    for (const DataFileInfo& file : standing.files)
      table.files.paths.push_back(file.path);
    TM_ASSIGN(const auto tails, StandingTails(view_, state_));
    standing.rows.insert(standing.rows.end(), tails.begin(), tails.end());
    TM_ASSIGN(table.rows, RowsOf(table.columns, standing.rows));
    if (reading_.as_of_us) table.up_to = SqlUpTo{system_column::kWriteTime, *reading_.as_of_us};
    table.identity = Identity(table.columns);
    table.pin = state_.snapshot;
    return opened;
  }

 private:
  Result<void> AddIds(std::vector<SqlColumn>& columns) const {
    for (SqlColumn& column : columns) {
      const auto found = std::ranges::find(state_.columns, column.name, &TableColumn::name);
      if (found == state_.columns.end()) {
        return Fail(ErrorCode::kCorruption, fmt::format("the table of view '{}' has no column '{}'",
                                                        view_.definition.name, column.name));
      }
      column.id = found->id;
    }
    return {};
  }

  /// Empty while rows are being erased: what was made of the table must not outlive that.
  std::string Identity(const std::vector<SqlColumn>& columns) const {
    if (state_.may_hold_erased) return {};
    std::string text = ColumnsText(columns);
    if (reading_.as_of_us) text += fmt::format("up to {}\n", *reading_.as_of_us);
    for (const LogTail& tail : state_.tails)
      text += fmt::format("{}: {}\n", tail.name, tail.rows());
    if (state_.erasures != nullptr) {
      for (const Fence& fence : state_.erasures->fences())
        text += FenceName(fence.key) + " " + FenceText(fence) + "\n";
    }
    return fmt::format("table {} {} {}", view_.id, state_.snapshot->id(), HashOf(text));
  }

  const CatalogView& view_;
  const SqlReading& reading_;
  const SqlTablesParts& parts_;
  const std::stop_token& stop_;
  TableState state_;
};

Result<void> CheckIsFiles(const BatchSource& source) {
  if (!source.warehouse) return {};
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("its rows lie in a warehouse ({}), which has SQL of its own: here only files and "
                  "feature tables are read. Ask the warehouse, or bring its rows into a feature table",
                  source.place()));
}

Result<void> CheckHasNoPast(const SqlReading& reading, std::string_view place) {
  if (!reading.as_of_us && !reading.snapshot_id) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("as_of is for feature tables: nothing says when the rows of {} were written",
                          Quoted(place)));
}

/// The types that a view declares, by its names.
std::map<std::string, DataType> TypesOf(const CatalogView& view) {
  std::map<std::string, DataType> types;
  for (const Field& field : view.definition.fields)
    types.emplace(field.name, field.type);
  for (const JoinKey& key : view.join_keys)
    types.emplace(key.name, *key.type);
  AddTimeTypes(*view.definition.source, types);
  return types;
}

Result<OpenedSqlTable> OpenView(const CatalogView& view, const SqlReading& reading,
                                const SqlTablesParts& parts, const std::stop_token& stop) {
  const BatchSource& source = *view.definition.source;
  TM_TRY(CheckIsFiles(source));
  TM_TRY(CheckHasNoPast(reading, source.place()));
  OpenedSqlTable opened;
  if (!reading.at_least.empty()) {
    TM_TRY(parts.check_folder(view, reading.at_least));
    opened.has_seen = true;
  }
  TM_ASSIGN(SqlSource found, parts.source(source, TypesOf(view), stop));
  opened.table.files = std::move(found.files);
  for (SqlColumn& shown : ShownColumns(view)) {
    const auto column = std::ranges::find(found.columns, shown.name, &SqlColumn::name);
    if (column == found.columns.end()) {
      std::vector<std::string> names;
      for (const SqlColumn& each : found.columns)
        names.push_back(each.name);
      return Fail(ErrorCode::kNotFound,
                  fmt::format("the source '{}' has no column '{}'{}; its columns are: {}", source.place(),
                              shown.name, Suggest(shown.name, names), fmt::join(names, ", ")));
    }
    shown.in_file = column->in_file;
    shown.id = column->id;
    opened.table.columns.push_back(std::move(shown));
  }
  opened.table.identity =
      fmt::format("view {} {}", HashOf(found.identity), HashOf(ColumnsText(opened.table.columns)));
  return opened;
}

Result<OpenedSqlTable> OpenSource(const BatchSource& source, const SqlReading& reading,
                                  const SqlTablesParts& parts, const std::stop_token& stop) {
  TM_TRY(CheckIsFiles(source));
  TM_TRY(CheckHasNoPast(reading, source.place()));
  TM_ASSIGN(SqlSource found, parts.source(source, {}, stop));
  OpenedSqlTable opened;
  opened.table.files = std::move(found.files);
  opened.table.columns = std::move(found.columns);
  opened.table.identity = fmt::format("source {}", HashOf(found.identity));
  return opened;
}

Result<OpenedSqlTable> OpenOther(const OtherSqlTable& other, const SqlReading& reading,
                                 const std::stop_token& stop) {
  TM_TRY(CheckHasNoPast(reading, other.name));
  OpenedSqlTable opened;
  TM_ASSIGN(opened.table, other.open(stop));
  return opened;
}

}  // namespace

std::vector<SqlColumn> ShownColumns(const CatalogView& view) {
  const FeatureView& definition = view.definition;
  std::vector<SqlColumn> columns;
  const auto add = [&](const std::string& name, const DataType& type) -> SqlColumn* {
    if (std::ranges::find(columns, name, &SqlColumn::name) != columns.end()) return nullptr;
    SqlColumn& column = columns.emplace_back();
    column.name = name;
    column.type = type;
    return &column;
  };
  for (const JoinKey& key : view.join_keys)
    add(key.name, *key.type);
  if (definition.is_table()) {
    SqlColumn* const time = add(definition.table.timestamp_field, definition.table.timestamp_type);
    if (time != nullptr) time->is_text_time = time->type.kind == TypeKind::kString;
  } else {
    add(definition.event_column(), kTimestampType);
  }
  for (const Field& field : definition.fields)
    add(field.name, field.type);
  if (!definition.created_column().empty() && definition.created_column() != system_column::kArrival)
    add(definition.created_column(), kTimestampType);
  if (!definition.is_table()) return columns;
  add(system_column::kWriteTime, kTimestampType);
  add(system_column::kArrival, kTimestampType);
  add(system_column::kIsDeleted, {.kind = TypeKind::kBool});
  add(system_column::kExpiresAt, kTimestampType);
  return columns;
}

Result<OpenedSqlTable> OpenSqlTable(const SqlEntry& entry, const SqlReading& reading,
                                    const SqlTablesParts& parts, const std::stop_token& stop) {
  const auto open = [&]() -> Result<OpenedSqlTable> {
    if (entry.kind == SqlEntry::Kind::kOther) return OpenOther(*entry.another, reading, stop);
    if (entry.kind == SqlEntry::Kind::kSource) return OpenSource(*entry.source, reading, parts, stop);
    TM_ASSIGN(const CatalogView* const view, entry.catalog->View(entry.view->definition.name));
    if (entry.kind == SqlEntry::Kind::kView) return OpenView(*view, reading, parts, stop);
    return TableOpening(*view, reading, parts, stop).Run();
  };
  auto opened = open();
  if (opened) return opened;
  return std::unexpected(
      std::move(opened).error().In(fmt::format("table {}.{}", entry.database, entry.name)));
}

}  // namespace tidemark
