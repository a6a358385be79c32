// Goal: what sessions that read streams promise, with the real log and files, a stream in memory, and owners
// that come, go and come back: each message is one row, offline and online, or one rejected message.
#include <arrow/array.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <stop_token>
#include <thread>

#include "adapters/messages/message_decoders.h"
#include "adapters/sqlite/sqlite_registry.h"
#include "engine/apply.h"
#include "engine/engine_testing.h"
#include "engine/streams/stream_session.h"
#include "engine/tables/read_rows.h"
#include "store/memory_stream_testing.h"
#include "store/source_testing.h"
#include "wiring/embedded_tables.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr const char* kClicks = R"({
    "entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
    "feature_views": [{
        "name": "clicks", "entities": ["user"], "fields": {"n": "int64"},
        "stream_source": {"type": "kafka", "name": "clicks", "kafka_bootstrap_servers": "nowhere:9092",
                          "topic": "clicks", "message_format": {"type": "json"},
                          "timestamp_field": "event_timestamp", "field_mapping": {"gone": "is_deleted"}}}]})";

class StreamsTest : public testing::Test {
 protected:
  StreamsTest() {
    scene_.Apply(kClicks);
    const Definitions rejected = RejectedDefinitions("clicks").value();
    EXPECT_TRUE(
        Apply(*scene_.shared_registry(), "demo", rejected, {}, scene_.opener(), *scene_.shared_clock()));
    catalog_ = scene_.catalog();
    const auto config = ParseConfig("", folder_.path()).value();
    std::filesystem::create_directories(config.registry_path.parent_path());
    EXPECT_TRUE(OpenSqliteRegistry({.path = config.registry_path.string()}));
    tables_ = Opened();
  }

  std::shared_ptr<EmbeddedTables> Opened() {
    EmbeddedTablesParts parts;
    parts.folder = folder_.path() / kOwnFolder;
    parts.config = ParseConfig("", folder_.path()).value();
    parts.registry = scene_.shared_registry();
    parts.clock = scene_.shared_clock();
    parts.online = [this]() -> Result<std::shared_ptr<OnlineStore>> { return scene_.shared_online(); };
    parts.write_times = [this] { return Result<std::shared_ptr<WriteTimes>>(write_times_); };
    return std::make_shared<EmbeddedTables>(std::move(parts));
  }

  StreamSessionParts Parts() {
    StreamSessionParts parts;
    parts.tables = tables_->Open().value();
    parts.views = [this]() -> Result<StreamViews> {
      TM_ASSIGN(const CatalogView* view, catalog_->View("clicks"));
      TM_ASSIGN(const CatalogView* rejected, catalog_->View("clicks__rejected"));
      return StreamViews{{catalog_, view}, {catalog_, rejected}};
    };
    parts.open = [this](const StreamSource&, const StreamOpening&) -> Result<std::unique_ptr<Stream>> {
      return topic_.Open();
    };
    parts.decoder = MakeMessageDecoder;
    parts.clock = scene_.shared_clock();
    return parts;
  }

  /// Reads to the end, as a process that starts and ends.
  Result<void> Read(double rejected_rate_max = 0.1) {
    StreamSessionOptions options;
    options.until_end = true;
    options.rejected_rate_max = rejected_rate_max;
    options.messages_max = 7;
    return StreamSession(Parts(), options).Run({});
  }
  void MustRead(double rejected_rate_max = 0.1) {
    const auto read = Read(rejected_rate_max);
    ASSERT_TRUE(read) << read.error().ToString();
  }

  const CatalogView& view(const std::string& name = "clicks") const { return *catalog_->View(name).value(); }
  std::int64_t now_us() { return scene_.clock().now_us(); }

  void Add(std::size_t partition, std::int64_t user, std::int64_t n, const std::string& more = {}) {
    AddRaw(partition,
           fmt::format(R"({{"user": {}, "n": {}, "event_timestamp": "2024-05-01T00:00:{:02}Z"{}}})", user, n,
                       n % 60, more));
  }
  void AddRaw(std::size_t partition, const std::optional<std::string>& value,
              const std::optional<std::string>& key = {}) {
    topic_.Add(partition, {.key = key, .value = value, .timestamp_us = now_us(), .offset = 0});
  }

  /// A column of all rows of a table, by the rule's order.
  std::string Column(const std::string& column, const std::string& of = "clicks") {
    const SourceOpeners openers{{}, tables_->Opener({})};
    const auto rows = ReadRows(view(of), openers, {});
    if (!rows) return rows.error().ToString();
    return testing_support::TextOf(*(*rows)->ToTable().ValueOrDie(), column);
  }
  std::string Online(std::int64_t user) {
    arrow::Int64Builder key;
    EXPECT_TRUE(key.Append(user).ok());
    const auto answer = scene_.Online({"clicks:n"}, {key.Finish().ValueOrDie()});
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? testing_support::TextOf(**answer, "n") : "";
  }

  TestFolder folder_;
  Scene scene_;
  MemoryTopic topic_{2};
  std::shared_ptr<WriteTimes> write_times_ = std::make_shared<WriteTimes>();
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<EmbeddedTables> tables_;
};

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

TEST_F(StreamsTest, TooManyThatAreNoRowsStopItBeforeTheyAreWritten) {
  for (int i = 0; i < 200; ++i)
    AddRaw(0, i % 2 == 0 ? "nonsense" : R"({"user": 1, "n": 1, "event_timestamp": "2024-05-01T00:00:00Z"})");
  const auto read = Read(0.4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(read.error().message, HasSubstr("40%"));
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

// An owner that has lost a partition and does not know it yet goes on writing.
TEST_F(StreamsTest, WhatAFormerOwnerWritesLaterCountsNoMore) {
  Add(0, 1, 1);
  MustRead();
  const auto tables = tables_->Open().value();
  const std::string place = "kafka.clicks.0";
  const StreamMarks before = tables->TakeStream(view(), std::vector{place}).value();
  const auto write = [&](const StreamMarks& marks, std::int64_t n) {
    const auto schema =
        arrow::schema({arrow::field("user", arrow::int64()), arrow::field("event_timestamp", kMicros),
                       arrow::field("n", arrow::int64())});
    const auto batch = arrow::RecordBatch::Make(
        schema, 1,
        {arrow::MakeArrayFromScalar(arrow::Int64Scalar(1), 1).ValueOrDie(),
         arrow::MakeArrayFromScalar(arrow::TimestampScalar(now_us(), kMicros), 1).ValueOrDie(),
         arrow::MakeArrayFromScalar(arrow::Int64Scalar(n), 1).ValueOrDie()});
    const auto arrivals = std::static_pointer_cast<arrow::Int64Array>(
        arrow::MakeArrayFromScalar(arrow::Int64Scalar(now_us()), 1).ValueOrDie());
    const CheckedStreamRows checked =
        CheckStreamRows(view(), {.rows = batch, .is_tombstone = {false}, .arrivals = arrivals}).value();
    StreamPart part{place, marks.at(place), 1};
    part.mark.read = StreamOffset(static_cast<std::uint64_t>(n));
    part.mark.fingerprint = "f";
    const auto written = tables->WriteStream(view(), {checked.rows}, {&part, 1});
    ASSERT_TRUE(written) << written.error().ToString();
  };
  write(before, 1);
  const StreamMarks after = tables->TakeStream(view(), std::vector{place}).value();
  EXPECT_EQ(after.at(place).epoch, before.at(place).epoch + 1);
  EXPECT_EQ(after.at(place).read, StreamOffset(1));
  write(before, 2);  // by who has lost it
  EXPECT_EQ(Column("n"), "1, 1");
  EXPECT_EQ(tables->StreamProgress(view())->at(place).read, StreamOffset(1));
  write(after, 3);
  EXPECT_EQ(Column("n"), "1, 1, 3");
  ASSERT_TRUE(tables->Flush(view()));
  ASSERT_TRUE(tables->TrimLogs());
  EXPECT_EQ(Column("n"), "1, 1, 3");
  EXPECT_EQ(tables->StreamProgress(view())->at(place).read, StreamOffset(3));
  EXPECT_EQ(tables->StreamProgress(view())->at(place).epoch, after.at(place).epoch);
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

}  // namespace
}  // namespace tidemark
