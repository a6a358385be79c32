// Three threads and short queues.
#include "engine/streams/stream_writer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace tidemark {
namespace {

// More waits in the stream's own buffers, which are bounded too.
constexpr std::int64_t kWaitingBytesMax = std::int64_t{8} << 20;
// Where writing takes long, what comes is decoded some at a time and not each message for itself. Nothing
// waits for longer than this, nor for the writer: else it would miss the next frame.
constexpr std::size_t kFewWaiting = 2;
constexpr auto kPause = std::chrono::milliseconds(2);
// What comes within a turn is read and written together: each time costs as much as many rows.
constexpr auto kTurn = std::chrono::milliseconds(1);
// Of a frame that is made of several: half of what the log takes.
constexpr std::int64_t kFrameBytesMax = std::int64_t{16} << 20;
// Of frames that wait for the log, or for the online store, until the next one is made.
constexpr std::int64_t kStageBytesMax = std::int64_t{16} << 20;
// Of frames that are logged, or merged, at a time, if there is more than one.
constexpr std::int64_t kTogetherBytesMax = std::int64_t{4} << 20;
constexpr std::size_t kTogetherMax = 1024;

/// Rows of one partition out of several batches, in their order.
struct PlaceRows {
  StreamPart part;
  std::vector<TableRows> rows{};
};

/// Brings the parts to after those of a later batch. False if they have become too many for a frame, or an
/// owner's rows would be taken for another's.
bool JoinParts(std::vector<StreamPart>& parts, const std::vector<StreamPart>& later) {
  for (const StreamPart& part : later) {
    const auto found = std::ranges::find(parts, part.place, &StreamPart::place);
    if (found == parts.end()) {
      parts.push_back(part);
    } else if (found->mark.epoch != part.mark.epoch) {
      return false;
    } else {
      found->mark = part.mark;
    }
  }
  return PartsThatFit(parts) == parts.size();
}

/// Partition by partition.
std::vector<PlaceRows> ByPlace(const std::vector<StreamWriter::Rows>& frame) {
  std::vector<PlaceRows> places;
  for (const StreamWriter::Rows& each : frame) {
    std::int64_t row = 0;
    for (const StreamPart& part : each.parts) {
      auto place =
          std::ranges::find_if(places, [&](const PlaceRows& of) { return of.part.place == part.place; });
      if (place == places.end()) {
        places.push_back({.part = {part.place, part.mark, 0}});
        place = std::prev(places.end());
      }
      place->part.mark = part.mark;
      place->part.rows += part.rows;
      if (part.rows > 0) place->rows.push_back(SliceRows(each.rows, row, part.rows));
      row += part.rows;
    }
  }
  return places;
}

}  // namespace

StreamSteps StepsOf(const std::shared_ptr<FeatureTables>& tables, std::uint32_t marks_table) {
  return {
      .prepare =
          [tables, marks_table](const CatalogView& view, std::vector<TableRows> rows,
                                std::span<const StreamPart> parts) {
            return tables->PrepareStream(view, std::move(rows), parts,
                                         view.definition.is_table() ? view.id : marks_table);
          },
      .check = [tables](StreamFrame& frame) { return tables->CheckStream(frame); },
      .log = [tables](
                 std::span<const std::shared_ptr<StreamFrame>> frames) { return tables->LogStream(frames); },
      .merge =
          [tables](std::span<const std::shared_ptr<StreamFrame>> frames) {
            return tables->MergeStream(frames);
          }};
}

StreamWriter::StreamWriter(StreamSteps steps)
    : steps_(std::move(steps)),
      log_(steps_.log),
      merge_(steps_.merge),
      merging_([this] { RunStage(merge_); }),
      logging_([this] { RunStage(log_); }),
      preparing_([this] { RunPrepare(); }) {}

StreamWriter::~StreamWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    Forget();
  }
  prepare_work_.notify_one();
  preparing_.join();
  {
    const std::lock_guard lock(mutex_);
    is_prepare_over_ = true;
  }
  log_.work.notify_one();
  merge_.work.notify_one();
  logging_.join();
  merging_.join();
}

Result<void> StreamWriter::Put(Rows rows) {
  const std::int64_t bytes = BytesOf(rows.rows);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return error_ || queue_.empty() || waiting_bytes_ + bytes <= kWaitingBytesMax; });
  if (error_) return std::unexpected(*error_);
  queue_.push_back(std::move(rows));
  waiting_bytes_ += bytes;
  const bool is_awaited = waits_for_ == Wait::kRows;
  lock.unlock();
  if (is_awaited) prepare_work_.notify_one();
  return {};
}

// Who reads waits, and neither its source's threads nor the log's: each that is woken for a few rows costs
// more than they do.
void StreamWriter::Pause() {
  std::unique_lock lock(mutex_);
  done_.wait_for(lock, kPause, [this] { return error_ || queue_.size() < kFewWaiting; });
  failed_.wait_until(lock, next_turn_, [this] { return error_.has_value(); });
  next_turn_ = std::chrono::steady_clock::now() + kTurn;
}

Result<void> StreamWriter::Check() const {
  const std::lock_guard lock(mutex_);
  return error_ ? Result<void>(std::unexpected(*error_)) : Result<void>();
}

Result<void> StreamWriter::Drain() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return IsIdle(); });
  return error_ ? Result<void>(std::unexpected(*error_)) : Result<void>();
}

void StreamWriter::Drop() {
  std::unique_lock lock(mutex_);
  Forget();
  done_.wait(lock, [this] { return IsIdle(); });
}

void StreamWriter::Forget() {
  queue_.clear();
  waiting_bytes_ = 0;
}

void StreamWriter::Fail(Error error) {
  if (!error_) error_ = std::move(error);
  failed_.notify_all();
  Forget();
}

bool StreamWriter::IsIdle() const {
  const auto is_idle = [](const Stage& stage) { return stage.waiting.empty() && !stage.is_working; };
  return queue_.empty() && !is_preparing_ && is_idle(log_) && is_idle(merge_);
}

bool StreamWriter::HasRoom() const {
  return std::max(log_.bytes, merge_.bytes) <= kStageBytesMax;
}

std::vector<StreamWriter::Rows> StreamWriter::TakeFrame() {
  std::vector<Rows> frame;
  std::vector<StreamPart> parts;
  std::int64_t bytes = 0;
  while (!queue_.empty()) {
    Rows& next = queue_.front();
    const std::int64_t more = BytesOf(next.rows);
    bytes += more;
    if (!frame.empty()) {
      const CatalogView& first = *frame.front().view;
      if (next.view->id != first.id || next.view->version != first.version || bytes > kFrameBytesMax) break;
      if (parts.empty() || next.parts.empty() || !JoinParts(parts, next.parts)) break;
    } else {
      parts = next.parts;
    }
    frame.push_back(std::move(next));
    queue_.pop_front();
    waiting_bytes_ -= more;
  }
  return frame;
}

Result<StreamWriter::FramePointer> StreamWriter::Prepare(std::vector<Rows> from) const {
  auto prepared = std::make_shared<Frame>();
  std::vector<TableRows> rows;
  std::vector<StreamPart> parts;
  for (Rows& each : from) {
    if (each.written) prepared->written.push_back(std::move(each.written));
  }
  if (from.size() == 1) {
    rows.push_back(std::move(from.front().rows));
    parts = from.front().parts;
  } else {
    for (PlaceRows& place : ByPlace(from)) {
      parts.push_back(std::move(place.part));
      std::ranges::move(place.rows, std::back_inserter(rows));
    }
    if (rows.empty()) rows.push_back(SliceRows(from.front().rows, 0, 0));
  }
  TM_ASSIGN(prepared->frame, steps_.prepare(*from.front().view, std::move(rows), parts));
  TM_TRY(steps_.check(*prepared->frame));
  return prepared;
}

void StreamWriter::HandOver(Stage& stage, const FramePointer& frame) {
  stage.bytes += std::ssize(frame->frame->record.payload);
  stage.waiting.push_back(frame);
  stage.work.notify_one();
}

std::vector<StreamWriter::FramePointer> StreamWriter::TakeFrames(Stage& stage) {
  std::vector<FramePointer> taken;
  std::int64_t bytes = 0;
  while (!stage.waiting.empty() && taken.size() < kTogetherMax) {
    bytes += std::ssize(stage.waiting.front()->frame->record.payload);
    if (!taken.empty() && bytes > kTogetherBytesMax) break;
    taken.push_back(std::move(stage.waiting.front()));
    stage.waiting.pop_front();
  }
  return taken;
}

void StreamWriter::Abandon(Stage& stage) {
  for (const FramePointer& frame : stage.waiting)
    stage.bytes -= std::ssize(frame->frame->record.payload);
  stage.waiting.clear();
}

void StreamWriter::TellWritten(const Frame& frame) {
  for (const auto& written : frame.written)
    written();
}

void StreamWriter::WaitForRows(std::unique_lock<std::mutex>& lock) {
  waits_for_ = Wait::kRows;
  prepare_work_.wait(lock, [this] { return is_over_ || (!error_ && !queue_.empty()); });
  waits_for_ = Wait::kRoom;
  prepare_work_.wait(lock, [this] { return is_over_ || error_ || HasRoom(); });
  waits_for_ = Wait::kNothing;
}

void StreamWriter::RunPrepare() {
  std::unique_lock lock(mutex_);
  while (true) {
    WaitForRows(lock);
    if (is_over_) return;
    std::vector<Rows> rows = TakeFrame();
    if (rows.empty()) continue;  // they were dropped meanwhile
    is_preparing_ = true;
    lock.unlock();
    done_.notify_all();  // there is room
    auto frame = Prepare(std::move(rows));
    lock.lock();
    is_preparing_ = false;
    if (!frame) {
      Fail(std::move(frame).error());
    } else if (!error_) {
      HandOver(merge_, *frame);
      HandOver(log_, *frame);
    }
    done_.notify_all();
  }
}

void StreamWriter::RunStage(Stage& stage) {
  std::vector<std::shared_ptr<StreamFrame>> frames;
  std::unique_lock lock(mutex_);
  while (true) {
    stage.work.wait(lock, [&] { return is_prepare_over_ || !stage.waiting.empty(); });
    if (stage.waiting.empty()) return;
    std::vector<FramePointer> taken = TakeFrames(stage);
    stage.is_working = true;
    lock.unlock();
    std::int64_t bytes = 0;
    frames.clear();
    for (const FramePointer& each : taken) {
      frames.push_back(each->frame);
      bytes += std::ssize(each->frame->record.payload);
    }
    auto done = stage.step(frames);
    frames.clear();
    lock.lock();
    if (done) {
      std::erase_if(taken, [](const FramePointer& frame) { return --frame->steps_left > 0; });
      lock.unlock();
      for (const FramePointer& frame : taken)
        TellWritten(*frame);
      taken.clear();
      lock.lock();
    } else {
      Fail(std::move(done).error());
      Abandon(log_);
      Abandon(merge_);
    }
    stage.is_working = false;
    stage.bytes -= bytes;
    if (waits_for_ == Wait::kRoom) prepare_work_.notify_one();
    done_.notify_all();
  }
}

}  // namespace tidemark
