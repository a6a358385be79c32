// One thread and a short queue.
#include "engine/streams/stream_writer.h"

#include <utility>

namespace tidemark {
namespace {

// More waits in the stream's own buffers, which are bounded too.
constexpr std::size_t kWaitingMax = 4;
// Of a frame that is made of several: half of what the log takes.
constexpr std::int64_t kFrameBytesMax = std::int64_t{16} << 20;

}  // namespace

StreamWriter::StreamWriter(std::shared_ptr<FeatureTables> tables)
    : tables_(std::move(tables)), thread_([this] { Run(); }) {}

StreamWriter::~StreamWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    queue_.clear();
  }
  work_.notify_one();
  thread_.join();
}

Result<void> StreamWriter::Put(Rows rows) {
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return error_ || queue_.size() < kWaitingMax; });
    if (error_) return std::unexpected(*error_);
    queue_.push_back(std::move(rows));
  }
  work_.notify_one();
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
  queue_.clear();
  done_.wait(lock, [this] { return IsIdle(); });
}

std::vector<StreamWriter::Rows> StreamWriter::TakeFrame() {
  std::vector<Rows> frame;
  std::vector<StreamPart> parts;
  std::int64_t bytes = 0;
  while (!queue_.empty()) {
    Rows& next = queue_.front();
    bytes += BytesOf(next.rows);
    if (!frame.empty()) {
      const CatalogView& first = *frame.front().view;
      if (next.view->id != first.id || next.view->version != first.version || bytes > kFrameBytesMax) break;
      parts.insert(parts.end(), next.parts.begin(), next.parts.end());
      if (PartsThatFit(parts) < parts.size()) break;
    } else {
      parts = next.parts;
    }
    frame.push_back(std::move(next));
    queue_.pop_front();
  }
  return frame;
}

Result<void> StreamWriter::Write(std::vector<Rows> frame) const {
  std::vector<TableRows> rows;
  std::vector<StreamPart> parts;
  for (Rows& each : frame) {
    rows.push_back(std::move(each.rows));
    parts.insert(parts.end(), each.parts.begin(), each.parts.end());
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
      queue_.clear();
    }
    done_.notify_all();
  }
}

}  // namespace tidemark
