// Goal: shards are read as any stream's partitions; what came of a split is read behind what was split; calls
// that are too many are made later; what is gone is told.
#include "adapters/kinesis/kinesis_stream.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/kinesis/fake_kinesis_testing.h"
#include "store/stream_testing.h"

namespace tidemark {
namespace {

using kinesis::FakeKinesis;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing_support::StreamConformance;

constexpr KinesisPacing kAtOnce{.between_calls_us = 0, .backoff_max_us = 10'000, .between_shares_us = 0};

class FakeTopic final : public testing_support::TestTopic {
 public:
  FakeTopic() {
    fake_.AddShard("0");
    fake_.AddShard("1");
  }
  void Add(int partition, const std::string& key, const std::optional<std::string>& value) override {
    fake_.Add(std::to_string(partition), key, value.value_or(""));
  }
  std::unique_ptr<Stream> Open(const std::string& group) override {
    return *OpenKinesisStream(fake_.source(), {.group = group}, kAtOnce);
  }

 private:
  FakeKinesis fake_;
};

INSTANTIATE_TEST_SUITE_P(Kinesis, StreamConformance,
                         testing::Values(testing_support::StreamUnderTest{
                             "kinesis", [] { return std::make_unique<FakeTopic>(); }, false}),
                         testing_support::StreamName);

/// What happens to a reader, in its order: `+shard`, `shard:data`, `$shard` (its end), `-shard`.
struct KinesisReader {
  explicit KinesisReader(const FakeKinesis& fake, const std::string& lease_file = {},
                         const KinesisPacing& pacing = kAtOnce)
      : stream(*OpenKinesisStream(fake.source(), {.group = "g", .lease_file = lease_file}, pacing)) {
    handlers.assigned = [this](std::span<const std::string> shards) -> Result<std::vector<StreamStart>> {
      std::vector<StreamStart> answer;
      for (const std::string& shard : shards) {
        events.push_back("+" + shard);
        answer.push_back(starts[shard]);
      }
      return answer;
    };
    handlers.revoked = [this](std::span<const std::string> shards, bool /*is_lost*/) -> Result<void> {
      for (const std::string& shard : shards)
        events.push_back("-" + shard);
      return {};
    };
  }

  Result<void> Poll(std::size_t messages_max = 100) {
    TM_ASSIGN(const auto polled, stream->Poll({.messages_max = messages_max, .wait_us = 0}, handlers));
    std::size_t at = 0;
    for (const auto& run : polled.runs) {
      for (std::size_t i = 0; i < run.count; ++i) {
        const auto value = polled.messages[at++].value;
        events.push_back(run.partition + ":" +
                         std::string(reinterpret_cast<const char*>(value.data()), value.size()));
      }
    }
    for (const auto& shard : polled.at_end)
      events.push_back("$" + shard.partition);
    return {};
  }
  std::string PollError() {
    const auto polled = Poll();
    return polled ? "none" : std::string(Describe(polled.error().code).name) + " " + polled.error().message;
  }

  std::unique_ptr<Stream> stream;
  StreamHandlers handlers;
  std::map<std::string, StreamStart> starts;
  std::vector<std::string> events;
};

TEST(KinesisStream, ChildrenComeBehindTheirParents) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.AddShard("b");
  fake.AddShard("a1", {"a"});
  fake.AddShard("a2", {"a"});
  fake.AddShard("m", {"a2", "b"});
  for (const char* const shard : {"a", "b", "a1", "a2", "m"})
    fake.Add(shard, "k", std::string(shard) + "-data");
  for (const char* const shard : {"a", "b", "a2"})
    fake.CloseShard(shard);
  KinesisReader reader(fake);
  for (int i = 0; i < 4; ++i)
    ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+a", "+b", "a:a-data", "b:b-data",                           //
                                         "+a1", "+a2", "a1:a1-data", "a2:a2-data", "$a", "$a1", "$b",  //
                                         "+m", "m:m-data", "$a2", "$m"));
  ASSERT_TRUE(reader.stream->Close(reader.handlers));
  EXPECT_THAT(reader.events, Contains("-a"));
  EXPECT_THAT(reader.events, Contains("-m"));
}

TEST(KinesisStream, AParentThatIsGoneIsNotWaitedFor) {
  FakeKinesis fake;
  fake.AddShard("child", {"long gone"});
  fake.Add("child", "k", "v");
  KinesisReader reader(fake);
  ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+child", "child:v", "$child"));
}

TEST(KinesisStream, ASplitWhileItIsRead) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.Add("a", "k", "1");
  KinesisReader reader(fake);
  ASSERT_TRUE(reader.Poll());
  fake.Add("a", "k", "2");
  fake.AddShard("b", {"a"});
  fake.Add("b", "k", "3");
  fake.CloseShard("a");
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+a", "a:1", "$a", "a:2", "+b", "b:3", "$a", "$b"));
}

TEST(KinesisStream, IsIdentifiedByWhenItWasMadeAndItsShards) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.AddShard("b", {"a"});
  const auto stream = *OpenKinesisStream(fake.source(), {.group = "g"}, kAtOnce);
  const auto identity = stream->Identify();
  ASSERT_TRUE(identity) << identity.error().ToString();
  EXPECT_EQ(identity->made, "1700000000125");
  ASSERT_EQ(identity->partitions.size(), 2U);
  EXPECT_EQ(identity->partitions[1].id, "b");
  EXPECT_THAT(identity->partitions[1].parents, ElementsAre("a"));
}

TEST(KinesisStream, OneThatIsMadeAnewWhileItIsReadIsToldOnceItWasIdentified) {
  for (const bool is_iterator_over : {false, true}) {
    FakeKinesis fake;
    fake.AddShard("a");
    fake.Add("a", "k", "1");
    KinesisPacing pacing = kAtOnce;
    if (!is_iterator_over) pacing.between_looks_us = 0;
    KinesisReader reader(fake, "", pacing);
    ASSERT_TRUE(reader.stream->Identify());
    ASSERT_TRUE(reader.Poll());
    fake.MakeAnew("a");
    fake.Add("a", "k", "another's");
    if (is_iterator_over) {
      fake.AnswerNext("GetRecords", {.status = 400, .body = R"({"__type": "ExpiredIteratorException"})"});
      ASSERT_TRUE(reader.Poll());
    }
    EXPECT_THAT(reader.PollError(), AllOf(HasSubstr("INVALID_DATA"), HasSubstr("made anew")));
    EXPECT_THAT(reader.events, Not(Contains("a:another's")));
  }
}

TEST(KinesisStream, ItsEndIsToldOnce) {
  FakeKinesis fake;
  fake.AddShard("a");
  KinesisReader reader(fake);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(reader.Poll());
  fake.Add("a", "k", "1");
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+a", "$a", "a:1", "$a"));
}

TEST(KinesisStream, CallsThatAreTooManyAreMadeLater) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.Add("a", "k", "1");
  const http::TestAnswer too_many{.status = 400,
                                  .body = R"({"__type": "ProvisionedThroughputExceededException"})"};
  fake.AnswerNext("GetShardIterator", too_many);
  fake.AnswerNext("GetRecords", too_many);
  fake.AnswerNext("GetRecords", too_many);
  KinesisReader reader(fake);
  PolledMessages polled;
  while (polled.messages.empty()) {
    auto got = reader.stream->Poll({}, reader.handlers);
    ASSERT_TRUE(got) << got.error().ToString();
    polled = *std::move(got);
  }
  EXPECT_THAT(fake.calls(), ElementsAre("ListShards", "GetShardIterator", "GetShardIterator", "GetRecords",
                                        "GetRecords", "GetRecords"));
}

TEST(KinesisStream, AnIteratorThatExpiredIsMadeAnew) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.Add("a", "k", "1");
  KinesisReader reader(fake);
  ASSERT_TRUE(reader.Poll());
  fake.AnswerNext("GetRecords", {.status = 400, .body = R"({"__type": "x#ExpiredIteratorException"})"});
  fake.Add("a", "k", "2");
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+a", "a:1", "$a", "a:2", "$a"));
}

TEST(KinesisStream, WhatIsGoneIsTold) {
  FakeKinesis fake;
  fake.AddShard("a");
  const std::string first = fake.Add("a", "k", "1");
  fake.Add("a", "k", "2");
  KinesisReader there(fake);
  there.starts["a"] = {.kind = StreamStart::Kind::kAt, .at = *StreamOffset::Parse(first)};
  ASSERT_TRUE(there.Poll());
  EXPECT_THAT(there.events, ElementsAre("+a", "a:1", "a:2", "$a"));
  fake.Trim("a", 1);
  KinesisReader gone(fake);
  gone.starts["a"] = {.kind = StreamStart::Kind::kAt, .at = *StreamOffset::Parse(first)};
  EXPECT_THAT(gone.PollError(),
              AllOf(HasSubstr("INVALID_DATA Kinesis stream 'clicks', partition a: the record " + first),
                    HasSubstr("docs/streams.md")));
}

TEST(KinesisStream, ErrorsAreToldAsTheyAre) {
  FakeKinesis fake;
  fake.AddShard("a");
  KinesisReader reader(fake);
  const auto answered = [&](int status, std::string body) {
    fake.AnswerNext("ListShards", {.status = status, .body = std::move(body)});
    return reader.PollError();
  };
  EXPECT_THAT(answered(400, R"({"__type": "ResourceNotFoundException", "message": "none"})"),
              HasSubstr("NOT_FOUND Kinesis stream 'clicks': there is none in region eu-west-1"));
  EXPECT_THAT(answered(400, R"({"__type": "AccessDeniedException", "message": "no"})"),
              HasSubstr("PERMISSION_DENIED Kinesis stream 'clicks': ListShards is refused"));
  EXPECT_THAT(answered(500, R"({"__type": "InternalFailure"})"),
              HasSubstr("UNAVAILABLE Kinesis stream 'clicks'"));
  EXPECT_THAT(answered(200, "no JSON"), HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(answered(400, R"({"__type": "LimitExceededException"})"), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(reader.PollError(), "none");
  for (const std::string& request : fake.requests())
    EXPECT_THAT(request, AllOf(HasSubstr("Credential=AKID/"), Not(HasSubstr("hunter2"))));
}

TEST(KinesisStream, RecordsThatWerePutTogetherAreMessagesEach) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.Add("a", "k", "before");
  const std::string number = fake.Add("a", "k", kinesis::Aggregated({{"x", "1"}, {"y", "2"}, {"x", ""}}));
  fake.Add("a", "k", "after");
  KinesisReader reader(fake);
  ASSERT_TRUE(reader.Poll(2));  // the end of a poll may be in between
  ASSERT_TRUE(reader.Poll());
  EXPECT_THAT(reader.events, ElementsAre("+a", "a:before", "a:1", "a:2", "a:", "a:after", "$a"));
  KinesisReader at(fake);
  at.starts["a"] = {.kind = StreamStart::Kind::kAt, .at = *StreamOffset::Parse(number + ".1")};
  ASSERT_TRUE(at.Poll());
  EXPECT_THAT(at.events, ElementsAre("+a", "a:2", "a:", "a:after", "$a"));
  KinesisReader after(fake);
  after.starts["a"] = {.kind = StreamStart::Kind::kAfter, .at = *StreamOffset::Parse(number + ".2")};
  ASSERT_TRUE(after.Poll());
  EXPECT_THAT(after.events, ElementsAre("+a", "a:after", "$a"));
  const auto lags = after.stream->Lags({{"a", *StreamOffset::Parse(number + ".0")}});
  ASSERT_TRUE(lags) << lags.error().ToString();
  EXPECT_GT((*lags)[0].behind_us, 0);
  fake.Trim("a", 2);
  KinesisReader gone(fake);
  gone.starts["a"] = {.kind = StreamStart::Kind::kAt, .at = *StreamOffset::Parse(number + ".1")};
  EXPECT_THAT(gone.PollError(), HasSubstr("INVALID_DATA"));
}

TEST(KinesisStream, LoginsThatAreOverAreReadAgain) {
  FakeKinesis fake;
  fake.AddShard("a");
  KinesisReader reader(fake);
  fake.AnswerNext("ListShards", {.status = 400, .body = R"({"__type": "ExpiredTokenException"})"});
  setenv("AWS_ACCESS_KEY_ID", "NEWER", 1);
  EXPECT_EQ(reader.PollError(), "none");
  EXPECT_THAT(fake.requests().at(1), HasSubstr("Credential=NEWER/"));
}

TEST(KinesisStream, LagsTellHowOldTheNextRecordIs) {
  FakeKinesis fake;
  fake.AddShard("a");
  fake.AddShard("b");
  const std::string last = fake.Add("a", "k", "1");
  KinesisReader reader(fake);
  const auto none = reader.stream->Lags({});
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_GT((*none)[0].behind_us, 0);
  EXPECT_EQ((*none)[1].behind_us, 0);
  const auto all = reader.stream->Lags({{"a", *StreamOffset::Parse(last)}});
  ASSERT_TRUE(all) << all.error().ToString();
  EXPECT_EQ((*all)[0].behind_us, 0);
  EXPECT_THAT(reader.events, ElementsAre());
}

TEST(KinesisStream, ReadersOfOneMachineShareTheShards) {
  const auto file = std::filesystem::temp_directory_path() / ("tidemark-shards-" + std::to_string(getpid()));
  FakeKinesis fake;
  for (const char* const shard : {"a", "b", "c"})
    fake.AddShard(shard);
  KinesisReader first(fake, file);
  ASSERT_TRUE(first.Poll());
  EXPECT_THAT(first.events, ElementsAre("+a", "+b", "+c", "$a", "$b", "$c"));
  auto second = std::make_unique<KinesisReader>(fake, file);
  ASSERT_TRUE(second->Poll());
  EXPECT_THAT(second->events, ElementsAre());
  ASSERT_TRUE(first.Poll());
  EXPECT_EQ(first.events.back(), "-c");
  ASSERT_TRUE(second->Poll());
  EXPECT_THAT(second->events, ElementsAre("+c", "$c"));
  // What came of a shard that the other reads waits for it.
  fake.Add("c", "k", "1");
  fake.AddShard("d", {"c"});
  fake.Add("d", "k", "2");
  fake.CloseShard("c");
  first.events.clear();
  ASSERT_TRUE(first.Poll());
  EXPECT_THAT(first.events, ElementsAre());
  ASSERT_TRUE(second->Poll());
  EXPECT_EQ(second->events.back(), "c:1");
  ASSERT_TRUE(first.Poll());
  EXPECT_THAT(first.events, ElementsAre()) << "it may not be written yet";
  ASSERT_TRUE(second->Poll());
  EXPECT_THAT(second->events, Contains("+d"));
  EXPECT_THAT(second->events, Contains("$c"));
  // One that goes leaves its shards to the others.
  second.reset();
  first.starts["c"] = {.kind = StreamStart::Kind::kEarliest};
  ASSERT_TRUE(first.Poll());
  EXPECT_THAT(first.events, testing::IsSupersetOf({"+c", "c:1"}));
  ASSERT_TRUE(first.Poll());
  EXPECT_THAT(first.events, testing::IsSupersetOf({"+d", "d:2"}));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace tidemark
