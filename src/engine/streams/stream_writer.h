// Rows of a stream on their way into their tables: written by threads of its own, while the next messages are
// read and decoded.
//
//   Put -> queue -> what is in it, as far as it is of one table -> one frame -> the log      (first thread)
//                   frames that are in the log's file -> the online store                    (second thread)
//
// Rows that come while others wait for the disk are written together, so that a backlog is written in large
// pieces and what comes at the stream's head at once. Both threads wait for the disk, and none for the other:
// a frame is merged while the log is synced (docs/adr/0014), and frames that came meanwhile are merged
// together. Frames are in the order of Put. After one that could not be written nothing behind it is: there
// is no hole in what was read.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "engine/tables/feature_tables.h"

namespace tidemark {

/// What is done with rows: FeatureTables' PrepareStream, LogStream and MergeStream.
struct StreamSteps {
  std::function<Result<std::shared_ptr<StreamFrame>>(const CatalogView& view, std::vector<TableRows> rows,
                                                     std::span<const StreamPart> parts)>
      prepare;
  /// `is_written`, which it may call, says that the frame may be merged.
  std::function<Result<void>(StreamFrame& frame, const std::function<void()>& is_written)> log;
  std::function<Result<void>(std::span<const std::shared_ptr<StreamFrame>> frames)> merge;
};
/// `marks_table`: for rows of views with a batch source, as PrepareStream has it.
StreamSteps StepsOf(const std::shared_ptr<FeatureTables>& tables, std::uint32_t marks_table);

/// Put, Pause, Check, Drain and Drop are called by one thread.
class StreamWriter {
 public:
  struct Rows {
    std::shared_ptr<const CatalogView> view;  // whose table they are of
    TableRows rows;
    std::vector<StreamPart> parts;  // of the rows; they fit into a frame
    /// Called by a writing thread when all of them are durable and online; may be empty. The other one may
    /// call that of other rows at the same time.
    std::function<void()> written{};
  };

  explicit StreamWriter(StreamSteps steps);
  /// Drops what was not begun.
  ~StreamWriter();
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  /// Waits while too much is waiting. The error is that of an earlier write: nothing of these was written.
  Result<void> Put(Rows rows);

  /// Returns when it is time to read on, which is at once if little came of late: what comes meanwhile is
  /// read and written together, and nothing waits for longer than some milliseconds.
  void Pause();

  /// The error of a write, which ends all.
  Result<void> Check() const;

  /// Returns when all that was put is written: durable, and online.
  Result<void> Drain();

  /// Forgets what was put and has not been begun; returns when what has been is over.
  void Drop();

 private:
  /// A frame on its way; the flags are guarded by the mutex.
  struct Frame {
    std::shared_ptr<StreamFrame> frame;
    std::vector<std::function<void()>> written;
    bool is_handed_over = false;  // to be merged
    bool is_logged = false;
    bool is_merged = false;
  };
  using FramePointer = std::shared_ptr<Frame>;
  enum class LogWait : std::uint8_t { kNone, kForRows, kForRoom };

  void RunLog();
  void RunMerge();
  Result<FramePointer> Prepare(std::vector<Rows> rows) const;
  Result<void> Log(const FramePointer& frame);
  Result<void> Merge(const std::vector<FramePointer>& taken) const;
  /// That it may be merged.
  void HandOver(const FramePointer& frame);
  static void TellWritten(const Frame& frame);
  // These with the lock held.
  void Forget();
  void Fail(Error error);
  /// Rows from the front that become one frame.
  std::vector<Rows> TakeFrame();
  /// Returns when there is a frame to log, or it is over.
  void WaitForRows(std::unique_lock<std::mutex>& lock);
  bool HasRoom() const;
  /// Ends a wait for the threads. After an error nothing is begun any more.
  bool IsIdle() const { return queue_.empty() && !is_logging_ && unmerged_.empty() && !is_merging_; }

  const StreamSteps steps_;
  mutable std::mutex mutex_;            // guards what follows
  std::condition_variable log_work_;    // what the log waits for is there, or it is over
  std::condition_variable merge_work_;  // there is something to merge, or it is over
  std::condition_variable done_;        // a frame was taken, logged or merged, or could not be
  std::deque<Rows> queue_;
  std::int64_t waiting_bytes_ = 0;  // of it
  LogWait log_wait_ = LogWait::kNone;
  bool is_merge_waiting_ = false;
  std::vector<FramePointer> unmerged_;
  std::int64_t unmerged_bytes_ = 0;  // of these, and of those that are being merged
  bool is_logging_ = false;
  bool is_merging_ = false;
  bool is_over_ = false;
  bool is_log_over_ = false;
  std::optional<Error> error_;
  std::condition_variable failed_;                     // there is an error
  std::chrono::steady_clock::time_point next_turn_{};  // of reading
  std::thread merging_;                                // last: they use the others
  std::thread logging_;
};

}  // namespace tidemark
