// Two threads and short queues.
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
// Of frames that are logged and not merged, until the log goes on.
constexpr std::int64_t kUnmergedBytesMax = std::int64_t{16} << 20;

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
  return {.prepare =
              [tables, marks_table](const CatalogView& view, std::vector<TableRows> rows,
                                    std::span<const StreamPart> parts) {
                return tables->PrepareStream(view, std::move(rows), parts,
                                             view.definition.is_table() ? view.id : marks_table);
              },
          .log =
              [tables](StreamFrame& frame, const std::function<void()>& is_written) {
                return tables->LogStream(frame, is_written);
              },
          .merge =
              [tables](std::span<const std::shared_ptr<StreamFrame>> frames) {
                return tables->MergeStream(frames);
              }};
}

StreamWriter::StreamWriter(StreamSteps steps)
    : steps_(std::move(steps)), merging_([this] { RunMerge(); }), logging_([this] { RunLog(); }) {}

StreamWriter::~StreamWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    Forget();
  }
  log_work_.notify_one();
  logging_.join();
  {
    const std::lock_guard lock(mutex_);
    is_log_over_ = true;
  }
  merge_work_.notify_one();
  merging_.join();
}

Result<void> StreamWriter::Put(Rows rows) {
  const std::int64_t bytes = BytesOf(rows.rows);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return error_ || queue_.empty() || waiting_bytes_ + bytes <= kWaitingBytesMax; });
  if (error_) return std::unexpected(*error_);
  queue_.push_back(std::move(rows));
  waiting_bytes_ += bytes;
  const bool is_awaited = log_wait_ == LogWait::kForRows;
  lock.unlock();
  if (is_awaited) log_work_.notify_one();
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

bool StreamWriter::HasRoom() const {
  return unmerged_bytes_ <= kUnmergedBytesMax;
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
  return prepared;
}

Result<void> StreamWriter::Log(const FramePointer& frame) {
  TM_TRY(steps_.log(*frame->frame, [&] { HandOver(frame); }));
  bool is_merged = false;
  {
    const std::lock_guard lock(mutex_);
    frame->is_logged = true;
    is_merged = frame->is_merged;
  }
  HandOver(frame);
  if (is_merged) TellWritten(*frame);
  return {};
}

void StreamWriter::HandOver(const FramePointer& frame) {
  std::unique_lock lock(mutex_);
  // After an error it is the recovery that merges this one, as those before it.
  if (std::exchange(frame->is_handed_over, true) || error_) return;
  unmerged_bytes_ += std::ssize(frame->frame->record.payload);
  unmerged_.push_back(frame);
  const bool is_awaited = is_merge_waiting_;
  lock.unlock();
  if (is_awaited) merge_work_.notify_one();
}

void StreamWriter::TellWritten(const Frame& frame) {
  for (const auto& written : frame.written)
    written();
}

void StreamWriter::WaitForRows(std::unique_lock<std::mutex>& lock) {
  const auto is_there = [this] { return is_over_ || (!error_ && !queue_.empty()); };
  log_wait_ = LogWait::kForRows;
  log_work_.wait(lock, is_there);
  log_wait_ = LogWait::kForRoom;
  log_work_.wait(lock, [&] { return is_over_ || error_ || HasRoom(); });
  log_wait_ = LogWait::kNone;
}

void StreamWriter::RunLog() {
  std::unique_lock lock(mutex_);
  while (true) {
    WaitForRows(lock);
    if (is_over_) return;
    std::vector<Rows> rows = TakeFrame();
    if (rows.empty()) continue;  // they were dropped meanwhile
    is_logging_ = true;
    lock.unlock();
    done_.notify_all();  // there is room
    Result<void> logged;
    if (auto frame = Prepare(std::move(rows)); frame) {
      logged = Log(*frame);
    } else {
      logged = std::unexpected(std::move(frame).error());
    }
    lock.lock();
    is_logging_ = false;
    if (!logged) Fail(std::move(logged).error());
    done_.notify_all();
  }
}

void StreamWriter::RunMerge() {
  std::unique_lock lock(mutex_);
  while (true) {
    is_merge_waiting_ = true;
    merge_work_.wait(lock, [this] { return is_log_over_ || !unmerged_.empty(); });
    is_merge_waiting_ = false;
    if (unmerged_.empty()) return;
    std::vector<FramePointer> frames = std::exchange(unmerged_, {});
    const std::int64_t bytes = unmerged_bytes_;
    is_merging_ = true;
    lock.unlock();
    auto merged = Merge(frames);
    lock.lock();
    if (merged) {
      for (FramePointer& frame : frames) {
        frame->is_merged = true;
        if (!frame->is_logged) frame.reset();  // whoever logs it tells
      }
      lock.unlock();
      for (const FramePointer& frame : frames) {
        if (frame != nullptr) TellWritten(*frame);
      }
      frames.clear();
      lock.lock();
    }
    is_merging_ = false;
    unmerged_bytes_ -= bytes;
    if (!merged) {
      Fail(std::move(merged).error());
      unmerged_.clear();
    }
    if (log_wait_ == LogWait::kForRoom) log_work_.notify_one();
    done_.notify_all();
  }
}

Result<void> StreamWriter::Merge(const std::vector<FramePointer>& taken) const {
  std::vector<std::shared_ptr<StreamFrame>> frames;
  for (const FramePointer& each : taken)
    frames.push_back(each->frame);
  return steps_.merge(frames);
}

}  // namespace tidemark
