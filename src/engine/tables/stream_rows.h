// Rows that were read from a stream, on their way into a feature table.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/tables/stream_marks.h"
#include "engine/tables/table_log.h"
#include "engine/tables/table_rows.h"
#include "store/write_log.h"

namespace tidemark {

/// As a decoder gives them. A column `is_deleted` (booleans) says of each row whether it is a deletion.
struct DecodedStreamRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<bool> is_tombstone;                 // of each row: it has values in its join keys only
  std::shared_ptr<arrow::Int64Array> arrivals;    // when the broker got each, in microseconds
  std::optional<std::int64_t> event_us_max = {};  // rows with a later event time do not fit
};

struct RejectedStreamRow {
  std::size_t row = 0;
  std::string reason;
};

/// Rows that fit the table, in their order, and those that do not.
struct CheckedStreamRows {
  TableRows rows;
  std::vector<std::size_t> places;  // of each of `rows`, its place among the decoded ones
  std::vector<RejectedStreamRow> rejected;
};

/// Casts and checks row by row what does not fit as a whole. `view` is a table (AsTable). An error only if no
/// row can be read: kNotFound for a column that the decoder did not give.
Result<CheckedStreamRows> CheckStreamRows(const CatalogView& view, const DecodedStreamRows& decoded);

/// Rows of a stream on their way into the log and online. Does not move: what is in it refers to itself.
struct StreamFrame {
  StreamFrame() = default;
  StreamFrame(const StreamFrame&) = delete;
  StreamFrame& operator=(const StreamFrame&) = delete;

  std::string place;  // for errors
  std::vector<StreamPart> parts;
  std::uint32_t marks_table = 0;  // whose marks say who has the partitions
  bool was_outrun = false;        // by another owner of one of them, before it was checked
  std::string offsets;
  std::shared_ptr<arrow::Buffer> payload;
  LogRecord record;  // of the two
  FrameOnlineRows online;
  std::optional<TableLog::OnlineLater> later;  // of these; none if the view is not online
};

}  // namespace tidemark
