// Materialization: the latest row of every key, from a view's source into the online store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/write_times.h"
#include "engine/catalog.h"
#include "engine/load_log.h"
#include "engine/view_source.h"
#include "store/online_store.h"
#include "store/registry.h"

namespace tidemark {

struct MaterializeRequest {
  std::optional<std::int64_t> start_us;  // nothing: from the beginning
  std::int64_t end_us = 0;
  bool reload = false;  // also what was loaded before, and over rows that are damaged
  std::size_t threads = 1;
  std::string store_folder;  // plain, without a slash at its end; what lies below it may move with it
  std::int64_t memory_bytes_max = 0;  // above zero: kept by working through the keys in parts
  std::stop_token stop;
  std::function<void(std::string_view what, std::int64_t done, std::int64_t total)> progress;
};

struct MaterializedView {
  std::int64_t rows_read = 0;
  std::int64_t rows_written = 0;
  std::int64_t files_read = 0;
  std::int64_t files_skipped = 0;
  double seconds = 0;
  double put_seconds = 0;
  std::vector<std::string> warnings;
};

/// Loads one view. Of a view in a warehouse that has a created column, rows within times that were loaded
/// before are read if they were created later than one hour before the newest row known then; without such a
/// column all rows of the range are read again. Rows with start <= event time <= end count, never those ahead
/// of the clock: they are left for when they are due. Files that are unchanged since they were loaded over
/// these times are not read again; a file that is new or has changed is read over the whole range, so that
/// late rows are not missed, and with it the files behind it by path, since ties go by path. Rows of one run
/// get one write time: of rows equal in key, event and created time those of a later run win; a row that is
/// online already, as it is, is not written again. `reload` reads all files over the range and over all times
/// that were loaded before, writes every winner, also in the place of a stored row whose checksum fails, and
/// at last removes the rows that are damaged still: nothing in the source stands for them. What was loaded is
/// noted in the registry only when it is durable in the online store: after an interrupt or a crash the next
/// run does again what was not noted, which is harmless.
Result<MaterializedView> Materialize(const CatalogView& view, const MaterializeRequest& request,
                                     const SourceOpeners& open, OnlineStore& online, Registry& registry,
                                     const Clock& clock, WriteTimes& write_times);

}  // namespace tidemark
