// Streams of Kinesis.
#pragma once

#include <cstdint>
#include <memory>

#include "store/stream.h"

namespace tidemark {

struct KinesisPacing {
  std::int64_t between_calls_us = 200'000;     // for one shard: Kinesis allows five a second
  std::int64_t backoff_max_us = 10'000'000;    // after calls that were too many
  std::int64_t between_shares_us = 2'000'000;  // how often readers look who else there is
  std::int64_t between_looks_us = 20'000'000;  // and whether the stream is still the same
};

/// Opens a stream, without waiting for it: one that cannot be reached is told by Poll and Lags. A shard is a
/// partition by its id; what came of a shard that was split or merged is read when all of that has been
/// handed out, and a shard is at its end only when those are assigned. A record's key is its partition key;
/// one without data is a tombstone. There are no groups: readers of one machine that name the same lease file
/// share the shards, each about as many as the others, and every other reader gets all of them.
///
/// Who calls is found as AWS's tools do: in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
/// or else in the profile AWS_PROFILE of the shared credentials file, or else by the role of the container or
/// machine, which is asked for. kPermissionDenied if there is nobody.
///
/// A stream is told by when it was made from one of its name that was removed: Identify asks for that, and
/// whoever has asked is told by Poll, at the latest half a minute after it, that it is another one.
///
/// Poll is kInvalidData if the record to begin at is there no more. Records that Amazon's producer library
/// has put together into one are messages each, with the sequence number of that and their place in it.
Result<std::unique_ptr<Stream>> OpenKinesisStream(const KinesisSource& source, const StreamOpening& opening,
                                                  const KinesisPacing& pacing = {});

}  // namespace tidemark
