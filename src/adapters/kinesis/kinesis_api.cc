// JSON of version 1.1 over POST, the operation in a header.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>

#include "adapters/kinesis/kinesis_api_internal.h"
#include "rows/base64.h"

namespace tidemark::kinesis {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{32} << 20;  // 10 MiB of data as base64, and its names
constexpr std::int64_t kShardPagesMax = 1'000;
constexpr std::int64_t kRenewBeforeUs = 300'000'000;  // credentials of a role

constexpr std::array<std::string_view, 5> kTooManyCalls{"ProvisionedThroughputExceededException",
                                                        "LimitExceededException", "ThrottlingException",
                                                        "KMSThrottlingException", "RequestLimitExceeded"};
constexpr std::array<std::string_view, 7> kRefusals{
    "AccessDeniedException",        "UnrecognizedClientException",         "InvalidSignatureException",
    "IncompleteSignatureException", "MissingAuthenticationTokenException", "InvalidClientTokenId",
    "KMSAccessDeniedException"};

std::int64_t NowUs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

bool IsAmong(const auto& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string TextMember(const Json& json, const char* name) {
  const auto member = json.find(name);
  return member != json.end() && member->is_string() ? member->text() : std::string();
}

/// `com.amazonaws.kinesis#ResourceNotFoundException` without what stands before.
std::string KindOf(const Json& json) {
  const std::string type = TextMember(json, "__type");
  return type.substr(type.rfind('#') + 1);
}

std::string EndpointOf(const KinesisSource& source) {
  if (!source.endpoint_url.empty()) return source.endpoint_url;
  return fmt::format("https://kinesis.{}.{}/", source.region, AwsDomain(source.region));
}

}  // namespace

KinesisApi::KinesisApi(const KinesisSource& source, Environment environment,
                       std::unique_ptr<http::HttpClient> client)
    : stream_(source.stream_name),
      region_(source.region),
      url_(EndpointOf(source)),
      environment_(std::move(environment)),
      client_(std::move(client)) {}

Result<std::unique_ptr<KinesisApi>> KinesisApi::Make(const KinesisSource& source, Environment environment) {
  TM_ASSIGN(auto client, http::HttpClient::Make());
  auto api = std::unique_ptr<KinesisApi>(new KinesisApi(source, std::move(environment), std::move(client)));
  TM_ASSIGN(api->credentials_, FindAwsCredentials(api->environment_, api->region_, *api->client_));
  return api;
}

std::unexpected<Error> KinesisApi::Wrong(ErrorCode code, const std::string& what) const {
  return Fail(code, fmt::format("Kinesis stream '{}': {}", stream_, what));
}

Result<KinesisApi::Answer> KinesisApi::Call(const char* operation, const Json& request) {
  if (credentials_->expires_us && NowUs() > *credentials_->expires_us - kRenewBeforeUs) {
    // Those that there are may be good for a while yet.
    if (auto newer = FindAwsCredentials(environment_, region_, *client_)) credentials_ = *std::move(newer);
  }
  bool is_login_over = false;
  auto answer = CallOnce(operation, request, is_login_over);
  if (!is_login_over) return answer;
  // Whoever keeps the credentials file may have put newer ones there.
  TM_ASSIGN(credentials_, FindAwsCredentials(environment_, region_, *client_));
  return CallOnce(operation, request, is_login_over);
}

Result<KinesisApi::Answer> KinesisApi::CallOnce(const char* operation, const Json& request,
                                                bool& is_login_over) {
  const auto answer =
      client_->Send({.url = url_,
                     .headers = {"Content-Type: application/x-amz-json-1.1",
                                 fmt::format("X-Amz-Target: Kinesis_20131202.{}", operation)},
                     .body = request.dump(),
                     .aws_auth = http::AwsAuth{.access_key_id = credentials_->access_key_id,
                                               .secret_access_key = credentials_->secret_access_key,
                                               .session_token = credentials_->session_token,
                                               .region = region_,
                                               .service = "kinesis"},
                     .answer_bytes_max = kAnswerBytesMax});
  if (!answer) return Wrong(answer.error().code, answer.error().message);
  return AnswerOf(operation, *answer, is_login_over);
}

Result<KinesisApi::Answer> KinesisApi::AnswerOf(const char* operation, const http::HttpAnswer& answer,
                                                bool& is_login_over) const {
  auto json = ParseJson(answer.body);
  const bool is_object = json && json->is_object();
  if (answer.status == 200 && is_object) return Answer{.json = *std::move(json), .wrong = {}};
  const std::string kind = is_object ? KindOf(*json) : "";
  const std::string told = is_object ? TextMember(*json, "message") : "";
  if (IsAmong(kTooManyCalls, kind)) return Answer{.state = CallState::kTooMany, .json = {}, .wrong = {}};
  if (kind == "ExpiredIteratorException")
    return Answer{.state = CallState::kExpired, .json = {}, .wrong = {}};
  if (kind == "InvalidArgumentException") return Answer{.json = {}, .wrong = told.empty() ? kind : told};
  if (kind == "ResourceNotFoundException")
    return Wrong(ErrorCode::kNotFound, fmt::format("there is none in region {} ({})", region_, told));
  is_login_over = kind == "ExpiredTokenException";
  if (is_login_over || IsAmong(kRefusals, kind) || answer.status == 401 || answer.status == 403)
    return Wrong(ErrorCode::kPermissionDenied, fmt::format("{} is refused: {} {}", operation, kind, told));
  if (answer.status >= 400 && answer.status < 500 && is_object)
    return Wrong(ErrorCode::kInvalidArgument, fmt::format("{} is refused: {} {}", operation, kind, told));
  return Wrong(ErrorCode::kUnavailable, fmt::format("{} answers {} with status {} {}", http::ShownUrl(url_),
                                                    operation, answer.status, kind));
}

Result<std::vector<Shard>> KinesisApi::ListShards() {
  std::vector<Shard> shards;
  Json request{{"StreamName", stream_}};
  for (std::int64_t page = 0; page < kShardPagesMax; ++page) {
    TM_ASSIGN(const Answer answer, Call("ListShards", request));
    if (answer.state != CallState::kDone)
      return Wrong(ErrorCode::kUnavailable, "its shards were asked for too often: they are asked for again");
    if (!answer.wrong.empty()) return Wrong(ErrorCode::kInvalidArgument, answer.wrong);
    const auto listed = answer.json.find("Shards");
    if (listed == answer.json.end() || !listed->is_array())
      return Wrong(ErrorCode::kUnavailable, "an answer without its shards");
    for (const Json& json : *listed) {
      Shard shard{.id = json.is_object() ? TextMember(json, "ShardId") : "", .parents = {}, .hash_keys = {}};
      if (shard.id.empty()) return Wrong(ErrorCode::kUnavailable, "a shard without an id");
      for (const char* const name : {"ParentShardId", "AdjacentParentShardId"}) {
        if (std::string parent = TextMember(json, name); !parent.empty())
          shard.parents.push_back(std::move(parent));
      }
      if (const auto range = json.find("HashKeyRange"); range != json.end() && range->is_object())
        shard.hash_keys = {TextMember(*range, "StartingHashKey"), TextMember(*range, "EndingHashKey")};
      ranges_.insert_or_assign(shard.id, shard.hash_keys);
      shards.push_back(std::move(shard));
    }
    const std::string next = TextMember(answer.json, "NextToken");
    if (next.empty()) return shards;
    request = Json{{"NextToken", next}};
  }
  return Wrong(ErrorCode::kUnavailable, "the list of its shards has no end");
}

Result<std::string> KinesisApi::Made() {
  TM_ASSIGN(const Answer answer, Call("DescribeStreamSummary", Json{{"StreamName", stream_}}));
  if (answer.state != CallState::kDone)
    return Wrong(ErrorCode::kUnavailable, "when it was made was asked for too often: it is asked for again");
  if (!answer.wrong.empty()) return Wrong(ErrorCode::kInvalidArgument, answer.wrong);
  const auto summary = answer.json.find("StreamDescriptionSummary");
  if (summary == answer.json.end() || !summary->is_object())
    return Wrong(ErrorCode::kUnavailable, "an answer without its summary");
  const auto made = summary->find("StreamCreationTimestamp");
  if (made == summary->end() || !made->is_number()) return std::string();
  constexpr double kMsPerSecond = 1e3;
  return std::to_string(std::llround(made->get<double>() * kMsPerSecond));
}

Result<ShardIterator> KinesisApi::IteratorAt(const std::string& shard, const StreamStart& start) {
  Json request{{"StreamName", stream_}, {"ShardId", shard}};
  switch (start.kind) {
    case StreamStart::Kind::kEarliest:
      request["ShardIteratorType"] = "TRIM_HORIZON";
      break;
    case StreamStart::Kind::kLatest:
      request["ShardIteratorType"] = "LATEST";
      break;
    case StreamStart::Kind::kAt:
      request["ShardIteratorType"] = "AT_SEQUENCE_NUMBER";
      request["StartingSequenceNumber"] = start.at.whole().text();
      break;
    case StreamStart::Kind::kAfter:
      request["ShardIteratorType"] = start.at.place() ? "AT_SEQUENCE_NUMBER" : "AFTER_SEQUENCE_NUMBER";
      request["StartingSequenceNumber"] = start.at.whole().text();
      break;
  }
  TM_ASSIGN(const Answer answer, Call("GetShardIterator", request));
  if (!answer.wrong.empty()) {
    return Wrong(ErrorCode::kInvalidData,
                 fmt::format("partition {}: it cannot be read from {} on, up to which it was read: {}; see "
                             "'messages that are gone' in docs/streams.md",
                             shard, start.at.text(), answer.wrong));
  }
  ShardIterator iterator{.state = answer.state, .text = {}};
  if (answer.state == CallState::kDone) iterator.text = TextMember(answer.json, "ShardIterator");
  if (answer.state == CallState::kDone && iterator.text.empty())
    return Wrong(ErrorCode::kUnavailable, fmt::format("partition {}: an answer without an iterator", shard));
  return iterator;
}

Result<Record> KinesisApi::RecordOf(const std::string& shard, const Json& json) const {
  Record record;
  const auto arrival = json.find("ApproximateArrivalTimestamp");
  const auto offset = StreamOffset::Parse(TextMember(json, "SequenceNumber"));
  if (!offset || arrival == json.end() || !arrival->is_number() ||
      !DecodeBase64(TextMember(json, "Data"), record.data)) {
    return Wrong(ErrorCode::kUnavailable, fmt::format("partition {}: a record that is none", shard));
  }
  record.offset = *offset;
  record.key = TextMember(json, "PartitionKey");
  constexpr double kUsPerSecond = 1e6;
  record.arrival_us = std::llround(arrival->get<double>() * kUsPerSecond);
  return record;
}

void KinesisApi::AddUnpacked(const std::string& shard, Record record, std::vector<Record>& records) const {
  auto packed = UnpackAggregated(record.data);
  if (!packed) {
    records.push_back(std::move(record));
    return;
  }
  const auto range = ranges_.find(shard);
  for (std::size_t i = 0; i < packed->size(); ++i) {
    PackedRecord& each = (*packed)[i];
    if (range != ranges_.end() && !IsInRange(each, range->second)) continue;
    records.push_back({.offset = record.offset.At(i),
                       .key = std::move(each.key),
                       .data = std::move(each.data),
                       .arrival_us = record.arrival_us});
  }
}

Result<Records> KinesisApi::GetRecords(const std::string& shard, const std::string& iterator,
                                       std::size_t records_max) {
  TM_ASSIGN(const Answer answer, Call("GetRecords", Json{{"ShardIterator", iterator},
                                                         {"Limit", static_cast<std::int64_t>(records_max)}}));
  if (!answer.wrong.empty())
    return Wrong(ErrorCode::kUnavailable, fmt::format("partition {}: {}", shard, answer.wrong));
  Records got{.state = answer.state, .records = {}, .next = {}};
  if (answer.state != CallState::kDone) return got;
  const auto records = answer.json.find("Records");
  if (records == answer.json.end() || !records->is_array())
    return Wrong(ErrorCode::kUnavailable, fmt::format("partition {}: an answer without records", shard));
  for (const Json& json : *records) {
    TM_ASSIGN(auto record, RecordOf(shard, json));
    AddUnpacked(shard, std::move(record), got.records);
  }
  if (std::string next = TextMember(answer.json, "NextShardIterator"); !next.empty())
    got.next = std::move(next);
  const auto behind = answer.json.find("MillisBehindLatest");
  if (behind != answer.json.end() && behind->is_number_integer()) got.behind_ms = behind->get<std::int64_t>();
  return got;
}

}  // namespace tidemark::kinesis
