// One thread and a short queue.
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
constexpr std::size_t kFewWaiting = 3;
constexpr auto kPause = std::chrono::milliseconds(2);
// Of a frame that is made of several: half of what the log takes.
constexpr std::int64_t kFrameBytesMax = std::int64_t{16} << 20;

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

StreamWriter::StreamWriter(std::shared_ptr<FeatureTables> tables)
    : tables_(std::move(tables)), thread_([this] { Run(); }) {}

StreamWriter::~StreamWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    Forget();
  }
  work_.notify_one();
  thread_.join();
}

Result<void> StreamWriter::Put(Rows rows) {
  const std::int64_t bytes = BytesOf(rows.rows);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return error_ || queue_.empty() || waiting_bytes_ + bytes <= kWaitingBytesMax; });
  if (error_) return std::unexpected(*error_);
  queue_.push_back(std::move(rows));
  waiting_bytes_ += bytes;
  work_.notify_one();
  done_.wait_for(lock, kPause, [this] { return error_ || queue_.size() < kFewWaiting; });
  return {};
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

Result<void> StreamWriter::Write(std::vector<Rows> frame) const {
  std::vector<TableRows> rows;
  std::vector<StreamPart> parts;
  if (frame.size() == 1) {
    rows.push_back(std::move(frame.front().rows));
    parts = frame.front().parts;
  } else {
    for (PlaceRows& place : ByPlace(frame)) {
      parts.push_back(std::move(place.part));
      std::ranges::move(place.rows, std::back_inserter(rows));
    }
    if (rows.empty()) rows.push_back(SliceRows(frame.front().rows, 0, 0));
  }
  TM_TRY(tables_->WriteStream(*frame.front().view, std::move(rows), parts));
  for (const Rows& each : frame) {
    if (each.written) each.written();
  }
  return {};
}

void StreamWriter::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return is_over_ || !queue_.empty(); });
    if (is_over_) return;
    std::vector<Rows> frame = TakeFrame();
    is_writing_ = true;
    lock.unlock();
    done_.notify_all();  // there is room
    auto written = Write(std::move(frame));
    lock.lock();
    is_writing_ = false;
    if (!written) {
      error_ = std::move(written).error();
      Forget();
    }
    done_.notify_all();
  }
}

}  // namespace tidemark
