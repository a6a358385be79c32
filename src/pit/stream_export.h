// A record batch reader as an Arrow C stream whose errors keep their code.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "tidemark/arrow_c.h"

namespace tidemark {

/// Called with the number of rows once the stream has ended.
using StreamEnd = std::function<void(std::int64_t rows)>;

/// Makes `out` a stream of `reader`. An error's text is "<NAME OF ITS CODE>: <text>" (Describe in
/// tidemark/error.h), its errno EINVAL, ECANCELED, ENOMEM or EIO as fits the code. `ended` may be empty; it
/// is called once, in the get_next that finds no more rows.
void ExportStream(std::shared_ptr<arrow::RecordBatchReader> reader, StreamEnd ended, ArrowArrayStream* out);

}  // namespace tidemark
