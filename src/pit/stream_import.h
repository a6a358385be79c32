// An Arrow C stream as a record batch reader that knows the schemas of streams that came before.
#pragma once

#include <arrow/record_batch.h>

#include <memory>

#include "base/result.h"
#include "tidemark/arrow_c.h"

namespace tidemark {

/// Takes `stream` over, which must not have been released; it is released with the reader. As
/// arrow::ImportRecordBatchReader, but for streams of few rows, whose schemas cost more than their values:
/// one that is like a former one is that one, and is not made again. Thread safe. kInvalidArgument for what
/// is no stream of rows; an error of the stream, then or at a read, is as Arrow would tell it.
Result<std::shared_ptr<arrow::RecordBatchReader>> ImportStream(ArrowArrayStream* stream);

}  // namespace tidemark
