// Where a stream is read on whose messages are gone or are others than before: decided by who asks for it,
// never by a reader.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/tables/stream_marks.h"
#include "store/stream.h"
#include "tidemark/streams.h"

namespace tidemark {

struct PartitionRestart {
  std::string partition;
  std::string place;
  std::optional<StreamOffset> read;  // nothing: nothing was
  std::optional<StreamOffset> next;  // that will be read; nothing: not known
  std::string gives_up;              // what this does, in words
  StreamMark mark;                   // as it is to be; without an epoch
};

/// What restarting would do. `marks` are those of the view's table, `lags` what the stream says of its
/// partitions. Errors as Store::RestartStream.
Result<std::vector<PartitionRestart>> PlanRestart(const StreamSource& source, const StreamMarks& marks,
                                                  std::span<const StreamLag> lags,
                                                  const RestartStreamOptions& options);

}  // namespace tidemark
