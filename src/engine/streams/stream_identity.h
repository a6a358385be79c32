// Whether a stream is the one that was read before, as far as it can be known without its messages.
#pragma once

#include "base/result.h"
#include "engine/tables/stream_marks.h"
#include "store/stream.h"

namespace tidemark {

/// kInvalidData, with what to do, if some of what `marks` say was read is of a stream of the same name that
/// was made before, or of a partition that is gone and may not have been read to its end: one whose successor
/// was never begun, or any, if none of the partitions that there are was ever begun.
Result<void> CheckSameStream(const StreamSource& source, const StreamMarks& marks,
                             const StreamIdentity& identity);

}  // namespace tidemark
