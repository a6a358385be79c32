// An iterator's text is its shard and the number of the first record that it gives.
#include "adapters/kinesis/fake_kinesis_testing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "base/md5.h"
#include "rows/base64.h"

namespace tidemark::kinesis {
namespace {

constexpr std::string_view kNumberStart = "4959033827149025660855969253836157109592157";
constexpr std::size_t kShardsOfPage = 2;

std::string SequenceOf(std::int64_t number) {
  return fmt::format("{}{:010}", kNumberStart, number);
}

std::optional<std::int64_t> NumberIn(const std::string& sequence) {
  if (!sequence.starts_with(kNumberStart)) return std::nullopt;
  return std::strtoll(sequence.c_str() + kNumberStart.size(), nullptr, 10);
}

std::string TextOf(const Json& json, const char* name) {
  const auto member = json.find(name);
  return member == json.end() ? "" : member->get<std::string>();
}

http::TestAnswer Refused(const std::string& kind, const std::string& message) {
  return {.status = 400, .body = Json{{"__type", kind}, {"message", message}}.dump()};
}

/// A field of bytes in protobuf's encoding.
std::string BytesField(int number, const std::string& bytes) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  std::size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7)
    field += static_cast<char>((size & 0x7f) | 0x80);
  field += static_cast<char>(size);
  return field + bytes;
}

}  // namespace

std::string Aggregated(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string keys;
  std::string packed;
  for (std::size_t i = 0; i < records.size(); ++i) {
    keys += BytesField(1, records[i].first);
    const std::string key_number{'\x08', static_cast<char>(i)};
    packed += BytesField(3, key_number + BytesField(3, records[i].second));
  }
  const std::string message = keys + packed;
  const auto digest = Md5(message);
  return "\xF3\x89\x9A\xC2" + message +
         std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

FakeKinesis::FakeKinesis() : server_([this](const std::string& request) { return Answer(request); }) {}

KinesisSource FakeKinesis::source() const {
  setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "hunter2", 1);
  KinesisSource source;
  source.name = "clicks";
  source.stream_name = "clicks";
  source.region = "eu-west-1";
  source.endpoint_url = "http://" + server_.host();
  return source;
}

void FakeKinesis::AddShard(const std::string& shard, std::vector<std::string> parents) {
  const std::lock_guard lock(mutex_);
  shards_[shard].parents = std::move(parents);
}

void FakeKinesis::CloseShard(const std::string& shard) {
  const std::lock_guard lock(mutex_);
  shards_.at(shard).is_closed = true;
}

std::string FakeKinesis::Add(const std::string& shard, const std::string& key, const std::string& data) {
  const std::lock_guard lock(mutex_);
  shards_.at(shard).entries.push_back({.number = ++last_number_, .key = key, .data = data});
  return SequenceOf(last_number_);
}

void FakeKinesis::Trim(const std::string& shard, std::size_t records) {
  const std::lock_guard lock(mutex_);
  auto& entries = shards_.at(shard).entries;
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(records));
}

void FakeKinesis::MakeAnew(const std::string& shard) {
  const std::lock_guard lock(mutex_);
  shards_.clear();
  shards_[shard] = {};
  made_ += 1;
}

void FakeKinesis::AnswerNext(const std::string& operation, http::TestAnswer answer) {
  const std::lock_guard lock(mutex_);
  next_[operation].push_back(std::move(answer));
}

std::vector<std::string> FakeKinesis::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

http::TestAnswer FakeKinesis::Answer(const std::string& request) {
  const std::lock_guard lock(mutex_);
  constexpr std::string_view kTarget = "X-Amz-Target: Kinesis_20131202.";
  const auto at = request.find(kTarget) + kTarget.size();
  const std::string operation = request.substr(at, request.find('\r', at) - at);
  calls_.push_back(operation);
  if (auto& next = next_[operation]; !next.empty()) {
    const http::TestAnswer answer = next.front();
    next.erase(next.begin());
    return answer;
  }
  const auto asked = ParseJson(request.substr(request.find("\r\n\r\n") + 4));
  TM_CHECK(asked, "a request's JSON");
  if (operation == "ListShards") return List(*asked);
  if (const std::string stream = TextOf(*asked, "StreamName"); !stream.empty() && stream != "clicks")
    return Refused("ResourceNotFoundException", "no such stream");
  if (operation == "DescribeStreamSummary") {
    const Json summary{{"StreamName", "clicks"}, {"StreamCreationTimestamp", made_}};
    return {.status = 200, .body = Json{{"StreamDescriptionSummary", summary}}.dump()};
  }
  return operation == "GetShardIterator" ? Iterator(*asked) : Get(*asked);
}

http::TestAnswer FakeKinesis::List(const Json& asked) const {
  const std::string token = TextOf(asked, "NextToken");
  if (token.empty() == TextOf(asked, "StreamName").empty())
    return Refused("InvalidArgumentException", "a name or a token");
  if (token.empty() && TextOf(asked, "StreamName") != "clicks")
    return Refused("ResourceNotFoundException", "no such stream");
  Json answer{{"Shards", Json::array()}};
  std::size_t count = 0;
  for (auto shard = shards_.lower_bound(token); shard != shards_.end(); ++shard) {
    if (count++ == kShardsOfPage) {
      answer["NextToken"] = shard->first;
      break;
    }
    Json json{{"ShardId", shard->first}};
    if (!shard->second.parents.empty()) json["ParentShardId"] = shard->second.parents[0];
    if (shard->second.parents.size() > 1) json["AdjacentParentShardId"] = shard->second.parents[1];
    answer["Shards"].push_back(std::move(json));
  }
  return {.status = 200, .body = answer.dump()};
}

http::TestAnswer FakeKinesis::Iterator(const Json& asked) const {
  const std::string id = TextOf(asked, "ShardId");
  const std::string type = TextOf(asked, "ShardIteratorType");
  std::int64_t first = type == "LATEST" ? last_number_ + 1 : 0;
  if (type.ends_with("SEQUENCE_NUMBER")) {
    const auto number = NumberIn(TextOf(asked, "StartingSequenceNumber"));
    if (!number || *number > last_number_)
      return Refused("InvalidArgumentException", "StartingSequenceNumber is not of this shard");
    first = *number + (type.starts_with("AFTER") ? 1 : 0);
  }
  return {.status = 200, .body = Json{{"ShardIterator", fmt::format("{}|{}", id, first)}}.dump()};
}

http::TestAnswer FakeKinesis::Get(const Json& asked) const {
  const std::string iterator = TextOf(asked, "ShardIterator");
  const auto bar = iterator.find('|');
  const std::string id = iterator.substr(0, bar);
  const Shard& shard = shards_.at(id);
  std::int64_t first = std::strtoll(iterator.c_str() + bar + 1, nullptr, 10);
  Json answer{{"Records", Json::array()}};
  const auto limit = asked["Limit"].get<std::size_t>();
  bool has_more = false;
  for (const Entry& entry : shard.entries) {
    if (entry.number < first) continue;
    has_more = answer["Records"].size() == limit;
    if (has_more) break;
    std::string data;
    AppendBase64(data, entry.data);
    answer["Records"].push_back(Json{{"SequenceNumber", SequenceOf(entry.number)},
                                     {"PartitionKey", entry.key},
                                     {"Data", data},
                                     {"ApproximateArrivalTimestamp", 1'700'000'000.125}});
    first = entry.number + 1;
  }
  answer["MillisBehindLatest"] = has_more ? 5'000 : 0;
  if (has_more || !shard.is_closed) answer["NextShardIterator"] = fmt::format("{}|{}", id, first);
  return {.status = 200, .body = answer.dump()};
}

}  // namespace tidemark::kinesis
