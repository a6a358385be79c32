// What the frames of a log have for a table, as batches.
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "engine/catalog.h"
#include "engine/tables/plain_frames.h"
#include "engine/tables/stream_marks.h"
#include "store/write_log.h"

namespace tidemark {

/// The rows of a frame that has some, in the columns that it says. kCorruption if they cannot be decoded.
Result<std::shared_ptr<arrow::RecordBatch>> DecodeRows(const LogRecord& record);

/// Frames in the order of the log; rows of frames that have one each come together.
class FrameRows {
 public:
  /// Takes batches of TableSchema(view), in the order of their frames.
  using Sink = FunctionRef<Result<void>(std::shared_ptr<arrow::RecordBatch> rows)>;

  /// Of frames that came from a stream only those rows stand whose owner has not lost their partition, by
  /// `marks`. All must outlive this.
  FrameRows(const CatalogView& view, const std::shared_ptr<arrow::Schema>& schema, const StreamMarks& marks,
            Sink sink)
      : view_(view), schema_(schema), marks_(marks), sink_(sink) {}

  /// Reads a frame; false if it has nothing for the table. `standing` (may be null) is given the parts of a
  /// stream's frame that stand. kCorruption for rows that cannot be decoded.
  Result<bool> Add(const LogFrame& frame, std::vector<StreamPart>* standing = nullptr);

  /// Gives the sink the rows that are not there yet. Without this they are lost.
  Result<void> Finish();

 private:
  Result<bool> AddPlain(const LogRecord& record);

  const CatalogView& view_;
  const std::shared_ptr<arrow::Schema>& schema_;
  const StreamMarks& marks_;
  const Sink sink_;
  std::optional<PlainFrames> plain_;  // with the first frame that may be one
};

}  // namespace tidemark
