// Requests of the public API checked and answered, table by table.
#include "wiring/table_upkeep.h"

#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/result.h"
#include "engine/entity_rows.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

/// What Tidemark cannot erase, whatever it does.
const std::vector<std::string>& OutOfReach() {
  static const std::vector<std::string> places{
      "backups and copies of the store's folder",
      "training sets and other files that were made of the table's rows, but for dumps and saved datasets",
      "tables that training sets were persisted into under other names of the keys",
      "what other systems keep: the sources that rows came from, and other engines' caches",
      "files of other people's that are registered as tables, or are batch sources of views",
      "files that a writer was writing when it was killed: they are removed when they are a day old"};
  return places;
}

Json ToJson(const ErasureReceipt& receipt) {
  return {{"id", receipt.id},
          {"table", receipt.table},
          {"keys", receipt.marks.size()},
          {"fence", FormatTimestampUs(receipt.fence_us)},
          {"state", receipt.is_done ? "done" : "pending"},
          {"rows_removed", receipt.rows_removed},
          {"files_rewritten", receipt.files_rewritten},
          {"dumps_removed", receipt.dumps_removed},
          {"datasets", receipt.datasets},
          {"pending", receipt.pending},
          {"out_of_reach", OutOfReach()}};
}

}  // namespace

Result<CompactReport> TableUpkeep::Compact(const Views& views, const WorkOptions& work) const {
  TM_ASSIGN(const auto tables, tables_());
  CompactReport report;
  for (const CatalogView* view : views) {
    if (work.progress)
      work.progress({"compacting " + view->definition.name, std::ssize(report.tables), std::ssize(views)});
    TM_ASSIGN(const CompactedTable made, tables->Compact(*view, work.stop));
    if (made.files_before > 0) {
      report.tables.push_back(
          {view->definition.name, made.files_before, made.files_after, made.rows, made.bytes});
    }
  }
  return report;
}

Result<ExpireSnapshotsReport> TableUpkeep::ExpireSnapshots(const Views& views,
                                                           const ExpireSnapshotsOptions& options) const {
  if (options.keep < 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} snapshots cannot be kept: at least the newest one stays", options.keep));
  }
  TM_ASSIGN(const auto tables, tables_());
  ExpireSnapshotsReport report;
  for (const CatalogView* view : views) {
    TM_ASSIGN(const CleanupReport gone,
              tables->ExpireSnapshots(*view, {.older_than_us = options.older_than_us,
                                              .keep = static_cast<std::size_t>(options.keep)}));
    report.tables.push_back({view->definition.name, gone.snapshots, gone.files, gone.bytes, gone.leased});
  }
  return report;
}

Result<std::string> TableUpkeep::Erase(const CatalogView& view, const GivenRows& keys,
                                       const WorkOptions& work) const {
  const std::string& name = view.definition.name;
  if (!view.definition.is_table()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("view '{}' has a batch source, whose files are not Tidemark's to rewrite: remove "
                            "the rows there, and load the view again (reload)",
                            name));
  }
  if (view.join_keys.empty()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("table '{}' has no entities, by whose keys rows could be found", name));
  }
  const auto types = [&] {
    std::map<std::string, DataType> of_keys;
    for (const JoinKey& key : view.join_keys)
      of_keys.emplace(key.name, *key.type);
    return of_keys;
  };
  TM_ASSIGN(const auto reader, OpenGivenRows(keys, types, threads_));
  TM_ASSIGN(const auto table, FromArrowResult(reader->ToTable()));
  arrow::ArrayVector columns;
  for (const JoinKey& key : view.join_keys) {
    if (table->GetColumnByName(key.name) == nullptr) {
      return Fail(
          ErrorCode::kNotFound,
          fmt::format("the keys have no column '{}', which is a join key of table '{}'", key.name, name));
    }
    TM_ASSIGN(auto column, EntityKey(*table, key.name, key, 0));
    columns.push_back(std::move(column));
  }
  if (table->num_rows() == 0)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("there are no keys to erase from table '{}'", name));
  // A column that is no key, as a time, would narrow what is erased: it does not.
  for (const std::string& column : table->ColumnNames()) {
    if (std::ranges::find(view.join_keys, column, &JoinKey::name) != view.join_keys.end()) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("column '{}' is no join key of table '{}': all rows of an entity are erased, by "
                            "its keys alone; leave the column out",
                            column, name));
  }
  TM_ASSIGN(const auto tables, tables_());
  TM_ASSIGN(const ErasureReceipt receipt, tables->Erase(view, columns, work.stop));
  return ToJson(receipt).dump();
}

Result<std::string> TableUpkeep::Erasures(const Views& views) const {
  TM_ASSIGN(const auto tables, tables_());
  TM_ASSIGN(const auto receipts, tables->parts().receipts->List());
  Json list = Json::array();
  for (const ErasureReceipt& receipt : receipts) {
    const bool is_asked_for =
        std::ranges::any_of(views, [&](const CatalogView* view) { return view->id == receipt.table_id; });
    if (is_asked_for) list.push_back(ToJson(receipt));
  }
  return list.dump();
}

}  // namespace tidemark
