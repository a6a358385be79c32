// One log of this process being written, with group commit.
//
// Calls queue up. The first leads: it takes what is in the queue, writes it in one piece and syncs it, hands
// the lead on to whoever is first in the queue then, has its group's hook run, and acknowledges the group.
// The next two groups are written and synced while the hook of this one runs, and have theirs together; what
// comes later gathers meanwhile. Where many wait a thread of the log leads: it is awake when a group is
// through, and begins the next one at once, while who is woken to lead would wait for a processor among all
// those that were acknowledged just then.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "adapters/wal/log_folder_internal.h"
#include "adapters/wal/waiting_word_internal.h"
#include "adapters/wal/write_logs.h"
#include "base/lock_file.h"

namespace tidemark::wal {

/// Thread safe. Lives in the process that created it; in a forked child it is abandoned, never destroyed.
class LogWriter {
 public:
  static Result<std::unique_ptr<LogWriter>> Create(const WalOptions& options, LogGroupHook hook);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  bool is_own() const { return owner_->is_own(); }
  LogId id() const { return id_; }
  std::uint64_t durable_lsn() const { return durable_lsn_.load(); }

  Result<LogPosition> Append(std::span<const LogAppend> together);
  Result<void> Trim(LogPosition upto);

 private:
  enum class Turn : std::uint32_t { kWaiting, kLead, kHook, kDone };

  // Lives on the stack of its caller, who is gone once it is done.
  struct Request {
    std::span<const LogAppend> appends;  // empty: begin a new segment if the frames so far can be trimmed
    std::span<const std::uint32_t> payload_checksums;
    std::size_t bytes = 0;
    std::uint64_t lsn = 0;  // of its first frame, once written; of a new segment: what is trimmed
    Result<void> answer;
    WaitingWord turn;
  };
  using Group = std::vector<Request*>;

  // What came of a group before its hook.
  struct Written {
    Result<void> result;
    bool stops = false;  // the log must not be written any more
  };

  LogWriter(const WalOptions& options, LogId id, LogGroupHook hook, std::unique_ptr<LockFile> owner,
            DurableWord durable);

  Result<void> BeginFirstSegment();
  bool Enqueue(Request& request);
  Result<std::uint64_t> Await(Request& request, bool leads);
  Turn Lead(Request& request);
  void LeadOthers();
  void Hook();
  Turn WaitForTurn(const Request& request) const;
  void Wake(Request* request, Turn turn);
  void WakeDone(std::span<Request* const> requests);
  // These with the mutex held.
  Turn WriteNext(std::unique_lock<std::mutex>& lock);
  bool HasLeader();
  Group TakeGroup();
  void HandOver();
  void Stop(const Error& why);
  void Answer(const Group& group, const Result<void>& result);

  // Only by the one who leads.
  Written WriteGroup(const Group& group);
  Written WriteFrames(const Group& group);
  std::uint64_t Encode(Request& request, std::uint64_t lsn);
  Written TakeBack(int error);
  Written BeginSegment();
  Written CutZeros();
  std::int64_t ZerosFor(std::int64_t frame_bytes) const;
  bool HasFrames() const;
  bool Fits(std::size_t bytes) const;
  std::unexpected<Error> UnknownFate(std::string_view action, int error) const;
  Result<void> RunHook(const Group& group);

  const WalOptions options_;
  LogDisk& disk_;
  const LogId id_;
  const std::string folder_;
  const LogGroupHook hook_;
  const std::unique_ptr<LockFile> owner_;
  DurableWord durable_;
  std::atomic<std::uint64_t> durable_lsn_{0};

  WaitingWords turns_;

  std::mutex mutex_;                   // guards what follows
  std::condition_variable room_;       // waiting_bytes_ went down, or the log stopped
  std::condition_variable hook_over_;  // groups that waited for the hook have it
  std::condition_variable leader_turn_;
  std::deque<Request*> queue_;  // its front leads, if is_led_, or the log's own thread
  bool is_led_ = false;
  bool is_leaders_turn_ = false;
  bool is_closing_ = false;
  std::size_t waiting_bytes_ = 0;  // of calls that have no answer yet
  std::vector<Group> hooks_;  // groups that are written and wait for the hook; the first of the first runs it
  bool is_hooked_ = false;    // the hook runs, or somebody is on the way to run it
  std::optional<Error> stopped_;

  OwnedSegments segments_;
  // Only used by the one who leads.
  OpenFile segment_;
  SegmentPlace place_;
  std::int64_t segment_bytes_ = 0;  // of its header and frames
  std::int64_t file_bytes_ = 0;     // with the zeros behind these
  std::vector<std::byte> buffer_;
  std::vector<LogEntry> entries_;  // by the one whose hook runs

  std::thread leader_;  // made when many wait for the first time; last: it uses all the others
};

}  // namespace tidemark::wal
