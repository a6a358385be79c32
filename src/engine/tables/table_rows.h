// Rows on their way into a feature table: what users send becomes the columns that the table keeps.
//
//   join keys (by name) | event time | __event_timestamp, if the user's is text or numbers | created time, if
//   the user has one | features | write_time | api_invocation_time | is_deleted | expires_at | origin
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/catalog.h"
#include "store/offline_store.h"

namespace tidemark {

/// The table of a view: its columns, their order in files, its partitions.
Result<TableLayout> LayoutOf(const CatalogView& view);

/// The Arrow schema of LayoutOf(view).columns.
std::shared_ptr<arrow::Schema> TableSchema(const CatalogView& view);

/// Rows that were checked and cast; all columns of one length.
struct TableRows {
  arrow::ArrayVector columns;                     // of TableSchema, up to the last feature
  arrow::ArrayVector keys;                        // canonical
  arrow::ArrayVector features;                    // in the order of the view's fields
  std::shared_ptr<arrow::Int64Array> event;       // microseconds
  std::shared_ptr<arrow::Int64Array> created;     // microseconds
  std::shared_ptr<arrow::Int64Array> expires_at;  // nulls: never
  std::int64_t arrival_us = 0;
  bool is_deleted = false;
  std::shared_ptr<arrow::Int64Array> arrivals;     // of each row, if they differ; then `deletions` too
  std::shared_ptr<arrow::BooleanArray> deletions;  // whether each row is one
  std::int64_t count() const { return event->length(); }
};

struct TableRowsOptions {
  std::int64_t arrival_us = 0;           // when the request arrived
  std::int64_t first_row = 0;            // of the batch among all rows of the request, for messages
  bool is_deleted = false;               // the rows are deletions: only keys and times are looked at
  std::optional<std::int64_t> event_us;  // of deletions without a column of event times
  bool others_allowed = false;           // columns that the table does not have are passed over
  /// When each row arrived, in microseconds, if they did not come together; a deletion without an event time
  /// counts from then on. Null: `arrival_us` for all.
  std::shared_ptr<arrow::Int64Array> arrivals = nullptr;
};

/// Reads a batch of the user's: join keys, the event time, features, the created time if the table has one
/// (a row without it is created when it arrived), and `expires_at` if it is there. kNotFound for a missing
/// column, kInvalidArgument for one that the table does not have or that only Tidemark writes, kTypeMismatch
/// and kInvalidData for a value that does not fit (column, row and value named). `cut` is set when a time
/// lost digits finer than microseconds.
Result<TableRows> ReadTableRows(const CatalogView& view, const arrow::RecordBatch& rows,
                                const TableRowsOptions& options, bool* cut);

/// What the columns hold, at most.
std::int64_t BytesOf(const TableRows& rows);

/// `count` rows from `begin` on.
TableRows SliceRows(const TableRows& rows, std::int64_t begin, std::int64_t count);

/// The rows as a batch of `schema`, which is TableSchema of their view, with a write time for each row.
Result<std::shared_ptr<arrow::RecordBatch>> StampedRows(
    const std::shared_ptr<arrow::Schema>& schema, const TableRows& rows,
    const std::shared_ptr<arrow::Int64Array>& write_times);

/// A batch as bytes that say their own schema (an Arrow IPC stream), and back. The schema's part of them is
/// the same for all batches of it. kCorruption for bytes that are no such thing.
Result<std::string> EncodeSchema(const arrow::Schema& schema);
Result<std::shared_ptr<arrow::Buffer>> EncodeBatch(std::string_view encoded_schema,
                                                   const arrow::RecordBatch& batch);
Result<std::shared_ptr<arrow::RecordBatch>> DecodeBatch(std::span<const std::byte> bytes);

/// A batch of an older schema of the table as one of `schema`, which is TableSchema(view): absent columns are
/// null, narrower ones widened.
Result<std::shared_ptr<arrow::RecordBatch>> AlignBatch(const CatalogView& view,
                                                       const std::shared_ptr<arrow::Schema>& schema,
                                                       const std::shared_ptr<arrow::RecordBatch>& batch);

}  // namespace tidemark
