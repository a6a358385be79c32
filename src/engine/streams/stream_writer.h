// Rows of a stream on their way into their tables: written by threads of its own, while the next messages are
// read and decoded.
//
//   Put -> queue -> what is in it, as far as it is of one table -> one frame -> the log      (first thread)
//                   frames that are logged -> the online store                               (second thread)
//
// Rows that come while others wait for the disk are written together, so that a backlog is written in large
// pieces and what comes at the stream's head at once. Both threads wait for the disk, and none for the other;
// frames that were logged meanwhile are merged together. Frames are in the order of Put. After one that could
// not be written nothing behind it is: there is no hole in what was read.
#pragma once

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
  std::function<Result<void>(StreamFrame& frame)> log;
  std::function<Result<void>(std::span<const std::shared_ptr<StreamFrame>> frames)> merge;
};
/// `marks_table`: for rows of views with a batch source, as PrepareStream has it.
StreamSteps StepsOf(const std::shared_ptr<FeatureTables>& tables, std::uint32_t marks_table);

/// Put, Check, Drain and Drop are called by one thread.
class StreamWriter {
 public:
  struct Rows {
    std::shared_ptr<const CatalogView> view;  // whose table they are of
    TableRows rows;
    std::vector<StreamPart> parts;    // of the rows; they fit into a frame
    std::function<void()> written{};  // called by a writing thread when all of them are; may be empty
  };

  explicit StreamWriter(StreamSteps steps);
  /// Drops what was not begun.
  ~StreamWriter();
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  /// Waits while too much is waiting. The error is that of an earlier write: nothing of these was written.
  Result<void> Put(Rows rows);

  /// The error of a write, which ends all.
  Result<void> Check() const;

  /// Returns when all that was put is written: durable, and online.
  Result<void> Drain();

  /// Forgets what was put and has not been begun; returns when what has been is over.
  void Drop();

 private:
  struct Logged {
    std::shared_ptr<StreamFrame> frame;
    std::vector<std::function<void()>> written;
  };

  void RunLog();
  void RunMerge();
  Result<Logged> Log(std::vector<Rows> frame) const;
  Result<void> Merge(const std::vector<Logged>& taken) const;
  // These with the lock held.
  void Forget();
  void Fail(Error error);
  /// Rows from the front that become one frame.
  std::vector<Rows> TakeFrame();
  bool IsToLog() const;
  /// Ends a wait for the threads. After an error nothing is begun any more.
  bool IsIdle() const { return queue_.empty() && !is_logging_ && unmerged_.empty() && !is_merging_; }

  const StreamSteps steps_;
  mutable std::mutex mutex_;            // guards what follows
  std::condition_variable log_work_;    // there is something to log, and room, or it is over
  std::condition_variable merge_work_;  // there is something to merge, or it is over
  std::condition_variable done_;        // a frame was taken, logged or merged, or could not be
  std::deque<Rows> queue_;
  std::int64_t waiting_bytes_ = 0;  // of it
  std::vector<Logged> unmerged_;
  std::int64_t unmerged_bytes_ = 0;  // of these, and of those that are being merged
  bool is_logging_ = false;
  bool is_merging_ = false;
  bool is_over_ = false;
  bool is_log_over_ = false;
  std::optional<Error> error_;
  std::thread merging_;  // last: they use the others
  std::thread logging_;
};

}  // namespace tidemark
