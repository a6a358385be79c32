// The calls of Kinesis's API that reading takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/http/http_client.h"
#include "adapters/kinesis/aggregated_record_internal.h"
#include "adapters/kinesis/aws_credentials_internal.h"
#include "base/json.h"
#include "base/result.h"
#include "model/stream_source.h"
#include "store/stream.h"

namespace tidemark::kinesis {

struct Shard {
  std::string id;
  std::vector<std::string> parents;  // those that it was split off or merged from, listed or not
  HashKeyRange hash_keys;
};

struct Record {
  StreamOffset offset;  // its sequence number, with its place in one that is put together of several
  std::string key;
  std::string data;
  std::int64_t arrival_us = 0;
};

/// What a call for one shard came to, where it is no error.
enum class CallState : std::uint8_t { kDone, kTooMany, kExpired };

struct ShardIterator {
  CallState state = CallState::kDone;
  std::string text;
};

struct Records {
  CallState state = CallState::kDone;  // kExpired: the iterator, after five minutes
  std::vector<Record> records;
  std::optional<std::string> next;  // none: the shard was read to its end
  std::int64_t behind_ms = 0;       // 0: there are no more for now
};

/// Used by one thread at a time. Errors name the stream and what was asked of it: kUnavailable if there is no
/// answer, or too many calls were made; kNotFound, kPermissionDenied, kInvalidArgument as the service says.
class KinesisApi {
 public:
  static Result<std::unique_ptr<KinesisApi>> Make(const KinesisSource& source, Environment environment);

  Result<std::vector<Shard>> ListShards();
  /// When the stream was made, in milliseconds, as text; empty if the service does not say.
  Result<std::string> Made();
  /// kInvalidData if the service does not know what to begin at. An iterator for a record that came together
  /// with others begins with the first of these.
  Result<ShardIterator> IteratorAt(const std::string& shard, const StreamStart& start);
  /// Records that the producer library has put together are taken apart: those of them that are of this
  /// shard.
  Result<Records> GetRecords(const std::string& shard, const std::string& iterator, std::size_t records_max);

 private:
  struct Answer {
    CallState state = CallState::kDone;
    Json json;
    std::string wrong;  // the service's word for what was wrong with an argument
  };

  KinesisApi(const KinesisSource& source, Environment environment, std::unique_ptr<http::HttpClient> client);
  Result<Answer> Call(const char* operation, const Json& request);
  Result<Answer> CallOnce(const char* operation, const Json& request, bool& is_login_over);
  Result<Answer> AnswerOf(const char* operation, const http::HttpAnswer& answer, bool& is_login_over) const;
  std::unexpected<Error> Wrong(ErrorCode code, const std::string& what) const;
  Result<Record> RecordOf(const std::string& shard, const Json& json) const;
  void AddUnpacked(const std::string& shard, Record record, std::vector<Record>& records) const;

  const std::string stream_;
  const std::string region_;
  const std::string url_;
  const Environment environment_;
  const std::unique_ptr<http::HttpClient> client_;
  std::optional<AwsCredentials> credentials_;
  std::map<std::string, HashKeyRange> ranges_;  // of the shards that were listed
};

}  // namespace tidemark::kinesis
