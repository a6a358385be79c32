// A feature table as a source: the newest snapshot, and the rows in the logs that it does not have yet.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/source.h"

namespace tidemark {

/// Rows of one log that no snapshot has.
struct LogTail {
  std::string name;  // shown where a file's path would be
  arrow::RecordBatchVector batches;

  std::int64_t rows() const;
};

/// Puts `snapshot` (null: the table has no files) and the tails together into one source whose files come
/// first. `schema` is the table's; the snapshot's source must have its columns.
std::unique_ptr<Source> MakeTableSource(std::shared_ptr<arrow::Schema> schema, SystemColumns system,
                                        std::unique_ptr<Source> snapshot, std::vector<LogTail> tails);

}  // namespace tidemark
