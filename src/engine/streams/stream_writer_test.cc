// Goal: what a stream's writer promises of frames that are prepared, logged and merged by three threads:
// their order, what they are made of, that neither the log nor the online store waits for the other, when
// they count as written, that nothing comes behind one that could not be, and that what waits is bounded.
#include "engine/streams/stream_writer.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/buffer.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using Frames = std::span<const std::shared_ptr<StreamFrame>>;

std::string Called(Frames frames) {
  std::string all;
  for (const auto& frame : frames)
    all += (all.empty() ? "" : " + ") + frame->place;
  return all;
}

/// Steps that tell what they were asked for, and wait, or fail, where the test says so.
class FakeSteps {
 public:
  StreamSteps Steps() {
    return {.prepare = [this](const CatalogView& view, std::vector<TableRows> rows,
                              std::span<const StreamPart> parts) { return Prepare(view, rows, parts); },
            .check = [this](StreamFrame& frame) { return Do("check", check_, frame.place); },
            .log = [this](Frames frames) { return Do("log", log_, Called(frames)); },
            .merge = [this](Frames frames) { return Do("merge", merge_, Called(frames)); }};
  }

  struct Gate {
    bool is_open = true;
    bool fails = false;
    std::vector<std::string> begun = {};
  };
  void Close(Gate FakeSteps::* gate) {
    const std::lock_guard lock(mutex_);
    (this->*gate).is_open = false;
  }
  void Open(Gate FakeSteps::* gate, bool fails = false) {
    const std::lock_guard lock(mutex_);
    (this->*gate).is_open = true;
    (this->*gate).fails = fails;
    changed_.notify_all();
  }
  /// Waits until so many calls of it have begun.
  void WaitFor(Gate FakeSteps::* gate, std::size_t calls) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return (this->*gate).begun.size() >= calls; });
  }
  /// Waits until something has happened so many times.
  void WaitForEvents(const std::string& event, int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::count(events_, event) >= times; });
  }
  std::vector<std::string> begun(Gate FakeSteps::* gate) {
    const std::lock_guard lock(mutex_);
    return (this->*gate).begun;
  }

  Gate check_;
  Gate log_;
  Gate merge_;
  std::size_t payload_bytes = 0;       // of each frame
  std::vector<std::string> events_{};  // beginnings and ends of steps; read when the writer is idle

 private:
  /// A frame that is called by its view, its values and its parts.
  Result<std::shared_ptr<StreamFrame>> Prepare(const CatalogView& view, const std::vector<TableRows>& batches,
                                               std::span<const StreamPart> parts) const {
    auto frame = std::make_shared<StreamFrame>();
    frame->payload = arrow::AllocateBuffer(static_cast<std::int64_t>(payload_bytes)).ValueOrDie();
    frame->record.payload = std::as_bytes(std::span(frame->payload->data(), payload_bytes));
    frame->place = fmt::format("{}:", view.id);
    for (const TableRows& rows : batches) {
      for (std::int64_t row = 0; row < rows.count(); ++row)
        frame->place += fmt::format(" {}", rows.event->Value(row));
    }
    for (const StreamPart& part : parts)
      frame->place += fmt::format(" ({} {} {})", part.place, part.mark.read->text(), part.rows);
    return frame;
  }

  Result<void> Do(const char* name, Gate& gate, const std::string& what) {
    std::unique_lock lock(mutex_);
    gate.begun.push_back(what);
    events_.emplace_back(name);
    changed_.notify_all();
    changed_.wait(lock, [&] { return gate.is_open; });
    events_.push_back(fmt::format("{} ends", name));
    changed_.notify_all();
    if (gate.fails) return Fail(ErrorCode::kIo, fmt::format("no {} of {}", name, what));
    return {};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
};

class StreamWriterTest : public testing::Test {
 protected:
  /// Rows of one partition, read up to an offset.
  StreamWriter::Rows Rows(const std::vector<std::int64_t>& values, const std::string& place,
                          std::uint64_t offset, std::uint64_t epoch = 1, std::uint32_t view_id = 1) {
    arrow::Int64Builder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    auto view = std::make_shared<CatalogView>();
    view->id = view_id;
    StreamWriter::Rows rows{.view = view, .rows = {}, .parts = {}};
    rows.rows.event = std::static_pointer_cast<arrow::Int64Array>(builder.Finish().ValueOrDie());
    rows.rows.columns = {rows.rows.event};
    rows.parts.push_back(
        {place, {.epoch = epoch, .read = StreamOffset(offset), .fingerprint = {}}, std::ssize(values)});
    rows.written = [this, offset] {
      const std::lock_guard lock(written_mutex_);
      written_.push_back(offset);
    };
    return rows;
  }

  /// With a frame being checked, so that what is put meanwhile waits together.
  void Hold(StreamWriter& writer) {
    const std::size_t checked = steps_.begun(&FakeSteps::check_).size();
    steps_.Close(&FakeSteps::check_);
    ASSERT_TRUE(writer.Put(Rows({0}, "p", 0)));
    steps_.WaitFor(&FakeSteps::check_, checked + 1);
  }

  FakeSteps steps_;
  std::mutex written_mutex_;
  std::vector<std::uint64_t> written_;  // read after Drain
};

TEST_F(StreamWriterTest, RowsThatWaitBecomeOneFramePartitionByPartition) {
  StreamWriter writer(steps_.Steps());
  Hold(writer);
  ASSERT_TRUE(writer.Put(Rows({1, 2}, "p", 2)));
  ASSERT_TRUE(writer.Put(Rows({3}, "q", 1)));
  ASSERT_TRUE(writer.Put(Rows({4}, "p", 3)));
  steps_.Open(&FakeSteps::check_);
  ASSERT_TRUE(writer.Drain());
  EXPECT_THAT(steps_.begun(&FakeSteps::check_), ElementsAre("1: 0 (p 0 1)", "1: 1 2 4 3 (p 3 3) (q 1 1)"));
  EXPECT_THAT(written_, UnorderedElementsAre(0U, 2U, 1U, 3U));
}

TEST_F(StreamWriterTest, AnotherTableOrAnotherOwnerIsAnotherFrame) {
  StreamWriter writer(steps_.Steps());
  Hold(writer);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1, 1)));
  ASSERT_TRUE(writer.Put(Rows({2}, "p", 2, 2)));
  ASSERT_TRUE(writer.Put(Rows({3}, "p", 3, 2, 7)));
  ASSERT_TRUE(writer.Put(Rows({4}, "p", 4, 2, 7)));
  steps_.Open(&FakeSteps::check_);
  ASSERT_TRUE(writer.Drain());
  EXPECT_THAT(steps_.begun(&FakeSteps::check_),
              ElementsAre("1: 0 (p 0 1)", "1: 1 (p 1 1)", "1: 2 (p 2 1)", "7: 3 4 (p 4 2)"));
}

TEST_F(StreamWriterTest, NeitherLogNorOnlineStoreGetsAFrameThatDoesNotPassItsCheck) {
  StreamWriter writer(steps_.Steps());
  steps_.Close(&FakeSteps::log_);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
  steps_.WaitForEvents("merge ends", 1);
  Hold(writer);
  steps_.Open(&FakeSteps::check_, /*fails=*/true);
  while (writer.Check())
    std::this_thread::yield();
  steps_.Open(&FakeSteps::log_);
  const auto drained = writer.Drain();
  ASSERT_FALSE(drained);
  EXPECT_THAT(drained.error().message, HasSubstr("no check of 1: 0"));
  EXPECT_THAT(steps_.begun(&FakeSteps::log_), ElementsAre("1: 1 (p 1 1)"));
  EXPECT_THAT(steps_.begun(&FakeSteps::merge_), ElementsAre("1: 1 (p 1 1)"));
  EXPECT_THAT(written_, ElementsAre(1U));  // those before it are
}

TEST_F(StreamWriterTest, DrainWaitsForWhatWasBegunWhenAnotherFails) {
  StreamWriter writer(steps_.Steps());
  steps_.Close(&FakeSteps::merge_);
  steps_.Close(&FakeSteps::log_);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
  steps_.WaitFor(&FakeSteps::merge_, 1);
  steps_.WaitFor(&FakeSteps::log_, 1);
  steps_.Open(&FakeSteps::merge_, /*fails=*/true);
  while (writer.Check())
    std::this_thread::yield();
  steps_.Open(&FakeSteps::log_);
  EXPECT_FALSE(writer.Drain());
  EXPECT_EQ(steps_.events_.back(), "log ends");
  EXPECT_THAT(written_, IsEmpty());
}

TEST_F(StreamWriterTest, WhatIsDroppedIsForgottenUnlessItWasBegun) {
  StreamWriter writer(steps_.Steps());
  Hold(writer);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
  std::thread dropping([&] { writer.Drop(); });
  steps_.Open(&FakeSteps::check_);
  dropping.join();
  ASSERT_TRUE(writer.Put(Rows({2}, "p", 2)));
  ASSERT_TRUE(writer.Drain());
  const auto logged = steps_.begun(&FakeSteps::log_);
  EXPECT_THAT(logged.front(), testing::StartsWith("1: 0 (p 0 1)"));
  EXPECT_EQ(logged.back(), "1: 2 (p 2 1)");
  EXPECT_THAT(written_, testing::Contains(0U));
}

TEST_F(StreamWriterTest, WhatWasBegunIsWrittenBeforeTheWriterEnds) {
  {
    StreamWriter writer(steps_.Steps());
    steps_.Close(&FakeSteps::merge_);
    ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
    steps_.WaitFor(&FakeSteps::merge_, 1);
    steps_.WaitFor(&FakeSteps::log_, 1);
    ASSERT_TRUE(writer.Put(Rows({2}, "p", 2)));
    steps_.WaitFor(&FakeSteps::log_, 2);
    steps_.Open(&FakeSteps::merge_);
  }
  EXPECT_THAT(written_, UnorderedElementsAre(1U, 2U));
}

/// Whichever of the two is slow, and the other one.
struct SlowStage {
  std::string name;
  FakeSteps::Gate FakeSteps::* gate;
  std::string other_name;
  FakeSteps::Gate FakeSteps::* other;
};

class SlowStageTest : public StreamWriterTest, public testing::WithParamInterface<SlowStage> {};

TEST_P(SlowStageTest, TheOtherGoesOn) {
  const SlowStage& slow = GetParam();
  StreamWriter writer(steps_.Steps());
  steps_.Close(slow.gate);
  for (const std::uint64_t n : {1, 2, 3}) {
    ASSERT_TRUE(writer.Put(Rows({static_cast<std::int64_t>(n)}, "p", n)));
    steps_.WaitFor(slow.gate, 1);
    steps_.WaitFor(slow.other, n);
  }
  steps_.WaitForEvents(slow.other_name + " ends", 3);
  EXPECT_THAT(written_, IsEmpty());
  steps_.Open(slow.gate);
  ASSERT_TRUE(writer.Drain());
  EXPECT_THAT(steps_.begun(slow.other), ElementsAre("1: 1 (p 1 1)", "1: 2 (p 2 1)", "1: 3 (p 3 1)"));
  EXPECT_THAT(steps_.begun(slow.gate), ElementsAre("1: 1 (p 1 1)", "1: 2 (p 2 1) + 1: 3 (p 3 1)"));
  EXPECT_THAT(written_, ElementsAre(1U, 2U, 3U));
}

TEST_P(SlowStageTest, NothingIsWrittenBehindAFrameThatItFailedOn) {
  const SlowStage& failing = GetParam();
  StreamWriter writer(steps_.Steps());
  steps_.Close(failing.gate);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
  steps_.WaitFor(failing.gate, 1);
  ASSERT_TRUE(writer.Put(Rows({2}, "p", 2)));
  steps_.WaitForEvents("check ends", 2);
  steps_.Open(failing.gate, /*fails=*/true);
  const auto drained = writer.Drain();
  ASSERT_FALSE(drained);
  EXPECT_THAT(drained.error().message, HasSubstr(fmt::format("no {} of 1: 1", failing.name)));
  EXPECT_FALSE(writer.Check());
  EXPECT_FALSE(writer.Put(Rows({3}, "p", 3)));
  EXPECT_THAT(steps_.begun(failing.gate), ElementsAre("1: 1 (p 1 1)"));
  EXPECT_THAT(written_, IsEmpty());
}

TEST_P(SlowStageTest, NoFrameIsMadeWhileTooMuchWaits) {
  steps_.payload_bytes = std::size_t{17} << 20;
  StreamWriter writer(steps_.Steps());
  steps_.Close(GetParam().gate);
  ASSERT_TRUE(writer.Put(Rows({1}, "p", 1)));
  steps_.WaitFor(GetParam().gate, 1);
  for (const std::uint64_t offset : {2, 3, 4}) {
    ASSERT_TRUE(writer.Put(Rows({static_cast<std::int64_t>(offset)}, "p", offset)));
    writer.Pause();  // ends, though nobody takes them
  }
  EXPECT_EQ(steps_.begun(&FakeSteps::check_).size(), 1U);
  steps_.Open(GetParam().gate);
  ASSERT_TRUE(writer.Drain());
  EXPECT_THAT(steps_.begun(&FakeSteps::check_), ElementsAre("1: 1 (p 1 1)", "1: 2 3 4 (p 4 3)"));
  EXPECT_EQ(written_.size(), 4U);
}

TEST_P(SlowStageTest, LargeFramesAreTakenOneByOne) {
  steps_.payload_bytes = std::size_t{3} << 20;
  StreamWriter writer(steps_.Steps());
  steps_.Close(GetParam().gate);
  for (const std::uint64_t n : {1, 2, 3}) {
    ASSERT_TRUE(writer.Put(Rows({static_cast<std::int64_t>(n)}, "p", n)));
    steps_.WaitForEvents("check ends", static_cast<int>(n));
    steps_.WaitFor(GetParam().gate, 1);
  }
  steps_.Open(GetParam().gate);
  ASSERT_TRUE(writer.Drain());
  EXPECT_THAT(steps_.begun(GetParam().gate), ElementsAre("1: 1 (p 1 1)", "1: 2 (p 2 1)", "1: 3 (p 3 1)"));
}

INSTANTIATE_TEST_SUITE_P(Either, SlowStageTest,
                         testing::Values(SlowStage{"log", &FakeSteps::log_, "merge", &FakeSteps::merge_},
                                         SlowStage{"merge", &FakeSteps::merge_, "log", &FakeSteps::log_}),
                         [](const auto& slow) { return slow.param.name; });

TEST_F(StreamWriterTest, PutWaitsWhileTooMuchIsWaiting) {
  StreamWriter writer(steps_.Steps());
  Hold(writer);
  const std::vector<std::int64_t> many(700'000);  // more than half of what may wait
  ASSERT_TRUE(writer.Put(Rows(many, "p", 1)));
  std::atomic<bool> is_put = false;
  std::thread putting([&] {
    EXPECT_TRUE(writer.Put(Rows(many, "p", 2)));
    is_put = true;
  });
  EXPECT_FALSE(is_put);
  steps_.Open(&FakeSteps::check_);
  putting.join();
  ASSERT_TRUE(writer.Drain());
  EXPECT_EQ(steps_.begun(&FakeSteps::check_).size(), 3U);  // the two did not wait together
  EXPECT_THAT(written_, UnorderedElementsAre(0U, 1U, 2U));
}

}  // namespace
}  // namespace tidemark
