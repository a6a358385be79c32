// A partition that was split or merged goes when its messages are too old; who has begun to read what came of
// it had read it to its end.
#include "engine/streams/stream_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace tidemark {
namespace {

Result<void> CheckStillThere(const StreamSource& source, const StreamMarks& marks,
                             const StreamIdentity& identity, const std::string& partition,
                             const StreamOffset& read) {
  bool is_one_begun = false;
  bool is_child_begun = true;
  for (const StreamIdentity::Partition& other : identity.partitions) {
    if (other.id == partition) return {};
    const bool is_begun = marks.contains(StreamPlace(source, other.id));
    const bool is_child = std::ranges::find(other.parents, partition) != other.parents.end();
    is_one_begun = is_one_begun || is_begun;
    is_child_begun = is_child_begun && (is_begun || !is_child);
  }
  if (is_one_begun && is_child_begun) return {};
  return Fail(
      ErrorCode::kInvalidData,
      fmt::format("{}, which was read up to {}, is there no more, and may have had more: the stream was "
                  "made anew, or its messages were removed before they were read; see 'messages that "
                  "are gone' in docs/streams.md",
                  StreamPlace(source, partition), read.text()));
}

}  // namespace

Result<void> CheckSameStream(const StreamSource& source, const StreamMarks& marks,
                             const StreamIdentity& identity) {
  for (const auto& [place, mark] : marks) {
    const auto partition = PartitionOfPlace(source, place);
    if (!partition || !mark.read) continue;
    if (!mark.made.empty() && !identity.made.empty() && mark.made != identity.made) {
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("{} was read up to {}, but the stream was made anew since: it is another one of "
                      "the same name; see 'messages that are gone' in docs/streams.md",
                      place, mark.read->text()));
    }
    if (!identity.partitions.empty())
      TM_TRY(CheckStillThere(source, marks, identity, *partition, *mark.read));
  }
  return {};
}

}  // namespace tidemark
