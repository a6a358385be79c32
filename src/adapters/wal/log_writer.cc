// Group commit, segments one after the other, and what becomes of failures.
#include "adapters/wal/log_writer_internal.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <random>
#include <span>
#include <system_error>
#include <tuple>

#include "adapters/wal/log_error_internal.h"
#include "base/check.h"
#include "base/thread_turns.h"

namespace tidemark::wal {
namespace {

constexpr std::size_t kGroupBytesMax = std::size_t{8} << 20;
constexpr std::size_t kBufferBytesKept = std::size_t{1} << 20;
// That wait for their hook. What comes while one runs is often a few writes and then many; beyond that they
// wait to be written together.
constexpr std::size_t kGroupsAhead = 2;
constexpr std::size_t kManyWaiting = 4;
constexpr std::int64_t kSmallShare = 4;  // frames that are smaller than this part of the zeros are small

LogId NewLogId() {
  std::random_device random;
  return LogId{random()} << 32 | random();
}

Result<void> CheckRecord(const LogRecord& record) {
  const auto over = [](std::string_view what, std::size_t bytes, std::size_t most) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has {} bytes, at most {} are allowed", what, bytes, most));
  };
  if (record.batch_key.size() > kBatchKeyBytesMax)
    return over("the idempotency key", record.batch_key.size(), kBatchKeyBytesMax);
  if (record.stream_offsets.size() > kStreamOffsetsBytesMax)
    return over("the batch's stream offsets", record.stream_offsets.size(), kStreamOffsetsBytesMax);
  if (record.payload.size() > kLogPayloadBytesMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the batch has {} bytes, at most {} go through the log at once: write fewer rows at a "
                    "time, or ingest them in bulk",
                    record.payload.size(), kLogPayloadBytesMax));
  }
  TM_CHECK(record.kind != FrameKind::kFence || record.payload.size() == kFenceBytes,
           "a fence is a keyed hash of 32 bytes");
  return {};
}

// Makes the folder of all logs, and makes sure that it is there after a loss of power.
Result<void> MakeLogsFolder(LogDisk& disk, const std::string& logs) {
  std::error_code error;
  if (std::filesystem::is_directory(logs, error)) return {};
  const std::string parent = std::filesystem::path(logs).parent_path().string();
  std::filesystem::create_directories(parent, error);
  if (error) return FailWith(error.value(), "make the folder", parent);
  if (const int code = disk.MakeFolder(logs); code < 0 && code != -EEXIST)
    return FailWith(-code, "make the folder", logs);
  if (const int code = disk.SyncFolder(parent); code < 0) return FailWith(-code, "sync the folder", parent);
  return {};
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::Create(const WalOptions& options, LogGroupHook hook) {
  LogDisk& disk = *options.disk;
  TM_TRY(MakeLogsFolder(disk, options.folder));
  // Nobody takes the log over before its owner has locked it.
  TM_ASSIGN(const auto creating,
            LockFile::Open(CreatingPath(options.folder), LockFile::Access::kFull, /*create=*/true));
  TM_TRY(creating->Lock(0));
  LogId id = NewLogId();
  int made = disk.MakeFolder(LogFolder(options.folder, id));
  for (; made == -EEXIST; made = disk.MakeFolder(LogFolder(options.folder, id)))
    id = NewLogId();
  const std::string folder = LogFolder(options.folder, id);
  if (made < 0) return FailWith(-made, "make the folder", folder);
  TM_ASSIGN(auto owner, LockFile::Open(OwnerPath(folder), LockFile::Access::kFull, /*create=*/true));
  TM_ASSIGN(const bool is_locked, owner->TryLock(kOwnedByte));
  TM_CHECK(is_locked, "a log that is being made is owned by another");
  TM_ASSIGN(DurableWord durable, DurableWord::OpenToWrite(disk, folder));
  std::unique_ptr<LogWriter> writer(
      new LogWriter(options, id, std::move(hook), std::move(owner), std::move(durable)));
  TM_TRY(writer->BeginFirstSegment());
  if (const int code = disk.SyncFolder(options.folder); code < 0)
    return FailWith(-code, "sync the folder", options.folder);
  return writer;
}

LogWriter::LogWriter(const WalOptions& options, LogId id, LogGroupHook hook, std::unique_ptr<LockFile> owner,
                     DurableWord durable)
    : options_(options),
      disk_(*options.disk),
      id_(id),
      folder_(LogFolder(options.folder, id)),
      hook_(std::move(hook)),
      owner_(std::move(owner)),
      durable_(std::move(durable)),
      segments_(disk_, folder_, id, {}),
      place_{.log = id, .number = 0} {}

Result<void> LogWriter::BeginFirstSegment() {
  // Its name is on the disk with the first segment's.
  TM_TRY(TrimmedMark::Write(disk_, folder_, id_, 0));
  return BeginSegment().result;
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  leader_turn_.notify_one();
  if (leader_.joinable()) leader_.join();
  TM_CHECK(queue_.empty() && !is_led_, "a log was closed while it was written to");
  if (stopped_) return;
  if (segments_.first_lsn() != durable_lsn() + 1) {
    // Zeros that cannot be cut now are cut by whoever adopts it.
    if (file_bytes_ > segment_bytes_) std::ignore = disk_.Truncate(segment_.fd(), segment_bytes_);
    return;
  }
  // An empty log that cannot be removed now is removed by whoever adopts it.
  [[maybe_unused]] const Result<void> removed = RemoveLog(disk_, options_.folder, id_);
}

Result<LogPosition> LogWriter::Append(std::span<const LogAppend> together) {
  TM_CHECK(!together.empty(), "nothing is appended to a log");
  if (together.size() > kLogTogetherMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} batches are written together, at most {} can be: write to fewer views at once",
                    together.size(), kLogTogetherMax));
  }
  std::array<std::uint32_t, 1> of_one{};
  std::vector<std::uint32_t> of_many(together.size() == 1 ? 0 : together.size());
  const std::span<std::uint32_t> checksums = together.size() == 1 ? std::span(of_one) : std::span(of_many);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < together.size(); ++i) {
    TM_TRY(CheckRecord(*together[i].record));
    checksums[i] = PayloadChecksum(together[i].record->payload);
    bytes += FrameBytes(*together[i].record);
  }
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] {
    return stopped_ || waiting_bytes_ == 0 || waiting_bytes_ + bytes <= options_.waiting_bytes_max;
  });
  if (stopped_) return std::unexpected(*stopped_);
  Request request;
  request.appends = together;
  request.payload_checksums = checksums;
  request.bytes = bytes;
  const bool leads = Enqueue(request);
  lock.unlock();
  TM_ASSIGN(const std::uint64_t lsn, Await(request, leads));
  return LogPosition{.log = id_, .lsn = lsn};
}

// True if the request is to lead.
bool LogWriter::Enqueue(Request& request) {
  request.turn.Reset(static_cast<std::uint32_t>(Turn::kWaiting));
  turns_.Admit(request.turn);
  waiting_bytes_ += request.bytes;
  queue_.push_back(&request);
  return !std::exchange(is_led_, true);
}

LogWriter::Turn LogWriter::WaitForTurn(const Request& request) const {
  turns_.WaitWhile(request.turn, static_cast<std::uint32_t>(Turn::kWaiting));
  return static_cast<Turn>(request.turn.load());
}

Result<std::uint64_t> LogWriter::Await(Request& request, bool leads) {
  Turn turn = leads ? Turn::kLead : WaitForTurn(request);
  if (turn == Turn::kLead) turn = Lead(request);
  if (turn == Turn::kHook) Hook();
  if (!request.answer) return std::unexpected(std::move(request.answer).error());
  return request.lsn;
}

void LogWriter::Wake(Request* request, Turn turn) {
  WaitingWords::Setting(turns_).Set(request->turn, static_cast<std::uint32_t>(turn));
}

// Writes a group, and returns what its first request, the caller's, is to do then.
LogWriter::Turn LogWriter::Lead(Request& request) {
  std::unique_lock lock(mutex_);
  const Turn next = WriteNext(lock);
  if (next != Turn::kWaiting) return next;
  request.turn.Reset(static_cast<std::uint32_t>(Turn::kWaiting));
  lock.unlock();
  return WaitForTurn(request);
}

// The log's own thread.
void LogWriter::LeadOthers() {
  RunInShortTurns();
  std::unique_lock lock(mutex_);
  while (true) {
    leader_turn_.wait(lock, [this] { return is_leaders_turn_ || is_closing_; });
    if (!std::exchange(is_leaders_turn_, false)) return;
    if (WriteNext(lock) != Turn::kHook) continue;
    Request* const first = hooks_.front().front();
    lock.unlock();  // it begins by taking it
    Wake(first, Turn::kHook);
    lock.lock();
  }
}

// Writes a group, and hands the lead on. Returns what is left for its first request to do: nothing, to run
// the hook, or to wait until it is to be run.
LogWriter::Turn LogWriter::WriteNext(std::unique_lock<std::mutex>& lock) {
  hook_over_.wait(lock, [&] { return hooks_.size() < kGroupsAhead; });
  Group group = TakeGroup();
  lock.unlock();
  const Written written = WriteGroup(group);
  lock.lock();
  if (written.stops) Stop(written.result.error());
  HandOver();
  if (!written.result || group.front()->appends.empty()) {
    Answer(group, written.result);
    WakeDone(group);
    return Turn::kDone;
  }
  hooks_.push_back(std::move(group));
  return std::exchange(is_hooked_, true) ? Turn::kWaiting : Turn::kHook;
}

// Runs the hook for all groups that wait for it, whose first is the caller's: what it does has a cost of its
// own, as large for one group as for two.
void LogWriter::Hook() {
  std::unique_lock lock(mutex_);
  Group all = std::move(hooks_.front());
  for (const Group& next : std::span(hooks_).subspan(1))
    all.insert(all.end(), next.begin(), next.end());
  hooks_.clear();
  hook_over_.notify_all();
  lock.unlock();
  const Result<void> ran = RunHook(all);
  lock.lock();
  Answer(all, ran);
  is_hooked_ = !hooks_.empty();
  if (is_hooked_) Wake(hooks_.front().front(), Turn::kHook);
  lock.unlock();
  WakeDone(std::span(all).subspan(1));
}

void LogWriter::Answer(const Group& group, const Result<void>& result) {
  for (Request* request : group) {
    waiting_bytes_ -= request->bytes;
    request->answer = result;
  }
  room_.notify_all();
}

void LogWriter::WakeDone(std::span<Request* const> requests) {
  WaitingWords::Setting setting(turns_);
  for (Request* request : requests)
    setting.Set(request->turn, static_cast<std::uint32_t>(Turn::kDone));
}

// As many appends as go into one write of one segment; or the beginning of a new segment alone, whose caller
// leads.
LogWriter::Group LogWriter::TakeGroup() {
  Group group{queue_.front()};
  queue_.pop_front();
  if (group.front()->appends.empty()) return group;
  std::size_t bytes = group.front()->bytes;
  const std::int64_t begin = Fits(bytes) ? segment_bytes_ : static_cast<std::int64_t>(kSegmentHeaderBytes);
  const std::size_t room =
      options_.segment_bytes - std::min(options_.segment_bytes, static_cast<std::size_t>(begin));
  while (!queue_.empty() && !queue_.front()->appends.empty()) {
    bytes += queue_.front()->bytes;
    if (bytes > std::min(room, kGroupBytesMax)) break;
    group.push_back(queue_.front());
    queue_.pop_front();
  }
  return group;
}

void LogWriter::HandOver() {
  is_led_ = !queue_.empty();
  if (!is_led_) return;
  if (queue_.size() >= kManyWaiting && HasLeader()) {
    is_leaders_turn_ = true;
    leader_turn_.notify_one();
  } else {
    Wake(queue_.front(), Turn::kLead);
  }
}

// A thread that gives way to others would make one that does, too, and have all wait for it.
bool LogWriter::HasLeader() {
  if (leader_.joinable()) return true;
  if (GivesWay()) return false;
  try {
    leader_ = std::thread([this] { LeadOthers(); });
  } catch (const std::system_error&) {
    return false;  // there are too many threads: callers lead then
  }
  return true;
}

void LogWriter::Stop(const Error& why) {
  if (!stopped_) {
    stopped_ =
        Error{ErrorCode::kIo,
              fmt::format("the log takes no more writes, because an earlier one failed ({}): nothing of this "
                          "one was written; close the store and open it again, which recovers what the log "
                          "has",
                          why.message),
              fmt::format("log {}", folder_)};
  }
  for (Request* request : queue_) {
    waiting_bytes_ -= request->bytes;
    request->answer = std::unexpected(*stopped_);
    Wake(request, Turn::kDone);
  }
  queue_.clear();
}

bool LogWriter::HasFrames() const {
  return segment_bytes_ > static_cast<std::int64_t>(kSegmentHeaderBytes);
}

// What is appended at once and larger than a segment may be gets one of its own.
bool LogWriter::Fits(std::size_t bytes) const {
  return !HasFrames() || static_cast<std::size_t>(segment_bytes_) + bytes <= options_.segment_bytes;
}

LogWriter::Written LogWriter::WriteGroup(const Group& group) {
  const Request& first = *group.front();
  if (first.appends.empty()) {
    const bool can_all_go = HasFrames() && durable_lsn() <= first.lsn;
    return can_all_go ? BeginSegment() : Written{};
  }
  if (!Fits(first.bytes)) {
    if (Written begun = BeginSegment(); !begun.result) return begun;
  }
  return WriteFrames(group);
}

LogWriter::Written LogWriter::WriteFrames(const Group& group) {
  std::uint64_t lsn = durable_lsn();
  buffer_.clear();
  for (Request* request : group)
    lsn = Encode(*request, lsn);
  const std::int64_t frame_bytes = std::ssize(buffer_);
  buffer_.resize(buffer_.size() + static_cast<std::size_t>(ZerosFor(frame_bytes)));
  if (const int error = WriteAll(disk_, segment_.fd(), buffer_, segment_bytes_); error != 0)
    return TakeBack(error);
  if (const int code = disk_.Sync(segment_.fd()); code < 0)
    return {.result = UnknownFate("sync", -code), .stops = true};
  file_bytes_ = std::max(file_bytes_, segment_bytes_ + std::ssize(buffer_));
  segment_bytes_ += frame_bytes;
  if (buffer_.capacity() > kBufferBytesKept) buffer_ = {};
  durable_lsn_.store(lsn);
  durable_.store(lsn);
  return {};
}

// Adds the frames of a request behind frame `lsn`; answers the last one's.
std::uint64_t LogWriter::Encode(Request& request, std::uint64_t lsn) {
  request.lsn = lsn + 1;
  for (std::size_t i = 0; i < request.appends.size(); ++i) {
    EncodeFrame(place_, segment_bytes_ + static_cast<std::int64_t>(buffer_.size()),
                {.lsn = ++lsn,
                 .durable_lsn = durable_lsn(),
                 .behind = static_cast<std::uint16_t>(request.appends.size() - 1 - i),
                 .record = *request.appends[i].record},
                request.payload_checksums[i], buffer_);
  }
  return lsn;
}

// As many as there are frames, so that a log of a few is small; none while there are some.
std::int64_t LogWriter::ZerosFor(std::int64_t frame_bytes) const {
  const auto most = static_cast<std::int64_t>(options_.ahead_bytes);
  const std::int64_t end = segment_bytes_ + frame_bytes;
  if (end <= file_bytes_ || frame_bytes > most / kSmallShare) return 0;
  const std::int64_t room = static_cast<std::int64_t>(options_.segment_bytes) - end;
  return std::clamp<std::int64_t>(std::min(most, end), 0, std::max<std::int64_t>(0, room));
}

std::unexpected<Error> LogWriter::UnknownFate(std::string_view action, int error) const {
  return std::unexpected(Error{
      ErrorCode::kUnknownFate,
      fmt::format("cannot {}: {}; the rows may be in the log or not: close the store and open it again, and "
                  "look (a batch with an idempotency key can be sent again)",
                  action, std::generic_category().message(error)),
      fmt::format("log {}", folder_)});
}

// After a write that failed: what came of it must not be there, now or after a loss of power, or else nobody
// knows.
LogWriter::Written LogWriter::TakeBack(int error) {
  const bool is_certain =
      disk_.Truncate(segment_.fd(), segment_bytes_) >= 0 && disk_.Sync(segment_.fd()) >= 0;
  if (!is_certain) return {.result = UnknownFate("write", error), .stops = true};
  file_bytes_ = segment_bytes_;
  return {.result = FailWith(error, "write, and nothing was written", folder_), .stops = !IsFull(error)};
}

// A segment that another one follows ends with its last frame. Nothing has happened yet if it cannot be cut.
LogWriter::Written LogWriter::CutZeros() {
  if (file_bytes_ == segment_bytes_) return {};
  if (const int code = disk_.Truncate(segment_.fd(), segment_bytes_); code < 0)
    return {.result = FailWith(-code, "cut a segment", folder_), .stops = !IsFull(-code)};
  file_bytes_ = segment_bytes_;
  if (const int code = disk_.Sync(segment_.fd()); code < 0)
    return {.result = FailWith(-code, "sync a segment that was cut", folder_), .stops = true};
  return {};
}

// The one before has been synced, with its last group.
LogWriter::Written LogWriter::BeginSegment() {
  if (Written cut = CutZeros(); !cut.result) return cut;
  const SegmentHeader header{.place = {.log = id_, .number = place_.number + 1},
                             .first_lsn = durable_lsn() + 1};
  const std::string path = SegmentPath(folder_, header.place.number);
  const int fd = disk_.Open(path, O_RDWR | O_CREAT | O_EXCL);
  // Nothing has happened yet: files can be too many, or the disk full, for a while.
  if (fd < 0) return {.result = FailWith(-fd, "make the next segment", path), .stops = false};
  OpenFile made(fd);
  const int error = WriteAll(disk_, fd, EncodeSegmentHeader(header), 0);
  int code = error == 0 ? disk_.Sync(fd) : 0;
  if (error == 0 && code >= 0) code = disk_.SyncFolder(folder_);
  if (error != 0 || code < 0) {
    const bool is_gone = disk_.Remove(path) >= 0;
    return {.result = FailWith(error != 0 ? error : -code, "make the next segment", path),
            .stops = !is_gone || !IsFull(error)};
  }
  segment_ = std::move(made);
  place_ = header.place;
  segment_bytes_ = kSegmentHeaderBytes;
  file_bytes_ = kSegmentHeaderBytes;
  segments_.Add({.number = header.place.number, .first_lsn = header.first_lsn});
  return {};
}

Result<void> LogWriter::RunHook(const Group& group) {
  if (!hook_) return {};
  entries_.clear();
  for (const Request* request : group) {
    std::uint64_t lsn = request->lsn;
    for (const LogAppend& append : request->appends)
      entries_.push_back({.lsn = lsn++, .record = append.record, .caller = append.caller});
  }
  Result<void> ran = hook_(id_, entries_);
  if (ran) return {};
  return std::unexpected(
      Error{ErrorCode::kUnknownFate,
            fmt::format("the rows are in the log, but what follows failed: {}", ran.error().message),
            ran.error().context});
}

Result<void> LogWriter::Trim(LogPosition upto) {
  if (upto.log != id_ || upto.lsn > durable_lsn()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("log {} ends at {} and cannot be trimmed to {} of log {}", FormatLogId(id_),
                            durable_lsn(), upto.lsn, FormatLogId(upto.log)));
  }
  if (upto.lsn >= durable_lsn()) {
    std::unique_lock lock(mutex_);
    if (stopped_) return std::unexpected(*stopped_);
    Request request;
    request.lsn = upto.lsn;
    const bool leads = Enqueue(request);
    lock.unlock();
    TM_TRY(Await(request, leads));
  }
  return segments_.RemoveUpTo(upto.lsn);
}

}  // namespace tidemark::wal
