// Marks and tokens as text.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.h"
#include "base/result.h"
#include "engine/tables/batch_content.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/table_marks_internal.h"
#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr std::string_view kFlushed = "flushed.";
constexpr std::string_view kBatch = "batch.";

template <typename Number>
std::optional<Number> ReadNumber(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The pieces of a text between `separator`s.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const auto at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

struct FlushedMark {
  std::uint64_t lsn = 0;
  std::int64_t when_us = 0;
};

FlushedMark ReadFlushed(std::string_view text) {
  const auto pieces = Split(text, ' ');
  FlushedMark mark;
  mark.lsn = ReadNumber<std::uint64_t>(pieces.front()).value_or(0);
  if (pieces.size() > 1) mark.when_us = ReadNumber<std::int64_t>(pieces[1]).value_or(0);
  return mark;
}

std::unexpected<Error> NotSeen(std::string_view token, std::string_view why) {
  return Fail(ErrorCode::kNotFound, fmt::format("the write {} is not seen here: {}", Quoted(token), why));
}

std::unexpected<Error> NoToken(std::string_view token) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} is no token of a write; pass on what a write answered as its token", Quoted(token)));
}

Result<void> CheckLogged(std::string_view token, LogPosition position,
                         const std::vector<std::unique_ptr<LogSnapshot>>& logs) {
  const auto log = std::ranges::find_if(logs, [&](const auto& each) { return each->id() == position.log; });
  if (log == logs.end()) return NotSeen(token, "its log is not in this store, nor flushed to this table");
  if ((*log)->durable_lsn() >= position.lsn) return {};
  return NotSeen(token, "its log has not come so far yet");
}

Result<void> CheckFrameSeen(std::string_view token, LogPosition position,
                            const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                            const TableSnapshot& snapshot) {
  if (FlushedUpTo(snapshot.properties(), position.log) >= position.lsn) return {};
  return CheckLogged(token, position, logs);
}

Result<void> CheckCommitSeen(std::string_view token, std::int64_t id, std::int64_t committed_us,
                             const TableSnapshot& snapshot, const OfflineTable& table) {
  if (snapshot.id() == id) return {};
  TM_ASSIGN(const auto snapshots, table.Snapshots());
  if (std::ranges::find(snapshots, id, &SnapshotInfo::id) != snapshots.end()) return {};
  // An expired one lives on in those after it.
  if (!snapshots.empty() && snapshots.front().committed_us > committed_us) return {};
  return NotSeen(token, "this table has no such snapshot");
}

}  // namespace

std::string FlushedName(LogId log) {
  return fmt::format("{}{}", kFlushed, FormatLogId(log));
}

std::string FlushedText(std::uint64_t lsn, std::int64_t now_us) {
  return fmt::format("{} {}", lsn, now_us);
}

std::map<std::string, std::uint64_t> FlushedMarks(const TableProperties& properties) {
  std::map<std::string, std::uint64_t> marks;
  for (const auto& [name, value] : properties) {
    if (name.starts_with(kFlushed)) marks.emplace(name.substr(kFlushed.size()), ReadFlushed(value).lsn);
  }
  return marks;
}

std::string BatchName(std::string_view batch_key) {
  std::string name(kBatch);
  for (const std::byte byte : Hash128(std::as_bytes(std::span(batch_key))))
    name += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return name;
}

std::string BatchText(std::int64_t now_us, const BatchContent& content) {
  return fmt::format("{} {}", now_us, ContentText(content));
}

BatchContent ContentOfMark(std::string_view text) {
  const auto pieces = Split(text, ' ');
  return pieces.size() > 1 ? ParseContent(pieces[1]) : BatchContent{};
}

std::uint64_t FlushedUpTo(const TableProperties& properties, LogId log) {
  const auto found = properties.find(FlushedName(log));
  return found == properties.end() ? 0 : ReadFlushed(found->second).lsn;
}

void ForgetOldMarks(const TableProperties& properties, const std::vector<LogId>& logs, std::int64_t now_us,
                    CommitDecision& decision) {
  const std::int64_t old_us = now_us - kBatchMemoryUs;
  for (const auto& [name, value] : properties) {
    if (name.starts_with(kBatch)) {
      if (ReadNumber<std::int64_t>(Split(value, ' ').front()).value_or(0) < old_us)
        decision.properties.emplace(name, std::nullopt);
    } else if (name.starts_with(kFlushed)) {
      const auto log = ParseLogId(std::string_view(name).substr(kFlushed.size()));
      const bool is_there = log && std::ranges::find(logs, *log) != logs.end();
      // A reader that opened the log before it went must still find the mark.
      if (!is_there && ReadFlushed(value).when_us < old_us) decision.properties.emplace(name, std::nullopt);
    }
  }
}

std::string TokenOf(LogPosition position, std::uint8_t targets) {
  return fmt::format("{}:{}:{}", targets == kLogToOnline ? "online" : "log", FormatLogId(position.log),
                     position.lsn);
}

std::string TokenOf(std::int64_t snapshot_id, std::int64_t committed_us) {
  return fmt::format("snapshot:{}:{}", snapshot_id, committed_us);
}

Result<void> CheckSeen(std::string_view token, Sight sight,
                       const std::vector<std::unique_ptr<LogSnapshot>>& logs, const TableSnapshot& snapshot,
                       const OfflineTable& table) {
  const auto pieces = Split(token, ':');
  if (pieces.size() != 3) return NoToken(token);
  if (pieces[0] == "log" || pieces[0] == "online") {
    const auto log = ParseLogId(pieces[1]);
    const auto lsn = ReadNumber<std::uint64_t>(pieces[2]);
    if (!log || !lsn) return NoToken(token);
    if (pieces[0] == "online" && sight == Sight::kTable)
      return NotSeen(token, "it went online only; look it up with get_online_features");
    return CheckFrameSeen(token, {*log, *lsn}, logs, snapshot);
  }
  const auto id = ReadNumber<std::int64_t>(pieces[1]);
  const auto committed_us = ReadNumber<std::int64_t>(pieces[2]);
  if (pieces[0] != "snapshot" || !id || !committed_us) return NoToken(token);
  return CheckCommitSeen(token, *id, *committed_us, snapshot, table);
}

Result<void> CheckSeenInFolder(std::string_view token, Sight sight,
                               const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                               FunctionRef<Result<bool>(LogPosition)> has_file) {
  const auto pieces = Split(token, ':');
  if (pieces.size() != 3) return NoToken(token);
  const auto log = ParseLogId(pieces[1]);
  const auto lsn = ReadNumber<std::uint64_t>(pieces[2]);
  if ((pieces[0] != "log" && pieces[0] != "online") || !log || !lsn) {
    return pieces[0] == "snapshot" ? NotSeen(token, "it was to a feature table") : NoToken(token);
  }
  if (pieces[0] == "online" && sight == Sight::kTable)
    return NotSeen(token, "it went online only; look it up with get_online_features");
  TM_ASSIGN(const bool is_there, has_file({*log, *lsn}));
  return is_there ? Result<void>() : CheckLogged(token, {*log, *lsn}, logs);
}

}  // namespace tidemark
