// Goal: what sessions that read streams promise, with the real log and files, a stream in memory, and owners
// that come, go and come back: each message is one row, offline and online, or one rejected message.
#include <arrow/array.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "adapters/messages/message_decoders.h"
#include "adapters/sqlite/sqlite_registry.h"
#include "engine/apply.h"
#include "engine/engine_testing.h"
#include "engine/streams/stream_identity.h"
#include "engine/streams/stream_restart.h"
#include "engine/streams/stream_session.h"
#include "engine/tables/read_rows.h"
#include "store/memory_stream_testing.h"
#include "store/source_testing.h"
#include "wiring/embedded_tables.h"
#include "wiring/streams_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

TEST_F(StreamsTest, EachMessageIsOneRowOfflineAndOnline) {
  for (int i = 1; i <= 20; ++i)
    Add(static_cast<std::size_t>(i % 2), 1, i);
  MustRead();
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20");
  EXPECT_EQ(Online(1), "20");
  Add(0, 1, 21);
  MustRead();
  tables_ = Opened();
  EXPECT_THAT(Column("n"), testing::EndsWith("19, 20, 21"));
  EXPECT_EQ(Online(1), "21");
  EXPECT_THAT(Column("api_invocation_time"), Not(HasSubstr("null")));
}

TEST_F(StreamsTest, MessagesThatAreNoRowsAreKeptWithTheReason) {
  Add(0, 1, 1);
  AddRaw(0, "this is no JSON", "k");
  AddRaw(1, R"({"user": 2, "n": "many", "event_timestamp": "2024-05-01T00:00:00Z"})");
  AddRaw(1, R"({"n": 3, "event_timestamp": "2024-05-01T00:00:00Z"})");
  Add(0, 1, 2);
  MustRead();
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2");
  EXPECT_EQ(Column("offset", "clicks__rejected"), R"("0", "1", "1")");
  EXPECT_EQ(Column("partition", "clicks__rejected"), R"("1", "0", "1")");
  EXPECT_THAT(Column("reason", "clicks__rejected"), HasSubstr("user"));
}

TEST_F(StreamsTest, InTheEndItTellsHowManyMessagesAreNoRows) {
  Add(0, 1, 1);
  AddRaw(0, "this is no JSON");
  std::vector<std::string> told;
  const auto read = [&] {
    auto parts = Parts();
    parts.warn = [&](const std::string& what) { told.push_back(what); };
    StreamSessionOptions options;
    options.until_end = true;
    EXPECT_TRUE(StreamSession(std::move(parts), options).Run({}));
  };
  read();
  read();
  EXPECT_THAT(told,
              testing::ElementsAre("1 of the 2 messages that were read are no rows: clicks__rejected has "
                                   "them, each with the reason"));
}

TEST_F(StreamsTest, WhatCannotBeOpenedIsToldWithItsView) {
  auto parts = Parts();
  parts.open = [](const StreamSource&, const StreamOpening&) -> Result<std::unique_ptr<Stream>> {
    return Fail(ErrorCode::kInvalidArgument, "a setting is refused");
  };
  const auto unopened = StreamSession(std::move(parts), {}).Run({});
  EXPECT_EQ(unopened.error().ToString(), "view clicks: a setting is refused");
  parts = Parts();
  parts.decoder = [](const DecoderRequest&) -> Result<std::unique_ptr<MessageDecoder>> {
    return Fail(ErrorCode::kInvalidArgument, "there is no such file");
  };
  const auto undecoded = StreamSession(std::move(parts), {}).Run({});
  EXPECT_EQ(undecoded.error().ToString(), "view clicks: there is no such file");
}

TEST_F(StreamsTest, TooManyThatAreNoRowsStopItBeforeTheyAreWritten) {
  for (int i = 0; i < 200; ++i)
    AddRaw(0, i % 2 == 0 ? "nonsense" : R"({"user": 1, "n": 1, "event_timestamp": "2024-05-01T00:00:00Z"})");
  const auto read = Read(0.4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(read.error().message, HasSubstr("40%"));
  EXPECT_THAT(read.error().message, HasSubstr("--rejected-max"));
  const auto rows = [&] {
    const std::string text = Column("n");
    return std::ranges::count(text, '1');
  };
  EXPECT_LT(rows(), 60);
  MustRead(0.6);
  EXPECT_EQ(rows(), 100);
}

TEST_F(StreamsTest, TombstonesAndFlaggedMessagesAreDeletions) {
  Add(0, 1, 1);
  Add(0, 2, 2);
  Add(0, 3, 3);
  MustRead();
  EXPECT_EQ(Online(1), "1");
  AddRaw(0, std::nullopt, R"({"user": 1})");
  Add(0, 2, 30, R"(, "gone": true)");
  Add(0, 3, 31, R"(, "gone": false)");
  MustRead();
  EXPECT_EQ(Online(1), "null");
  EXPECT_EQ(Online(2), "null");
  EXPECT_EQ(Online(3), "31");
  EXPECT_EQ(Column("is_deleted"), "false, true, false, true, false, false");
}

TEST_F(StreamsTest, LateMessagesEndInTheRightState) {
  Add(0, 1, 30);
  Add(0, 1, 10);
  Add(0, 1, 20, R"(, "gone": true)");  // a deletion that came behind what is newer
  MustRead();
  EXPECT_EQ(Online(1), "30");
  Add(0, 1, 25);
  Add(0, 1, 50, R"(, "gone": true)");
  Add(0, 1, 40);
  MustRead();
  EXPECT_EQ(Online(1), "null");
  EXPECT_EQ(Column("is_deleted"), "false, true, false, false, false, true");
  Add(0, 1, 55);
  MustRead();
  EXPECT_EQ(Online(1), "55");
}

/// Waits before it decodes its second messages until another reader has the partitions.
class HeldUpDecoder final : public MessageDecoder {
 public:
  HeldUpDecoder(std::unique_ptr<MessageDecoder> decoder, std::shared_future<void> taken)
      : decoder_(std::move(decoder)), taken_(std::move(taken)) {}
  Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) override {
    if (std::exchange(has_begun_, true)) taken_.wait();
    return decoder_->Decode(messages);
  }

 private:
  const std::unique_ptr<MessageDecoder> decoder_;
  const std::shared_future<void> taken_;
  bool has_begun_ = false;
};

// It loses its partitions while it reads, and takes them again from where its rows stand.
TEST_F(StreamsTest, AReaderThatWasOutrunBeginsAgainWithWhatTheTableHas) {
  for (int i = 1; i <= 40; ++i)
    Add(static_cast<std::size_t>(i % 2), 1, i);
  auto parts = Parts();
  int joined = 0;
  parts.open = [&](const StreamSource&, const StreamOpening&) -> Result<std::unique_ptr<Stream>> {
    ++joined;
    return topic_.Open();
  };
  std::promise<void> taken;
  parts.decoder = [&, is_taken = taken.get_future().share()](
                      const DecoderRequest& request) -> Result<std::unique_ptr<MessageDecoder>> {
    TM_ASSIGN(auto decoder, MakeMessageDecoder(request));
    return std::make_unique<HeldUpDecoder>(std::move(decoder), is_taken);
  };
  const auto other = Opened();
  when_checked_ = [&] {
    const std::vector<std::string> places{place_, "kafka.clicks.1"};
    EXPECT_TRUE(other->Open().value()->TakeStream(view(), places));
    taken.set_value();
  };
  StreamSessionOptions options;
  options.until_end = true;
  options.messages_max = 3;
  const auto ran = StreamSession(std::move(parts), options).Run({});
  ASSERT_TRUE(ran) << ran.error().ToString();
  EXPECT_EQ(joined, 2);
  EXPECT_EQ(std::ranges::count(Column("n"), ','), 39) << Column("n");
  EXPECT_EQ(Online(1), "40");
}

TEST_F(StreamsTest, AnotherStreamUnderTheSameNameIsNotReadOn) {
  for (int i = 1; i <= 3; ++i)
    Add(0, 1, i);
  MustRead();
  topic_.Clear();
  const auto shorter = Read();
  ASSERT_FALSE(shorter);
  EXPECT_EQ(shorter.error().code, ErrorCode::kInvalidData);
  for (int i = 11; i <= 15; ++i)
    Add(0, 1, i);
  const auto other = Read();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(other.error().message, HasSubstr("made anew"));
  EXPECT_EQ(Column("n"), "1, 2, 3");
}

TEST_F(StreamsTest, MessagesThatWereRemovedUnreadAreNotPassedOver) {
  for (int i = 1; i <= 6; ++i) {
    Add(0, 1, i);
    if (i == 2) MustRead();
  }
  topic_.RemoveBefore(0, 2);  // the one that was read last is gone too, which is no harm
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3, 4, 5, 6");
  Add(0, 1, 7);
  Add(0, 1, 8);
  topic_.RemoveBefore(0, 7);
  const auto read = Read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidData);
}

// Brokers keep the ends of transactions among the messages, and remove them with these.
TEST_F(StreamsTest, WhatIsNoMessageIsPassedAndNotMissed) {
  const auto marks = [&] { return tables_->Open().value()->StreamProgress(view()).value(); };
  const auto lag = [&](const std::string& partition) {
    const StreamMark mark = marks().at(StreamPlace(StreamSourceOf(view()).value(), partition));
    return topic_.Open()->Lags({{partition, mark.reached().value()}}).value();
  };
  Add(0, 1, 1);
  Add(0, 1, 2);
  topic_.AddMarker(0);
  topic_.AddMarker(1);  // of messages that were taken back
  MustRead();
  EXPECT_EQ(marks().at(place_).read, StreamOffset(1));
  EXPECT_EQ(marks().at(place_).passed, StreamOffset(2));
  EXPECT_EQ(lag("0")[0].messages, 0);
  EXPECT_EQ(lag("1")[1].messages, 0);
  topic_.AddMarker(0);
  MustRead();
  EXPECT_EQ(marks().at(place_).passed, StreamOffset(3)) << "though no message came with it";
  topic_.RemoveBefore(0, 4);
  MustRead();
  Add(0, 1, 3);
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3");
  EXPECT_EQ(marks().at(place_).read, StreamOffset(4));
  EXPECT_EQ(marks().at(place_).passed, std::nullopt);
  topic_.AddMarker(0);
  MustRead();
  Add(0, 1, 4);
  topic_.AddMarker(0);
  Add(0, 1, 5);
  topic_.RemoveBefore(0, 8);
  ASSERT_FALSE(Read()) << "a message that was not read is gone with the marker behind it";
  topic_.Clear();
  for (int i = 0; i < 5; ++i)
    Add(0, 1, i);
  ASSERT_FALSE(Read()) << "it ends before what was passed";
}

TEST_F(StreamsTest, WhatWasRejectedForATableThatWasDroppedSaysNothingOfAnother) {
  Add(0, 1, 1);
  AddRaw(0, "no row");
  MustRead();
  ASSERT_TRUE(tables_->Open().value()->Drop(view().id));
  ASSERT_TRUE(Apply(*scene_.shared_registry(), "demo", {}, {.remove = {{ObjectKind::kFeatureView, "clicks"}}},
                    scene_.opener(), *scene_.shared_clock()));
  scene_.Apply(kClicks);
  catalog_ = scene_.catalog();
  topic_.Clear();
  AddRaw(0, "no row of the other");
  Add(0, 1, 2);
  MustRead();
  MustRead();
  EXPECT_EQ(Column("n"), "2");
  EXPECT_EQ(Column("offset", "clicks__rejected"), R"("0", "1")");
}

TEST_F(StreamsTest, TwoReadersShareThePartitions) {
  for (int i = 1; i <= 40; ++i)
    Add(static_cast<std::size_t>(i % 2), 1, i);
  std::stop_source stop;
  StreamSessionOptions options;
  options.messages_max = 3;
  const auto run = [&] {
    // Its own tables and log, as another process has them.
    auto parts = Parts();
    const auto own = Opened();
    parts.tables = own->Open().value();
    RejectionGauge gauge(0.1);
    parts.gauge = &gauge;
    const auto ran = StreamSession(std::move(parts), options).Run(stop.get_token());
    EXPECT_TRUE(ran) << ran.error().ToString();
  };
  {
    const std::jthread first(run);
    const std::jthread second(run);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) {
      const std::string rows = Column("n");
      if (std::ranges::count(rows, ',') >= 39) break;
      std::this_thread::yield();
    }
    stop.request_stop();
  }
  const std::string rows = Column("n");
  EXPECT_EQ(std::ranges::count(rows, ','), 39) << rows;
  EXPECT_EQ(Online(1), "40");
}

TEST_F(StreamsTest, AStreamThatCannotBeReachedIsWaitedFor) {
  Add(0, 1, 1);
  topic_.Fail(Error{ErrorCode::kUnavailable, "no broker", {}});
  std::stop_source stop;
  StreamSessionOptions options;
  options.until_end = true;
  StreamSession session(Parts(), options);
  std::jthread reader([&] {
    const auto ran = session.Run({});
    EXPECT_TRUE(ran) << ran.error().ToString();
  });
  while (session.status().last_error.empty())
    std::this_thread::yield();
  EXPECT_THAT(session.status().last_error, HasSubstr("no broker"));
  topic_.Fail(std::nullopt);
  reader.join();
  EXPECT_EQ(Column("n"), "1");
}

TEST_F(StreamsTest, AnOutageIsToldOnceAndWhenItIsOver) {
  Add(0, 1, 1);
  topic_.Fail(Error{ErrorCode::kUnavailable, "no broker", {}});
  std::mutex mutex;
  std::vector<std::string> told;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return told.size();
  };
  auto parts = Parts();
  parts.warn = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    told.push_back(what);
  };
  StreamSessionOptions options;
  options.until_end = true;
  StreamSession session(std::move(parts), options);
  {
    const std::jthread reader([&] { EXPECT_TRUE(session.Run({})); });
    while (!session.status().unreachable_since_us)
      std::this_thread::yield();
    EXPECT_EQ(count(), 0U) << "what is over soon is not worth a line";
    scene_.clock().set_us(now_us() + 3'000'000);
    while (count() == 0)
      std::this_thread::yield();
    scene_.clock().set_us(now_us() + 4'000'000);
    topic_.Fail(std::nullopt);
  }
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told[0], HasSubstr("no broker"));
  EXPECT_EQ(told[1], "it can be reached again, after 7 seconds");
  EXPECT_EQ(session.status().unreachable_since_us, std::nullopt);
}

TEST_F(StreamsTest, AnOutageEndsARunThatWaitsNoLonger) {
  topic_.Fail(Error{ErrorCode::kUnavailable, "no broker", {}});
  StreamSessionOptions options;
  options.wait_max_us = 0;
  const auto ran = StreamSession(Parts(), options).Run({});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(ran.error().message, HasSubstr("no broker"));
}

TEST_F(StreamsTest, AnInfiniteEventTimeIsNoRow) {
  for (int i = 1; i <= 30; ++i)
    Add(0, 1, i);
  for (const char* const us : {"9223372036854775807", "-9223372036854775808"})
    AddRaw(0, fmt::format(R"({{"user": 2, "n": 1, "event_timestamp": {}}})", us));
  MustRead(1);
  EXPECT_EQ(std::ranges::count(Column("n"), ','), 29);
  EXPECT_THAT(Column("reason", "clicks__rejected"), HasSubstr("beyond what an event time can be"));
}

TEST_F(StreamsTest, AStreamThatWasMadeAnewIsKnownByWhenItWasMade) {
  topic_.Identify({.made = "1", .partitions = {{"0", {}}, {"1", {}}}});
  Add(0, 1, 1);
  MustRead();
  topic_.Clear();
  for (int i = 11; i <= 13; ++i)
    Add(0, 1, i);
  Add(1, 2, 14);  // nothing was read of this one
  topic_.Identify({.made = "2", .partitions = {{"0", {}}, {"1", {}}}});
  for (int i = 0; i < 2; ++i) {  // taking it does not make it the one that was read
    const auto read = Read();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidData);
    EXPECT_THAT(read.error().message, HasSubstr("made anew"));
  }
  EXPECT_EQ(Column("n"), "1");
}

TEST_F(StreamsTest, WhatAStreamIsKnownByIsNotedOnceItIsKnown) {
  Add(0, 1, 1);
  MustRead();  // as earlier versions have left it
  topic_.Identify({.made = "1", .partitions = {}});
  MustRead();
  Add(0, 1, 2);
  MustRead();
  topic_.Identify({.made = "2", .partitions = {}});
  ASSERT_FALSE(Read());
  EXPECT_EQ(Column("n"), "1, 2");
}

TEST_F(StreamsTest, APartitionThatIsGoneWasReadToItsEndOrIsMissed) {
  topic_.Identify({.made = "1", .partitions = {{"0", {}}, {"1", {}}}});
  Add(0, 1, 1);
  Add(1, 1, 2);
  MustRead();
  const auto tables = tables_->Open().value();
  const StreamSource source = StreamSourceOf(view()).value();
  const StreamMarks marks = tables->StreamProgress(view()).value();
  const auto check = [&](std::vector<StreamIdentity::Partition> partitions) {
    const auto same = CheckSameStream(source, marks, {.made = "1", .partitions = std::move(partitions)});
    return same ? "the same" : same.error().message;
  };
  EXPECT_EQ(check({{"0", {}}, {"1", {}}}), "the same");
  EXPECT_EQ(check({{"1", {"0"}}}), "the same");  // whoever reads a successor has read what was before it
  EXPECT_EQ(check({{"1", {}}, {"2", {}}}), "the same");
  EXPECT_THAT(check({{"1", {}}, {"2", {"0"}}}),
              HasSubstr("kafka.clicks.0, which was read up to 0, is there no"));
  EXPECT_THAT(check({{"2", {}}}), HasSubstr("is there no more"));
}

class StreamRestartTest : public StreamsTest {
 protected:
  /// As Store::RestartStream: what it gives up, by partition, or why it cannot be.
  std::string Restart(StreamRestart from, std::vector<std::string> partitions = {}) {
    const auto tables = tables_->Open().value();
    const StreamSource source = StreamSourceOf(view()).value();
    const auto lags = topic_.Open()->Lags({}).value();
    const auto planned = PlanRestart(source, tables->StreamProgress(view()).value(), lags,
                                     {.from = from, .partitions = std::move(partitions)});
    if (!planned) return planned.error().ToString();
    std::string told;
    for (const PartitionRestart& restart : *planned) {
      const std::vector<std::string> places{restart.place};
      EXPECT_TRUE(tables->TakeStream(view("clicks__rejected"), places, {{restart.place, {}}}));
      EXPECT_TRUE(tables->TakeStream(view(), places, {{restart.place, restart.mark}}));
      told += restart.partition + ": " + restart.gives_up + "; ";
    }
    return told;
  }
};

TEST_F(StreamRestartTest, AStreamThatWasMadeAnewIsReadFromItsBeginning) {
  for (int i = 1; i <= 3; ++i)
    Add(0, 1, i);
  AddRaw(0, "no row");
  MustRead();
  topic_.Clear();
  for (int i = 11; i <= 16; ++i)
    Add(0, 1, i);
  AddRaw(0, "no row either");
  ASSERT_FALSE(Read());
  EXPECT_THAT(Restart(StreamRestart::kEarliest), HasSubstr("0: read from the first message"));
  MustRead();
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3, 11, 12, 13, 14, 15, 16");
  EXPECT_EQ(Column("offset", "clicks__rejected"), R"("3", "6")");
}

TEST_F(StreamRestartTest, OneThatIsKnownByWhenItWasMadeLikewise) {
  topic_.Identify({.made = "1", .partitions = {{"0", {}}, {"1", {}}}});
  Add(0, 1, 1);
  MustRead();
  topic_.Clear();
  Add(0, 1, 11);
  topic_.Identify({.made = "2", .partitions = {{"0", {}}, {"1", {}}}});
  ASSERT_FALSE(Read());
  EXPECT_THAT(Restart(StreamRestart::kEarliest), HasSubstr("0: read from the first message"));
  MustRead();
  MustRead();
  EXPECT_EQ(Column("n"), "1, 11");
}

TEST_F(StreamRestartTest, ReadingContinuesBehindWhatIsLost) {
  for (int i = 1; i <= 6; ++i) {
    Add(0, 1, i);
    if (i == 2) MustRead();
  }
  topic_.RemoveBefore(0, 4);
  ASSERT_FALSE(Read());
  EXPECT_THAT(Restart(StreamRestart::kContinue), HasSubstr("messages behind offset 1 and before 4"));
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 5, 6");
  topic_.Clear();
  EXPECT_THAT(Restart(StreamRestart::kContinue), HasSubstr("nothing to continue with"));
}

TEST_F(StreamRestartTest, WhatIsThereCanBeLeftOut) {
  for (int i = 1; i <= 3; ++i) {
    Add(0, 1, i);
    Add(1, 1, i + 10);
  }
  EXPECT_THAT(Restart(StreamRestart::kLatest, {"2"}), HasSubstr("it has 0, 1"));
  EXPECT_EQ(Restart(StreamRestart::kLatest, {"1"}), "1: messages before offset 3 are never read; ");
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3");
  Add(1, 1, 14);
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3, 14");
  EXPECT_THAT(Restart(StreamRestart::kContinue, {"1"}), HasSubstr("is not asked"));
  Add(1, 1, 15);
  MustRead();
  EXPECT_EQ(Column("n"), "1, 2, 3, 14, 15");
}

class StreamViewsTest : public StreamsTest {
 protected:
  /// The view of above with other members.
  void Define(const std::string& members) {
    scene_.Apply(R"({"entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
        "feature_views": [{"name": "clicks", "entities": ["user"], "fields": {"n": "int64"}, )" +
                 members + R"(, "stream_source": {"type": "kafka", "name": "clicks",
        "kafka_bootstrap_servers": "nowhere:9092", "topic": "clicks", "message_format": {"type": "json"},
        "field_mapping": {"gone": "is_deleted", "until": "expires_at"}}}]})");
    catalog_ = scene_.catalog();
  }
  void AddJson(const std::string& members) { AddRaw(0, "{" + members + "}"); }
};

TEST_F(StreamViewsTest, MessagesMaySayWhenTheirRowsExpire) {
  std::int64_t first = 1;
  for (const char* const members :
       {R"("description": "as they come")", R"("transformation": {"filter": "n < 1000"})"}) {
    Define(members);
    const auto add = [&](std::int64_t user, const std::string& rest) {
      AddJson(fmt::format(R"("user": {0}, "n": {0}, "event_timestamp": "2024-05-01T00:00:00Z", {1})", user,
                          rest));
    };
    add(first, R"("until": "2024-05-01T00:00:01Z")");
    add(first + 1, R"("until": "2262-01-01T00:00:00Z")");
    add(first + 2, R"("until": null)");
    add(first + 3, R"("until": "soon")");
    add(first + 4, R"("gone": true)");
    MustRead();
    EXPECT_EQ(Online(first), "null");
    EXPECT_EQ(Online(first + 1), std::to_string(first + 1));
    EXPECT_EQ(Online(first + 2), std::to_string(first + 2));
    EXPECT_EQ(Online(first + 3), "null");
    EXPECT_EQ(Online(first + 4), "null");
    first += 5;
  }
  EXPECT_EQ(Column("n"), "1, 2, 3, null, 6, 7, 8, null");
}

TEST_F(StreamViewsTest, ExpressionsMakeRowsOfMessages) {
  Define(R"j("transformation": {"inputs": {"price": "float64", "qty": "int64", "sent": "string"},
      "expressions": {"n": "CAST(price * qty AS int64)", "event_timestamp": "CAST(sent AS timestamp)"},
      "filter": "qty > 0 AND n < 1000"})j");
  AddJson(R"("user": 1, "price": 2.5, "qty": 4, "sent": "2024-05-01 00:00:10")");
  AddJson(R"("user": 1, "price": 2.5, "qty": 0, "sent": "2024-05-01 00:00:20")");
  AddJson(R"("user": 1, "price": 2.5, "sent": "2024-05-01 00:00:20")");
  AddJson(R"("user": 2, "price": 300, "qty": 4, "sent": "2024-05-01 00:00:20")");
  AddJson(R"("user": 2, "price": 3, "qty": 4, "sent": "2024-05-01 00:00:05")");
  StreamSessionOptions options;
  options.until_end = true;
  StreamSession session(Parts(), options);
  const auto ran = session.Run({});
  ASSERT_TRUE(ran) << ran.error().ToString();
  MustRead();
  EXPECT_EQ(Column("n"), "10, 12");
  EXPECT_EQ(Online(1), "10");
  EXPECT_EQ(session.status().messages, 5);
  EXPECT_EQ(session.status().rows, 2);
  EXPECT_EQ(session.status().filtered, 3);
  EXPECT_EQ(session.status().rejected, 0);
  // Late: the row counts, and is not the newest.
  AddJson(R"("user": 1, "price": 1, "qty": 7, "sent": "2024-05-01 00:00:01")");
  MustRead();
  EXPECT_EQ(Column("n"), "7, 10, 12");
  EXPECT_EQ(Online(1), "10");
}

TEST_F(StreamViewsTest, ARowThatCannotBeComputedIsRejectedAlone) {
  Define(
      R"j("transformation": {"inputs": {"text": "string"}, "expressions": {"n": "CAST(text AS int64)"}})j");
  for (int i = 0; i < 20; ++i) {
    AddJson(fmt::format(R"("user": {}, "text": "{}", "event_timestamp": "2024-05-01T00:00:{:02}Z")", i,
                        i == 13 ? "many" : std::to_string(i), i));
  }
  MustRead();
  EXPECT_EQ(Column("n"), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19");
  EXPECT_EQ(Column("offset", "clicks__rejected"), R"("13")");
  EXPECT_THAT(Column("reason", "clicks__rejected"), testing::StartsWith("\"expression of n: "));
  EXPECT_THAT(Column("reason", "clicks__rejected"), HasSubstr("many"));
}

TEST_F(StreamViewsTest, DeletionsPassTheFilter) {
  Define(R"j("transformation": {"filter": "n > 5", "inputs": {"sent": "string"},
      "expressions": {"event_timestamp": "CAST(sent AS timestamp)"}})j");
  for (int user = 1; user <= 3; ++user)
    AddJson(fmt::format(R"("user": {}, "n": 9, "sent": "2024-05-01 00:00:10")", user));
  MustRead();
  EXPECT_EQ(Online(1), "9");
  AddRaw(0, std::nullopt, R"({"user": 1})");
  AddJson(R"("user": 2, "gone": true, "sent": "2024-05-01 00:00:11")");
  AddJson(R"("user": 3, "gone": true, "sent": "2024-05-01 00:00:09")");
  MustRead();
  EXPECT_EQ(Online(1), "null");
  EXPECT_EQ(Online(2), "null");
  EXPECT_EQ(Online(3), "9") << "it was deleted before it came";
}

TEST_F(StreamViewsTest, NowIsWhenTheBrokerGotTheMessage) {
  Define(R"j("transformation": {"expressions": {"event_timestamp": "now()"}})j");
  const std::int64_t sent_us = now_us();
  AddJson(R"("user": 1, "n": 1)");
  scene_.clock().set_us(sent_us + 60'000'000);
  MustRead();
  EXPECT_EQ(Column("event_timestamp"), Column("api_invocation_time"));
  EXPECT_THAT(Column("event_timestamp"), HasSubstr(FormatTimestampUs(sent_us).substr(11, 8)));
}

/// A view with a batch source, whose stream comes online only.
class StreamBesideFilesTest : public StreamsTest {
 protected:
  StreamBesideFilesTest() {
    scene_.source("history.parquet") = {
        {.path = "history.parquet",
         .rows = BatchOf({{"user", arrow::int64(), "[1, 2]"},
                          {"at", kMicros, R"(["2024-05-01 00:00:30", "2024-05-01 00:00:30"])"},
                          {"n", arrow::int64(), "[30, 30]"}})}};
    scene_.Apply(R"({"entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
        "feature_views": [{"name": "views", "entities": ["user"], "fields": {"n": "int64"},
        "source": {"path": "history.parquet", "timestamp_field": "at"},
        "stream_source": {"type": "kafka", "name": "views", "kafka_bootstrap_servers": "nowhere:9092",
        "topic": "views", "message_format": {"type": "json"}, "timestamp_field": "event_timestamp"}}]})");
    EXPECT_TRUE(Apply(*scene_.shared_registry(), "demo", RejectedDefinitions("views").value(), {},
                      scene_.opener(), *scene_.shared_clock()));
    catalog_ = scene_.catalog();
    name_ = rejected_name_ = "views";
  }
};

TEST_F(StreamBesideFilesTest, RowsComeOnlineAndProgressIsKept) {
  ASSERT_TRUE(scene_.Load("views"));
  Add(0, 1, 20);
  Add(0, 2, 40);
  AddRaw(1, "no row");
  AddRaw(1, R"({"user": 2, "n": 1, "event_timestamp": "2034-05-01T00:00:00Z"})");
  Add(1, 1, 31);
  MustRead();
  EXPECT_EQ(Online(1), "31") << "the newest wins, wherever it came from";
  EXPECT_EQ(Online(2), "40");
  EXPECT_EQ(Column("offset", "views__rejected"), R"("0", "1")");
  EXPECT_THAT(Column("reason", "views__rejected"), HasSubstr("ahead of the clock"));
  EXPECT_EQ(Column("n", "views"), "30, 30") << "the batch source is what it was";
  const auto marks = [&] { return tables_->Open().value()->StreamProgress(view("views__rejected")).value(); };
  EXPECT_EQ(marks().at("kafka.views.0").read, StreamOffset(1));
  EXPECT_EQ(marks().at("kafka.views.1").read, StreamOffset(2));
  MustRead();
  Add(0, 1, 35);
  MustRead();
  EXPECT_EQ(Online(1), "35");
  EXPECT_EQ(Column("offset", "views__rejected"), R"("0", "1")") << "each once";
  EXPECT_EQ(marks().at("kafka.views.0").read, StreamOffset(2));
  topic_.Clear();
  const auto read = Read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidData);
}

TEST_F(StreamBesideFilesTest, WhatIsNoMessageIsPassed) {
  ASSERT_TRUE(scene_.Load("views"));
  Add(0, 1, 20);
  topic_.AddMarker(0);
  MustRead();
  topic_.AddMarker(0);
  MustRead();
  const auto marks = tables_->Open().value()->StreamProgress(view("views__rejected")).value();
  EXPECT_EQ(marks.at("kafka.views.0").read, StreamOffset(0));
  EXPECT_EQ(marks.at("kafka.views.0").passed, StreamOffset(2));
  topic_.RemoveBefore(0, 3);
  Add(0, 1, 30);
  MustRead();
  EXPECT_EQ(Online(1), "30");
}

// Their table is that of rejected messages, which says whose the partition is.
TEST_F(StreamBesideFilesTest, RowsOfAFormerOwnerDoNotComeOnline) {
  const auto tables = tables_->Open().value();
  const CatalogView& marks_table = view("views__rejected");
  const std::string place = "kafka.views.0";
  const StreamMarks before = tables->TakeStream(marks_table, std::vector{place}).value();
  const auto prepare = [&](const StreamMarks& marks) {
    const StreamPart part{place, marks.at(place), 1};
    return tables->PrepareStream(view("views"), {OneRow(1)}, {&part, 1}, marks_table.id).value();
  };
  ASSERT_TRUE(tables->CheckStream(*prepare(before)));
  const StreamMarks after = tables->TakeStream(marks_table, std::vector{place}).value();
  EXPECT_FALSE(tables->CheckStream(*prepare(before)));
  EXPECT_TRUE(tables->CheckStream(*prepare(after)));
}

// A reader that dies after the rows and before what says that they were read leaves them to be read again.
TEST_F(StreamBesideFilesTest, RowsThatAreReadAgainChangeNothing) {
  for (const int n : {10, 40, 20, 100, 39}) {  // 40 and 100 are of one moment: the later one counts
    Add(0, 1, n);
    Add(0, 2, n);
  }
  AddRaw(0, std::nullopt, R"({"user": 2})");
  MustRead();
  EXPECT_EQ(Online(1), "100");
  EXPECT_EQ(Online(2), "null");
  EXPECT_TRUE(Apply(*scene_.shared_registry(), "demo", RejectedDefinitions("other").value(), {},
                    scene_.opener(), *scene_.shared_clock()));
  catalog_ = scene_.catalog();
  rejected_name_ = "other";  // which knows of nothing that was read
  MustRead();
  EXPECT_EQ(Online(1), "100");
  EXPECT_EQ(Online(2), "null");
}

}  // namespace
}  // namespace tidemark
