// A feature table at one moment, for those who read its data files by themselves.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "engine/catalog.h"
#include "engine/tables/erasures.h"
#include "engine/tables/table_source.h"
#include "store/offline_store.h"

namespace tidemark {

struct TableState {
  std::shared_ptr<const TableSnapshot> snapshot;  // id 0: the table has no files yet
  std::vector<TableColumn> columns;               // of the table now, with their ids
  std::vector<LogTail> tails;                     // rows that no file has, in the columns of TableSchema
  std::shared_ptr<const Erasures> erasures;       // null: nothing is being erased
  bool may_hold_erased = false;                   // data files may have rows that are erased
};

/// The data files that can be read as they are, and what stands of the others.
struct StandingFiles {
  std::vector<DataFileInfo> files;
  arrow::RecordBatchVector rows;  // in the columns of TableSchema
};

/// Looks into every file if some may have erased rows; cheap if none may. kOutOfSpace if the rows that stand
/// in such files take more than `bytes_max`: completing the erasure rewrites these files.
Result<StandingFiles> FindStanding(const CatalogView& view, const TableState& state, std::int64_t bytes_max,
                                   const std::stop_token& stop);

/// The rows of the logs that stand.
Result<arrow::RecordBatchVector> StandingTails(const CatalogView& view, const TableState& state);

}  // namespace tidemark
