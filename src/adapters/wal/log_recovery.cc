// One pass over the segments that looks, then at most one write and one sync.
#include "adapters/wal/log_recovery_internal.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "adapters/wal/log_error_internal.h"
#include "adapters/wal/segment_reader_internal.h"

namespace tidemark::wal {
namespace {

std::unexpected<Error> Damaged(const std::string& path, std::string_view what) {
  return std::unexpected(Error{
      ErrorCode::kCorruption,
      fmt::format(
          "{}: rows that were acknowledged are damaged, and nothing was changed; restore the file from a "
          "backup, or move this log's folder out of the store to go on without the rows in it that are "
          "not in the tables yet",
          what),
      fmt::format("log {}", path)});
}

// One segment that was looked at.
struct Checked {
  SegmentHeader header;
  bool is_half_made = false;   // no header: it was being made
  std::uint64_t next_lsn = 0;  // after its frames that hold, and all that belong together with them
  std::int64_t bytes = 0;      // of the file
  std::int64_t end = 0;        // behind the last of these frames
  std::int64_t known_end = 0;  // behind the last one that the word says is durable
};

class Recovery {
 public:
  Recovery(LogDisk& disk, const std::string& folder, LogId id) : disk_(disk), folder_(folder), id_(id) {}

  Result<RecoveredLog> Run() {
    TM_ASSIGN(word_, DurableWord::Look(disk_, folder_));
    TM_ASSIGN(std::vector<std::uint64_t> numbers, ListSegments(folder_));
    RecoveredLog recovered;
    Checked last;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      TM_ASSIGN(const Checked checked, Check(numbers, i, recovered));
      if (checked.is_half_made) break;
      if (i == 0) {
        TM_ASSIGN(const std::string missing, MissingBefore(disk_, folder_, checked.header));
        if (!missing.empty()) return Damaged(SegmentPath(folder_, numbers[0]), missing);
      }
      recovered.segments.push_back({.number = numbers[i], .first_lsn = checked.header.first_lsn});
      recovered.last_lsn = checked.next_lsn - 1;
      last = checked;
    }
    if (recovered.last_lsn < word_) {
      const std::size_t last_read = std::min(recovered.segments.size(), numbers.size() - 1);
      return Damaged(numbers.empty() ? folder_ : SegmentPath(folder_, numbers[last_read]),
                     fmt::format("frame {} was durable, but the log ends at {}", word_, recovered.last_lsn));
    }
    if (recovered.segments.size() < numbers.size()) TM_TRY(RemoveHalfMade(numbers.back()));
    if (!recovered.segments.empty()) TM_TRY(MakeDurable(last));
    TM_ASSIGN(DurableWord word, DurableWord::OpenToWrite(disk_, folder_));
    word.store(recovered.last_lsn);
    return recovered;
  }

 private:
  Result<Checked> Check(const std::vector<std::uint64_t>& numbers, std::size_t i,
                        const RecoveredLog& before) {
    const std::string path = SegmentPath(folder_, numbers[i]);
    const bool is_last = i + 1 == numbers.size();
    if (i > 0 && numbers[i] != numbers[i - 1] + 1)
      return Damaged(path, fmt::format("segment {} is missing before it", numbers[i] - 1));
    TM_ASSIGN(const OpenFile file, Open(disk_, path, O_RDONLY));
    Checked checked;
    TM_ASSIGN(checked.bytes, file.Bytes(path));
    SegmentReader reader(ReadFrom(file.fd(), path), checked.bytes);
    auto header = reader.ReadHeader();
    if (!header) return std::unexpected(std::move(header).error().In("log " + path));
    if (!*header) {
      // Frames are written only after the header was synced.
      checked.is_half_made = is_last && checked.bytes <= static_cast<std::int64_t>(kSegmentHeaderBytes);
      if (!checked.is_half_made) return Damaged(path, "its header does not hold");
      return checked;
    }
    checked.header = **header;
    const SegmentPlace& place = checked.header.place;
    if (place.log != id_ || place.number != numbers[i])
      return Damaged(path, fmt::format("it is segment {} of log {}", place.number, FormatLogId(place.log)));
    if (i > 0 && checked.header.first_lsn != before.last_lsn + 1) {
      return Damaged(path, fmt::format("it begins with frame {} where {} is the next",
                                       checked.header.first_lsn, before.last_lsn + 1));
    }
    TM_TRY(CheckFrames(path, is_last, reader, checked));
    return checked;
  }

  Result<void> CheckFrames(const std::string& path, bool is_last, SegmentReader& reader,
                           Checked& checked) const {
    SegmentReader::Step step = SegmentReader::Step::kFrame;
    checked.known_end = reader.offset();
    while (true) {
      LogFrame frame;
      TM_ASSIGN(step, reader.Next([](const LogFrame&) { return true; }, frame));
      if (step != SegmentReader::Step::kFrame) break;
      if (frame.lsn <= word_) checked.known_end = reader.offset();
    }
    checked.next_lsn = reader.whole_lsn();
    checked.end = reader.whole_offset();
    if (step == SegmentReader::Step::kEnd && checked.end == reader.offset()) return {};
    bool was_durable = !is_last || word_ >= checked.next_lsn;
    if (!was_durable) {
      TM_ASSIGN(const std::uint64_t said, reader.DurableSaidLater());
      was_durable = said >= checked.next_lsn;
    }
    if (!was_durable) return {};
    return Damaged(path, fmt::format("frame {} at byte {} {}", reader.next_lsn(), reader.offset(),
                                     step == SegmentReader::Step::kEnd ? "is missing" : "does not hold"));
  }

  Result<void> RemoveHalfMade(std::uint64_t number) {
    const std::string path = SegmentPath(folder_, number);
    if (const int code = disk_.Remove(path); code < 0) return FailWith(-code, "remove", path);
    if (const int code = disk_.SyncFolder(folder_); code < 0)
      return FailWith(-code, "sync the folder", folder_);
    return {};
  }

  // Cuts the tail, and writes anew what is not known to be on the disk: if its owner ended after a sync that
  // failed, the system takes these pages for clean, and syncing them would do nothing.
  Result<void> MakeDurable(const Checked& last) {
    const bool is_whole = last.end == last.bytes;
    if (is_whole && last.known_end == last.end) return {};
    const std::string path = SegmentPath(folder_, last.header.place.number);
    TM_ASSIGN(const OpenFile file, Open(disk_, path, O_RDWR));
    std::vector<std::byte> tail(static_cast<std::size_t>(last.end - last.known_end));
    TM_TRY(ReadFrom(file.fd(), path)(last.known_end, tail, tail.size()));
    if (!is_whole) {
      if (const int code = disk_.Truncate(file.fd(), last.end); code < 0) return FailWith(-code, "cut", path);
    }
    if (const int error = WriteAll(disk_, file.fd(), tail, last.known_end); error != 0)
      return FailWith(error, "write", path);
    if (const int code = disk_.Sync(file.fd()); code < 0) return FailWith(-code, "sync", path);
    return {};
  }

  LogDisk& disk_;
  const std::string& folder_;
  const LogId id_;
  std::uint64_t word_ = 0;
};

}  // namespace

Result<RecoveredLog> RecoverLog(LogDisk& disk, const std::string& folder, LogId id) {
  return Recovery(disk, folder, id).Run();
}

}  // namespace tidemark::wal
