// Rows on their way into the folder that a view has as its batch source: checked and logged as a table's,
// then written as one more file of the user's.
//
// Files are named after the moment of the write and the frame that has the rows, so that a repetition finds
// them, and so that a later file is behind an earlier one: rows equal in both timestamps are ordered by path.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/catalog.h"
#include "store/batch_ledger.h"
#include "store/write_log.h"

namespace tidemark {

/// The view as if its rows were a table's; itself if they are.
CatalogView AsTable(const CatalogView& view);

/// The columns of the view's files, under their names there.
std::shared_ptr<arrow::Schema> SourceSchema(const CatalogView& view);

/// Rows of AsTable(view), of all its columns, as the files have them.
std::shared_ptr<arrow::RecordBatch> SourceRows(const CatalogView& view, const arrow::RecordBatch& rows);

/// The file of a frame.
std::string FileNameOf(std::int64_t write_time_us, LogPosition position);

/// The file of many rows that no log has, of a batch if the key is not empty: then BatchFileEnd, of what was
/// written, goes behind it.
std::string FileNameOf(std::int64_t write_time_us, std::string_view batch_key);
std::string BatchFileEnd(const BatchContent& content);

/// Whether a file is of the batch and was written after `since_us`: then what its rows are, which is unknown
/// if the name does not say it.
std::optional<BatchContent> ContentOfBatchFile(std::string_view name, std::string_view batch_key,
                                               std::int64_t since_us);

}  // namespace tidemark
