// Rows of a stream on their way into their tables: written by a thread of its own, while the next messages
// are read and decoded.
//
//   Put -> queue -> what is in it, as far as it is of one table -> one frame of the log
//
// Rows that come while others wait for the disk are written together, so that a backlog is written in large
// pieces and what comes at the stream's head at once. Frames are in the order of Put. After one that could
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
#include <thread>
#include <vector>

#include "engine/tables/feature_tables.h"

namespace tidemark {

/// Put, Check, Drain and Drop are called by one thread.
class StreamWriter {
 public:
  struct Rows {
    std::shared_ptr<const CatalogView> view;  // whose table they are of
    TableRows rows;
    std::vector<StreamPart> parts;    // of the rows; they fit into a frame
    std::function<void()> written{};  // called by the writing thread when all of them are; may be empty
  };

  explicit StreamWriter(std::shared_ptr<FeatureTables> tables);
  /// Drops what was not begun.
  ~StreamWriter();
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  /// Waits while too much is waiting. The error is that of an earlier write: nothing of these was written.
  Result<void> Put(Rows rows);

  /// The error of a write, which ends all.
  Result<void> Check() const;

  /// Returns when all that was put is written.
  Result<void> Drain();

  /// Forgets what was put and has not been begun; returns when what has been is over.
  void Drop();

 private:
  void Run();
  // These two with the lock held.
  void Forget();
  /// Rows from the front that become one frame.
  std::vector<Rows> TakeFrame();
  Result<void> Write(std::vector<Rows> frame) const;
  /// Ends a wait for the writing thread.
  bool IsIdle() const { return error_.has_value() || (queue_.empty() && !is_writing_); }

  const std::shared_ptr<FeatureTables> tables_;
  mutable std::mutex mutex_;      // guards what follows
  std::condition_variable work_;  // there is something to write, or it is over
  std::condition_variable done_;  // a frame was written, or could not be
  std::deque<Rows> queue_;
  std::int64_t waiting_bytes_ = 0;  // of it
  bool is_writing_ = false;
  bool is_over_ = false;
  std::optional<Error> error_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tidemark
