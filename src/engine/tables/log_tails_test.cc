// Goal: what was read of a log is read once, and never changes an answer: new frames are seen at once, and
// what is flushed, defined anew or read of an earlier moment of the log is read as if nothing were kept.
#include "engine/tables/log_tails.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_rows.h"
#include "store/memory_source_testing.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;

constexpr LogId kLog = 7;
constexpr std::int64_t kManyBytes = std::int64_t{1} << 20;

Field FieldOf(const std::string& name, TypeKind kind) {
  Field field;
  field.name = name;
  field.type.kind = kind;
  return field;
}

CatalogView ViewOf(std::uint32_t id, const std::vector<Field>& fields) {
  CatalogView view;
  view.id = id;
  view.version = 1;
  view.definition.name = "visits";
  view.definition.fields = fields;
  view.join_keys = {{.name = "user", .type = DataType{.kind = TypeKind::kInt64}}};
  return view;
}

CatalogView Visits(std::uint32_t id = 1) {
  return ViewOf(id, {FieldOf("n", TypeKind::kInt64)});
}

/// A frame of so many rows, as a writer makes it.
std::shared_ptr<arrow::Buffer> FrameOf(const CatalogView& view, std::int64_t first, std::int64_t count) {
  std::string numbers;
  std::string times;
  for (std::int64_t row = first; row < first + count; ++row) {
    numbers += (numbers.empty() ? "" : ",") + std::to_string(row);
    times += (times.empty() ? "" : ",") + std::to_string(row * 1000);
  }
  const auto list = [](const std::string& values) { return "[" + values + "]"; };
  const auto micros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto batch = BatchOf({{"user", arrow::int64(), list(numbers)},
                              {"event_timestamp", micros, list(times)},
                              {"n", arrow::int64(), list(numbers)}});
  const auto rows = ReadTableRows(view, *batch, {}, nullptr);
  EXPECT_TRUE(rows) << rows.error().ToString();
  const auto written = BatchOf({{"w", arrow::int64(), list(times)}})->column(0);
  const auto schema = TableSchema(view);
  const auto stamped = StampedRows(schema, *rows, std::static_pointer_cast<arrow::Int64Array>(written));
  return EncodeBatch(EncodeSchema(*schema).value(), **stamped).value();
}

/// Frames of views, in memory.
class FrameList {
 public:
  void Add(const CatalogView& view, std::int64_t count) {
    payloads_.push_back({view.id, FrameOf(view, next_, count)});
    next_ += count;
  }

  class Snapshot final : public LogSnapshot {
   public:
    Snapshot(FrameList& list, std::uint64_t durable) : list_(list), durable_(durable) {}
    LogId id() const override { return kLog; }
    std::uint64_t durable_lsn() const override { return durable_; }
    std::uint64_t trimmed_lsn() const override { return 0; }
    bool is_unrecovered() const override { return false; }
    Result<void> Read(std::uint64_t from, std::optional<std::uint32_t> table_id,
                      Visitor visit) const override {
      for (std::uint64_t lsn = from + 1; lsn <= durable_; ++lsn) {
        const auto& [view, payload] = list_.payloads_[lsn - 1];
        if (table_id && *table_id != view) continue;
        ++list_.visited;
        LogFrame frame{.lsn = lsn, .durable_lsn = 0, .record = {}};
        frame.record.targets = kLogToOffline;
        frame.record.table_id = view;
        frame.record.payload = {reinterpret_cast<const std::byte*>(payload->data()),
                                static_cast<std::size_t>(payload->size())};
        TM_TRY(visit(frame));
      }
      return {};
    }

   private:
    FrameList& list_;
    const std::uint64_t durable_;
  };

  std::vector<std::unique_ptr<LogSnapshot>> UpTo(std::uint64_t durable) {
    std::vector<std::unique_ptr<LogSnapshot>> logs;
    logs.push_back(std::make_unique<Snapshot>(*this, durable));
    return logs;
  }
  std::vector<std::unique_ptr<LogSnapshot>> Now() { return UpTo(payloads_.size()); }

  int visited = 0;  // frames, by all reads

 private:
  std::vector<std::pair<std::uint32_t, std::shared_ptr<arrow::Buffer>>> payloads_;
  std::int64_t next_ = 1;
};

/// The column `n` of all tails: "1 2 3".
std::string NumbersOf(LogTails& tails, const CatalogView& view,
                      const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                      const TableProperties& properties = {}) {
  const auto found = tails.Of(view, logs, properties);
  EXPECT_TRUE(found) << found.error().ToString();
  std::string text;
  for (const LogTail& tail : *found) {
    for (const auto& batch : tail.batches) {
      EXPECT_TRUE(batch->schema()->Equals(*TableSchema(view)));
      const auto& numbers = static_cast<const arrow::Int64Array&>(*batch->GetColumnByName("n"));
      for (std::int64_t row = 0; row < numbers.length(); ++row)
        text += (text.empty() ? "" : " ") + std::to_string(numbers.Value(row));
    }
  }
  return text;
}

TEST(LogTailsTest, FramesAreReadOnce) {
  FrameList log;
  const CatalogView view = Visits();
  LogTails tails(kManyBytes);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "");
  log.Add(view, 2);
  log.Add(view, 1);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
  EXPECT_EQ(log.visited, 2);
  log.Add(view, 2);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3 4 5");
  EXPECT_EQ(log.visited, 3);
  EXPECT_GT(tails.kept_bytes(), 0);
  tails.Forget(view.id);
  EXPECT_EQ(tails.kept_bytes(), 0);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3 4 5");
  EXPECT_EQ(log.visited, 6);
}

// A reader that took its snapshot of the log before another one did must not see more than was there.
TEST(LogTailsTest, AnEarlierMomentIsReadAsItWas) {
  FrameList log;
  const CatalogView view = Visits();
  LogTails tails(kManyBytes);
  log.Add(view, 2);
  log.Add(view, 1);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
  EXPECT_EQ(NumbersOf(tails, view, log.UpTo(1)), "1 2");
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
}

TEST(LogTailsTest, WhatIsFlushedIsNotSeenAgain) {
  FrameList log;
  const CatalogView view = Visits();
  LogTails tails(kManyBytes);
  log.Add(view, 2);
  log.Add(view, 1);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
  const TableProperties flushed{{FlushedName(kLog), FlushedText(1, 0)}};
  EXPECT_EQ(NumbersOf(tails, view, log.Now(), flushed), "3");
  // Who looked at the table before the flush sees all.
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1 2 3");
  const TableProperties all{{FlushedName(kLog), FlushedText(2, 0)}};
  EXPECT_EQ(NumbersOf(tails, view, log.Now(), all), "");
  const int visited = log.visited;
  EXPECT_EQ(NumbersOf(tails, view, log.UpTo(1), all), "")
      << "a snapshot of the log that is older than the flush";
  EXPECT_EQ(log.visited, visited);
}

TEST(LogTailsTest, ViewsHaveTheirOwnRowsAndColumns) {
  FrameList log;
  const CatalogView view = Visits(1);
  const CatalogView other = Visits(2);
  LogTails tails(kManyBytes);
  log.Add(view, 1);
  log.Add(other, 1);
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1");
  EXPECT_EQ(NumbersOf(tails, other, log.Now()), "2");
  // The view has got a field since: rows that were kept do not have its column.
  const CatalogView grown = ViewOf(1, {FieldOf("n", TypeKind::kInt64), FieldOf("place", TypeKind::kString)});
  EXPECT_EQ(NumbersOf(tails, grown, log.Now()), "1");
  EXPECT_EQ(NumbersOf(tails, view, log.Now()), "1");
}

TEST(LogTailsTest, WhatIsTooMuchIsNotKept) {
  FrameList log;
  const CatalogView view = Visits(1);
  const CatalogView other = Visits(2);
  log.Add(view, 50);
  log.Add(other, 50);
  LogTails all(kManyBytes);
  NumbersOf(all, view, log.Now());
  const std::int64_t one = all.kept_bytes();
  LogTails none(one - 1);
  const std::string numbers = NumbersOf(none, view, log.Now());
  EXPECT_EQ(none.kept_bytes(), 0);
  EXPECT_EQ(NumbersOf(none, view, log.Now()), numbers);
  LogTails first(one + 1);
  NumbersOf(first, view, log.Now());
  NumbersOf(first, other, log.Now());  // takes the place of the other
  EXPECT_EQ(first.kept_bytes(), one);
  const int visited = log.visited;
  NumbersOf(first, other, log.Now());
  EXPECT_EQ(log.visited, visited);
  NumbersOf(first, view, log.Now());
  EXPECT_EQ(log.visited, visited + 1);
}

// Frames of many rows stay as they are; the others are put together, however the reads come in between.
TEST(LogTailsTest, FewRowsArePutTogether) {
  constexpr std::int64_t kMany = 40'000;
  FrameList log;
  const CatalogView view = Visits();
  LogTails tails(kManyBytes * 64);
  for (const std::int64_t rows :
       {std::int64_t{1}, std::int64_t{2}, kMany, std::int64_t{3}, std::int64_t{4}}) {
    log.Add(view, rows);
    ASSERT_TRUE(tails.Of(view, log.Now(), {}));
  }
  const auto found = tails.Of(view, log.Now(), {}).value();
  ASSERT_EQ(found.size(), 1U);
  std::vector<std::int64_t> rows;
  for (const auto& batch : found.front().batches)
    rows.push_back(batch->num_rows());
  EXPECT_EQ(rows, (std::vector<std::int64_t>{3, kMany, 7}));
  EXPECT_EQ(log.visited, 5);
}

}  // namespace
}  // namespace tidemark
