// A view over a stream in memory, with the real log and files, for tests of sessions and of their frames.
#pragma once

#include <arrow/array.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
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

namespace tidemark::testing_support {

inline constexpr const char* kClicks = R"({
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
    parts.flush_bytes = flush_bytes_;
    parts.at_erase_step = [this](std::string_view step) {
      if (step != "stream-checked") return;
      if (const auto once = std::exchange(when_checked_, nullptr)) once();
    };
    return std::make_shared<EmbeddedTables>(std::move(parts));
  }

  StreamSessionParts Parts() {
    StreamSessionParts parts;
    parts.tables = tables_->Open().value();
    parts.views = [this]() -> Result<StreamViews> {
      TM_ASSIGN(const CatalogView* view, catalog_->View(name_));
      TM_ASSIGN(const CatalogView* rejected, catalog_->View(RejectedViewName(rejected_name_)));
      return StreamViews{{catalog_, view}, {catalog_, rejected}};
    };
    parts.open = [this](const StreamSource&, const StreamOpening&) -> Result<std::unique_ptr<Stream>> {
      return topic_.Open();
    };
    parts.decoder = MakeMessageDecoder;
    parts.clock = scene_.shared_clock();
    parts.gauge = &gauge_;
    return parts;
  }

  /// Reads to the end, as a process that starts and ends.
  Result<void> Read(double rejected_rate_max = 0.1) {
    RejectionGauge gauge(rejected_rate_max);
    auto parts = Parts();
    parts.gauge = &gauge;
    StreamSessionOptions options;
    options.until_end = true;
    options.messages_max = 7;
    return StreamSession(std::move(parts), options).Run({});
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
    const SourceOpeners openers{scene_.opener(), tables_->Opener({})};
    const auto rows = ReadRows(view(of), openers, {});
    if (!rows) return rows.error().ToString();
    return testing_support::TextOf(*(*rows)->ToTable().ValueOrDie(), column);
  }
  std::string Online(std::int64_t user) {
    arrow::Int64Builder key;
    EXPECT_TRUE(key.Append(user).ok());
    const auto answer = scene_.Online({name_ + ":n"}, {key.Finish().ValueOrDie()});
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? testing_support::TextOf(**answer, "n") : "";
  }

  /// A row of user 1, as a session has it when it has read the message.
  TableRows OneRow(std::int64_t n) {
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
    return CheckStreamRows(view(), {.rows = batch, .is_tombstone = {false}, .arrivals = arrivals})->rows;
  }
  /// One row of partition 0, which is read up to offset `n` by it.
  StreamPart PartTo(const StreamMarks& marks, std::int64_t n) const {
    StreamPart part{place_, marks.at(place_), 1};
    part.mark.read = StreamOffset(static_cast<std::uint64_t>(n));
    part.mark.fingerprint = "f";
    return part;
  }

  const std::string place_ = "kafka.clicks.0";
  TestFolder folder_;
  Scene scene_;
  MemoryTopic topic_{2};
  RejectionGauge gauge_{0.1};
  std::shared_ptr<WriteTimes> write_times_ = std::make_shared<WriteTimes>();
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<EmbeddedTables> tables_;
  std::int64_t flush_bytes_ = std::int64_t{64} << 20;
  std::function<void()> when_checked_;  // called once, when a frame is about to be logged
  std::string name_ = "clicks";
  std::string rejected_name_ = "clicks";
};

}  // namespace tidemark::testing_support
