// A service with Kinesis's API, as far as reading takes it: what is in it is the test's to say. Shards that
// are split or merged end here as Kinesis's do, which those of moto, another such service, do not.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/http/http_testing.h"
#include "base/json.h"
#include "model/stream_source.h"

namespace tidemark::kinesis {

/// Records put together as the producer library does: keys and data.
std::string Aggregated(const std::vector<std::pair<std::string, std::string>>& records);

/// Of one stream, "clicks". Thread safe.
class FakeKinesis {
 public:
  FakeKinesis();

  /// A source that is read from here; credentials are put into the environment.
  KinesisSource source() const;

  void AddShard(const std::string& shard, std::vector<std::string> parents = {});
  /// It ends behind what is in it.
  void CloseShard(const std::string& shard);
  /// The record's sequence number.
  std::string Add(const std::string& shard, const std::string& key, const std::string& data);
  /// Forgets the first records, as Kinesis does with old ones.
  void Trim(const std::string& shard, std::size_t records);
  /// Removes the stream, and makes it again with that shard.
  void MakeAnew(const std::string& shard);
  /// The next calls of an operation are answered so, one after the other.
  void AnswerNext(const std::string& operation, http::TestAnswer answer);
  /// Operations in the order of their calls.
  std::vector<std::string> calls() const;
  std::vector<std::string> requests() const { return server_.requests(); }

 private:
  struct Entry {
    std::int64_t number = 0;
    std::string key;
    std::string data;
  };
  struct Shard {
    std::vector<std::string> parents;
    std::vector<Entry> entries;
    bool is_closed = false;
  };

  http::TestAnswer Answer(const std::string& request);
  http::TestAnswer List(const Json& asked) const;
  http::TestAnswer Iterator(const Json& asked) const;
  http::TestAnswer Get(const Json& asked) const;

  mutable std::mutex mutex_;  // guards all
  std::map<std::string, Shard> shards_;
  std::map<std::string, std::vector<http::TestAnswer>> next_;
  std::vector<std::string> calls_;
  std::int64_t last_number_ = 0;
  double made_ = 1'700'000'000.125;  // seconds
  http::TestServer server_;
};

}  // namespace tidemark::kinesis
