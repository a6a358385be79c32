// Snapshots that are kept by a tag, and read again as they were.
//
// The log is flushed first, so that the snapshot has every row that a reader would have seen. Rows that are
// being erased are not to be pinned: erasures are completed before, and asked for again after the tag stands,
// when any that comes later finds it.
#include <fmt/format.h>

#include "base/result.h"
#include "engine/tables/erasures.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_rewrite_internal.h"
#include "engine/tables/table_source.h"

namespace tidemark {
namespace {

constexpr int kPinTriesMax = 5;

Result<bool> HoldsErasedRows(const CatalogView& view, const FeatureTablesParts& parts, OfflineTable& table,
                             const TableSnapshot& snapshot) {
  return TableSweep(view, parts, table, {}).HoldsErased(snapshot);
}

Result<void> RemoveTag(OfflineTable& table, const std::string& tag) {
  auto removed = table.Untag(tag);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  return {};
}

}  // namespace

Result<PinnedSnapshot> FeatureTables::Pin(const CatalogView& view, const std::string& tag,
                                          std::optional<std::int64_t> snapshot_id) const {
  const auto pin = [&]() -> Result<PinnedSnapshot> {
    TM_TRY(CheckWritable());
    TM_TRY(Prepare(view));
    for (int tries = 0; tries < kPinTriesMax; ++tries) {
      if (!snapshot_id) TM_TRY(Flush(view));
      TM_TRY(CompleteErasures(view, {}));
      TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
      TM_ASSIGN(const auto snapshot, table->Snapshot({.id = snapshot_id}));
      PinnedSnapshot pinned{.id = snapshot->id(),
                            .committed_us = snapshot->committed_us(),
                            .columns_number = snapshot->columns_number(),
                            .logs = {}};
      if (!snapshot_id) pinned.logs = FlushedMarks(snapshot->properties());
      if (pinned.id == 0) return pinned;
      TM_TRY(table->Tag(tag, pinned.id));
      // With the fences of after the tag.
      TM_ASSIGN(const auto tagged, table->Snapshot({.tag = tag}));
      TM_ASSIGN(const bool holds_erased, HoldsErasedRows(view, parts_, *table, *tagged));
      if (!holds_erased) return pinned;
      TM_TRY(RemoveTag(*table, tag));
      if (snapshot_id) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("snapshot {} has rows that are erased: it is not kept", *snapshot_id));
      }
    }
    return Fail(ErrorCode::kBusy, "rows are being erased from it all the time: try again");
  };
  auto pinned = pin();
  if (!pinned) return std::unexpected(std::move(pinned).error().In("view " + view.definition.name));
  return pinned;
}

Result<void> FeatureTables::Unpin(std::uint32_t view_id, const std::string& tag) const {
  TM_TRY(CheckWritable());
  auto table = parts_.offline->Open(view_id);
  if (!table && table.error().code == ErrorCode::kNotFound) return {};
  if (!table) return std::unexpected(std::move(table).error());
  return RemoveTag(**table, tag);
}

Result<TableToRead> FeatureTables::OpenPinned(const CatalogView& view, const std::string& tag,
                                              const PinnedSnapshot& pinned) const {
  TM_ASSIGN(const TableLayout wanted, LayoutOf(view));
  std::unique_ptr<Source> files;
  if (pinned.id != 0) {
    TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
    TM_ASSIGN(const auto snapshot, table->Snapshot({.tag = tag}));
    SourceOptions reading;
    reading.columns_number = pinned.columns_number;
    reading.threads = parts_.threads;
    TM_ASSIGN(files, snapshot->OpenSource(reading));
  }
  return TableToRead{
      MakeTableSource(TableSchema(view), wanted.system, std::move(files), {}), std::nullopt, {}};
}

Result<bool> FeatureTables::PinnedHoldsErased(const CatalogView& view, const std::string& tag) const {
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  TM_ASSIGN(const auto snapshot, table->Snapshot({.tag = tag}));
  return HoldsErasedRows(view, parts_, *table, *snapshot);
}

}  // namespace tidemark
