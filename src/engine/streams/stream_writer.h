// Rows of a stream on their way into their tables: written by threads of its own, while the next messages are
// read and decoded.
//
//   Put -> queue -> what is in it, as far as it is of one table -> one frame       (first thread)
//                   frames -> the log, as many at a time as wait                   (second thread)
//                   the same frames -> the online store, likewise                  (third thread)
//
// Rows that come while others wait for the disk are written together, so that a backlog is written in large
// pieces and what comes at the stream's head at once. No thread waits for another: lookups find rows whose
// log a slow disk has not synced yet (docs/adr/0014). Frames are in the order of Put. After one that could
// not be written nothing behind it is: there is no hole in what was read.
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

/// What is done with rows: FeatureTables' PrepareStream, CheckStream, LogStream and MergeStream.
struct StreamSteps {
  std::function<Result<std::shared_ptr<StreamFrame>>(const CatalogView& view, std::vector<TableRows> rows,
                                                     std::span<const StreamPart> parts)>
      prepare;
  std::function<Result<void>(StreamFrame& frame)> check;
  std::function<Result<void>(std::span<const std::shared_ptr<StreamFrame>> frames)> log;
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
    /// Called by a writing thread when all of them are durable and online; may be empty. Another one may call
    /// that of other rows at the same time.
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
  /// A frame on its way.
  struct Frame {
    std::shared_ptr<StreamFrame> frame;
    std::vector<std::function<void()>> written;
    int steps_left = 2;  // logged, merged; guarded by the mutex
  };
  using FramePointer = std::shared_ptr<Frame>;

  /// One of the two things that are done with each frame, by a thread of its own. Guarded by the mutex, but
  /// for what is const.
  struct Stage {
    using Step = std::function<Result<void>(std::span<const std::shared_ptr<StreamFrame>> frames)>;
    explicit Stage(Step what) : step(std::move(what)) {}

    const Step step;
    std::condition_variable work;  // there is a frame, or none will come
    std::deque<FramePointer> waiting;
    std::int64_t bytes = 0;  // of these, and of those that are worked on
    bool is_working = false;
  };

  enum class Wait : std::uint8_t { kNothing, kRows, kRoom };

  void RunPrepare();
  void RunStage(Stage& stage);
  Result<FramePointer> Prepare(std::vector<Rows> rows) const;
  static void TellWritten(const Frame& frame);
  // These with the lock held.
  void Forget();
  void Fail(Error error);
  /// Rows from the front that become one frame.
  std::vector<Rows> TakeFrame();
  /// Returns when there is a frame to prepare and room for it, or it is over.
  void WaitForRows(std::unique_lock<std::mutex>& lock);
  bool HasRoom() const;
  static void HandOver(Stage& stage, const FramePointer& frame);
  static std::vector<FramePointer> TakeFrames(Stage& stage);
  static void Abandon(Stage& stage);
  /// Ends a wait for the threads. After an error nothing is begun any more.
  bool IsIdle() const;

  const StreamSteps steps_;
  mutable std::mutex mutex_;              // guards what follows
  std::condition_variable prepare_work_;  // what the first thread waits for is there, or it is over
  std::condition_variable done_;          // a frame was taken, logged or merged, or could not be
  std::deque<Rows> queue_;
  std::int64_t waiting_bytes_ = 0;  // of it
  Wait waits_for_ = Wait::kNothing;
  bool is_preparing_ = false;
  Stage log_;
  Stage merge_;
  bool is_over_ = false;
  bool is_prepare_over_ = false;
  std::optional<Error> error_;
  std::condition_variable failed_;                     // there is an error
  std::chrono::steady_clock::time_point next_turn_{};  // of reading
  std::thread merging_;                                // last: they use the others
  std::thread logging_;
  std::thread preparing_;
};

}  // namespace tidemark
