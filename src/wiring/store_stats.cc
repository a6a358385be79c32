// Adds up what the parts of a store say of themselves. Nothing is read but metadata.
#include "wiring/store_stats.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <variant>

#include "base/json.h"
#include "engine/streams/stream_session.h"
#include "wiring/stream_reports.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

/// Bytes and number of the files of the logs. A file that goes meanwhile is not counted.
Json LogStats(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::int64_t files = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const bool is_file = entry->is_regular_file(gone);
    const auto size = is_file && !gone ? entry->file_size(gone) : 0;
    if (!is_file || gone) continue;
    bytes += static_cast<std::int64_t>(size);
    ++files;
  }
  return {{"bytes", bytes}, {"files", files}};
}

/// The greatest event time that the bounds of data files state.
void KeepNewest(const DataFileInfo& file, const std::string& event_column,
                std::optional<std::int64_t>& newest_us) {
  for (const ColumnRange& range : file.ranges) {
    const auto* const high = std::get_if<std::int64_t>(&range.high);
    if (range.column == event_column && high != nullptr)
      newest_us = std::max(newest_us.value_or(*high), *high);
  }
}

Result<Json> TableStats(const FeatureTables& tables, const CatalogView& view) {
  TM_ASSIGN(const auto table, tables.offline().Open(view.id));
  TM_ASSIGN(const auto snapshot, table->Snapshot({}));
  TM_ASSIGN(const auto files, snapshot->Files());
  TM_ASSIGN(const std::int64_t small_files, tables.SmallFiles(view));
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::optional<std::int64_t> newest_us;
  for (const DataFileInfo& file : files) {
    rows += file.rows;
    bytes += file.bytes;
    KeepNewest(file, snapshot->system_columns().event_time, newest_us);
  }
  return Json{{"view", view.definition.name},
              {"rows", rows},
              {"bytes", bytes},
              {"files", files.size()},
              {"small_files", small_files},
              {"committed_us", snapshot->id() == 0 ? Json() : Json(snapshot->committed_us())},
              {"newest_event_us", newest_us ? Json(*newest_us) : Json()}};
}

/// When a view was loaded into the online store, and the newest event time that ever was; null: never.
Result<Json> LoadStats(const Registry& registry, const CatalogView& view) {
  TM_ASSIGN(const auto note, registry.GetNote(view.id, kLoadLogNote));
  if (!note) return Json();
  TM_ASSIGN(const LoadLog log, LoadLogFromJson(*note));
  return Json{{"view", view.definition.name},
              {"loaded_us", log.loaded_at_us},
              {"newest_event_us", log.newest_event_us ? Json(*log.newest_event_us) : Json()}};
}

}  // namespace

Result<std::string> StatsOfStore(const StoreStatsParts& parts) {
  Json stats{{"rows_written", parts.rows_written}, {"online", nullptr}, {"log", LogStats(parts.log_folder)}};
  if (parts.online != nullptr) {
    TM_ASSIGN(const OnlineStats online, parts.online->Stats());
    stats["online"] = {{"rows", online.rows}, {"bytes", online.bytes}, {"bytes_max", online.bytes_max}};
  }
  Json tables = Json::array();
  Json loads = Json::array();
  Json streams = Json::array();
  for (const auto& [name, view] : parts.catalog->views()) {
    if (view.definition.is_table() && view.is_typed()) {
      auto table = TableStats(*parts.tables, view);
      // Made, and nothing was written to it yet.
      if (!table && table.error().code == ErrorCode::kNotFound) continue;
      if (!table) return std::unexpected(std::move(table).error().In("view " + name));
      tables.push_back(*std::move(table));
    }
    if (StreamSourceOf(view)) {
      Json stream = StreamReportSum(parts.log_folder.parent_path() / "streams", view.id);
      stream["view"] = name;
      streams.push_back(std::move(stream));
    }
    TM_ASSIGN(Json load, LoadStats(*parts.registry, view));
    if (!load.is_null()) loads.push_back(std::move(load));
  }
  stats["tables"] = std::move(tables);
  stats["loads"] = std::move(loads);
  stats["streams"] = std::move(streams);
  return stats.dump();
}

}  // namespace tidemark
