// Tables follow their views; reading puts files and logs together.
#include "engine/tables/feature_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/result.h"
#include "engine/tables/erasures.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_source.h"
#include "model/name.h"
#include "model/widening.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

std::string PlaceOf(const CatalogView& view) {
  return "view " + view.definition.name;
}

/// The name that other engines know the view's table by.
TableName NameOf(const CatalogView& view, const std::string& own_database) {
  const TableOptions& table = view.definition.table;
  return {table.database.empty() ? own_database : table.database, view.definition.name, table.catalog};
}

/// What brings a table's columns to those of its view.
Result<std::vector<ColumnChange>> Changes(const TableLayout& before, const TableLayout& after) {
  std::vector<ColumnChange> changes;
  for (const TableColumn& column : after.columns) {
    const auto old = std::ranges::find(before.columns, column.name, &TableColumn::name);
    if (old == before.columns.end()) {
      if (column.required) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("column '{}' cannot be added: rows that are there have no value for it",
                                column.name));
      }
      changes.push_back({.kind = ColumnChange::Kind::kAdd, .column = column.name, .type = column.type});
    } else if (old->type != column.type) {
      if (!IsWidened(old->type, column.type)) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("column '{}' cannot become {} from {}: a table's columns widen from int32 to "
                                "int64 and from float32 to float64 only; add a field of another name",
                                column.name, column.type.ToString(), old->type.ToString()));
      }
      changes.push_back({.kind = ColumnChange::Kind::kWiden, .column = column.name, .type = column.type});
    }
  }
  return changes;
}

/// Others may be bringing the table to the same view, or to a newer one.
Result<void> BringColumns(OfflineTable& table, const TableLayout& wanted) {
  TM_ASSIGN(TableLayout layout, table.Layout());
  while (true) {
    TM_ASSIGN(const auto changes, Changes(layout, wanted));
    if (changes.empty()) return {};
    auto evolved = table.Evolve(changes);
    if (evolved) return {};
    TM_ASSIGN(TableLayout newer, table.Layout());
    if (newer.columns == layout.columns) return evolved;
    layout = std::move(newer);
  }
}

Result<void> CheckFolderWrite(const CatalogView& view, const std::string& token, Sight sight, TableLog& log) {
  TM_TRY(log.Recover());
  TM_ASSIGN(const auto logs, log.Snapshots());
  const auto has_file = [&](LogPosition position) { return log.HasFile(view.id, position); };
  TM_TRY_IN(CheckSeenInFolder(token, sight, logs, has_file), PlaceOf(view));
  return {};
}

}  // namespace

Result<void> FeatureTables::Prepare(const CatalogView& view) const {
  {
    const std::lock_guard lock(mutex_);
    const auto done = prepared_.find(view.id);
    if (done != prepared_.end() && done->second.Is(view)) return {};
  }
  const auto prepare = [&]() -> Result<void> {
    TM_ASSIGN(const TableLayout wanted, LayoutOf(view));
    auto table = parts_.offline->Open(view.id);
    if (!table && table.error().code != ErrorCode::kNotFound) return std::unexpected(table.error());
    if (!table) {
      auto created = parts_.offline->Create(view.id, NameOf(view, parts_.database), wanted);
      if (created) return {};
      if (created.error().code != ErrorCode::kAlreadyExists) return std::unexpected(created.error());
      table = parts_.offline->Open(view.id);  // another process was first
      if (!table) return std::unexpected(table.error());
    }
    return BringColumns(**table, wanted);
  };
  TM_TRY_IN(prepare(), PlaceOf(view));
  const std::lock_guard lock(mutex_);
  prepared_.insert_or_assign(view.id, TableForm::Of(view));
  return {};
}

Result<void> FeatureTables::CheckWritable() const {
  if (!parts_.is_read_only) return {};
  return Fail(ErrorCode::kIo, "the store's folder cannot be written: it can be read only");
}

Result<void> FeatureTables::Rename(const CatalogView& view) const {
  TM_TRY_IN(parts_.offline->Rename(view.id, NameOf(view, parts_.database)), PlaceOf(view));
  return {};
}

Result<void> FeatureTables::CheckSeenInFolder(const CatalogView& view, const std::string& token) const {
  return CheckFolderWrite(view, token, Sight::kTable, *parts_.log);
}

Result<void> FeatureTables::CheckSeenOnline(const CatalogView& view, const std::string& token) const {
  if (!view.definition.is_table()) return CheckFolderWrite(view, token, Sight::kOnline, *parts_.log);
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->Recover());
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  TM_ASSIGN(const auto logs, parts_.log->Snapshots());
  TM_ASSIGN(const auto snapshot, table->Snapshot({}));
  TM_TRY_IN(CheckSeen(token, Sight::kOnline, logs, *snapshot, *table), PlaceOf(view));
  return {};
}

Result<tidemark::DoneRanges> FeatureTables::DoneRanges(const CatalogView& view) const {
  TM_TRY(Prepare(view));
  const auto read = [&]() -> Result<tidemark::DoneRanges> {
    TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
    TM_ASSIGN(const auto snapshot, table->Snapshot({}));
    return DoneRangesOf(snapshot->properties());
  };
  auto ranges = read();
  if (!ranges) return std::unexpected(std::move(ranges).error().In(PlaceOf(view)));
  return ranges;
}

Result<void> FeatureTables::ForgetRange(const CatalogView& view, TimeSpan range) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  const auto forget = [&]() -> Result<void> {
    const CommitRule rule = [&](const TableHead& head) -> Result<CommitDecision> {
      CommitDecision decision;
      TM_ASSIGN(const tidemark::DoneRanges done, DoneRangesOf(head.properties));
      const tidemark::DoneRanges kept = WithoutRange(done, range);
      decision.commit = kept != done;
      const std::string text = DoneRangesText(kept);
      decision.properties.emplace(kDoneRangesProperty, text.empty() ? std::nullopt : std::optional(text));
      return decision;
    };
    TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
    TM_TRY(table->Append(nullptr, rule));
    return {};
  };
  TM_TRY_IN(forget(), PlaceOf(view));
  return {};
}

Result<TableState> FeatureTables::State(const CatalogView& view, const TableReading& reading) const {
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->RecoverToRead());
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  // The logs first: what is flushed while we look is then seen twice at most, and skipped, and what was
  // trimmed before is in the snapshot.
  TM_ASSIGN(const auto logs, parts_.log->Snapshots());
  TableState state;
  TM_ASSIGN(state.snapshot, table->Snapshot({.id = reading.snapshot_id}));
  if (!reading.at_least.empty())
    TM_TRY(CheckSeen(reading.at_least, Sight::kTable, logs, *state.snapshot, *table));
  state.columns = state.snapshot->columns();
  if (reading.snapshot_id) {
    // An older snapshot too is asked for the view's columns.
    TM_ASSIGN(TableLayout layout, table->Layout());
    state.columns = std::move(layout.columns);
  } else {
    TM_ASSIGN(state.tails, tails_.Of(view, logs, state.snapshot->properties()));
  }
  // The properties are those of now, also with an older snapshot, whose files nobody has swept.
  TM_ASSIGN(state.erasures, Erasures::Of(state.snapshot->properties(), *parts_.key_hash));
  state.may_hold_erased =
      state.erasures != nullptr &&
      (reading.snapshot_id.has_value() || !std::ranges::all_of(state.erasures->fences(), &Fence::is_swept));
  return state;
}

Result<TableToRead> FeatureTables::OpenSource(const CatalogView& view, const TableReading& reading) const {
  TM_ASSIGN(TableState state, State(view, reading));
  TM_ASSIGN(const TableLayout wanted, LayoutOf(view));
  std::unique_ptr<Source> files;
  if (state.snapshot->id() != 0) {
    TM_ASSIGN(files, state.snapshot->OpenSource(
                         {.filter = {}, .columns_of_now = true, .threads = parts_.threads, .stop = {}}));
  }
  TableToRead read{
      MakeTableSource(TableSchema(view), wanted.system, std::move(files), std::move(state.tails)),
      std::nullopt,
      {}};
  if (state.erasures != nullptr) {
    read.is_erased = [erasures = state.erasures](std::string_view key, std::int64_t write_time_us) {
      return erasures->IsErased(key, write_time_us);
    };
  }
  return read;
}

}  // namespace tidemark
