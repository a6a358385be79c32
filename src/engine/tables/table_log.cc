// Appends, groups and repair.
#include "engine/tables/table_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "base/result.h"
#include "engine/online_write.h"
#include "engine/tables/batch_content.h"
#include "engine/tables/frame_rows.h"
#include "engine/tables/source_rows.h"
#include "engine/tables/table_rows.h"
#include "model/feature_table.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// Frames of a log that is read again are settled whenever they are so much.
constexpr std::int64_t kReplayBytes = std::int64_t{8} << 20;
constexpr std::size_t kRowsMeasured = 64;  // what the others of a batch will take is known by these
constexpr std::int64_t kRetryFoldersUs = 1'000'000;
constexpr std::int64_t kRetryToReadUs = 1'000'000;

/// What an append leaves for its group.
struct Waiting {
  const PackedRows* online = nullptr;
  bool to_folder = false;
  BatchContent content;
  TableLog::OnlineLater* later = nullptr;  // rows that are not the group's to merge
};

template <typename Array>
std::shared_ptr<Array> ColumnOf(const arrow::RecordBatch& batch, const std::string& name) {
  return std::static_pointer_cast<Array>(batch.GetColumnByName(name));
}

/// Microseconds of a column of TableSchema's timestamps.
Result<std::shared_ptr<arrow::Int64Array>> MicrosOf(const arrow::RecordBatch& batch,
                                                    const std::string& name) {
  const auto column = batch.GetColumnByName(name);
  if (column == nullptr)
    return Fail(ErrorCode::kCorruption, fmt::format("logged rows have no column '{}'", name));
  return NullableTimesToMicros(*column, name, 0);
}

/// What the event times of a table's rows have beyond their microseconds.
class SpellingReader {
 public:
  SpellingReader(const CatalogView& view, const arrow::RecordBatch& batch, const arrow::Int64Array& micros)
      : micros_(micros) {
    if (!view.definition.is_table()) return;
    const TableOptions& table = view.definition.table;
    const TypeKind kind = table.timestamp_type.kind;
    if (kind == TypeKind::kString) texts_ = ColumnOf<arrow::StringArray>(batch, table.timestamp_field);
    if (kind == TypeKind::kFloat64 && table.timestamp_unit == TimeUnit::kSeconds)
      seconds_ = ColumnOf<arrow::DoubleArray>(batch, table.timestamp_field);
  }

  TimeSpelling At(std::int64_t row) const {
    if (texts_ != nullptr) return SpellingOf(texts_->GetView(row));
    return seconds_ != nullptr ? SpellingOf(seconds_->Value(row), micros_.Value(row)) : TimeSpelling{};
  }

 private:
  const arrow::Int64Array& micros_;
  std::shared_ptr<arrow::StringArray> texts_;
  std::shared_ptr<arrow::DoubleArray> seconds_;
};

WrittenBatch BatchOf(const LogRecord& record, LogPosition position, const BatchContent& content) {
  return {record.table_id, record.batch_key, position, record.write_time_us, content};
}

/// Of a frame that is read again; unknown if its view is gone.
Result<BatchContent> ContentOf(const LogRecord& record, const CatalogView* view) {
  if (view == nullptr) return BatchContent{};
  TM_ASSIGN(const auto rows, DecodeRows(record));
  BatchContentSum sum(AsTable(*view).definition.table.created_timestamp_column, record.targets);
  TM_TRY(sum.Add(*rows));
  return sum.content();
}

/// What the ledger knows a frame by that has got its file: no text, so no key of a user's.
std::string FileKey(LogPosition position) {
  return fmt::format("{}file {} {}", '\x01', FormatLogId(position.log), position.lsn);
}

std::unexpected<Error> NotInFolderYet(const Error& why) {
  return Fail(
      ErrorCode::kUnknownFate,
      fmt::format(
          "the rows are logged, but not in their batch source yet: {}; mend that, and they are brought "
          "there when the store is next written to or opened",
          why.ToString()));
}

}  // namespace

TableLog::TableLog(TableLogParts parts) : parts_(std::move(parts)) {}

Result<WriteLog*> TableLog::Own() {
  const std::lock_guard lock(mutex_);
  if (own_ == nullptr) {
    TM_ASSIGN(own_, parts_.logs->Create(
                        [this](LogId log, std::span<const LogEntry> group) { return OnGroup(log, group); }));
  }
  return own_.get();
}

Result<TableLog::Written> TableLog::Append(const LogRecord& record, const PackedRows* online,
                                           const FolderRows* folder, const BatchContent& content) {
  std::unique_ptr<BatchLedger::Hold> hold;
  if (!record.batch_key.empty()) {
    TM_ASSIGN(hold, parts_.ledger->Acquire(record.table_id, record.batch_key));
    // A writer that died with this batch in its log has not told the ledger.
    TM_TRY(Recover());
    TM_ASSIGN(const auto seen,
              parts_.ledger->Seen(record.table_id, record.batch_key, parts_.clock->now_us()));
    if (seen) {
      TM_TRY(CheckSameContent(record.batch_key, seen->content, content));
      if (folder != nullptr) TM_TRY(RequireFile(record.table_id, seen->position));
      return Written{seen->position, true};
    }
  }
  TM_ASSIGN(WriteLog* const log, Own());
  Waiting waiting{online, folder != nullptr, content};
  TM_ASSIGN(const LogPosition position, log->Append(record, &waiting));
  if (folder != nullptr) TM_TRY(FinishFile(*folder, record, position));
  return Written{position, false};
}

Result<std::vector<TableLog::Written>> TableLog::AppendTogether(std::span<const Write> writes) {
  std::vector<Written> answers(writes.size());
  std::vector<std::size_t> chosen;  // those that are written now
  std::unique_ptr<BatchLedger::Hold> hold;
  const std::string_view batch_key = writes.front().record.batch_key;
  if (!batch_key.empty()) {
    std::vector<std::uint32_t> table_ids;
    for (const Write& write : writes)
      table_ids.push_back(write.record.table_id);
    TM_ASSIGN(hold, parts_.ledger->Acquire(table_ids, batch_key));
    TM_TRY(Recover());
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const LogRecord& record = writes[i].record;
    TM_CHECK(record.batch_key == batch_key, "frames that are written together have one batch key");
    std::optional<SeenBatch> seen;
    if (!batch_key.empty()) {
      TM_ASSIGN(seen, parts_.ledger->Seen(record.table_id, batch_key, parts_.clock->now_us()));
    }
    if (!seen) {
      chosen.push_back(i);
      continue;
    }
    TM_TRY(CheckSameContent(batch_key, seen->content, writes[i].content));
    if (writes[i].folder != nullptr) TM_TRY(RequireFile(record.table_id, seen->position));
    answers[i] = {seen->position, true};
  }
  if (chosen.empty()) return answers;
  std::deque<Waiting> waiting;
  std::vector<LogAppend> appends;
  for (const std::size_t i : chosen) {
    const Write& write = writes[i];
    waiting.push_back({write.online, write.folder != nullptr, write.content});
    appends.push_back({&write.record, &waiting.back()});
  }
  TM_ASSIGN(WriteLog* const log, Own());
  TM_ASSIGN(LogPosition position, log->Append(appends));
  Result<void> finished;
  for (const std::size_t i : chosen) {
    answers[i].position = position;
    ++position.lsn;
    if (writes[i].folder == nullptr) continue;
    auto added = FinishFile(*writes[i].folder, writes[i].record, answers[i].position);
    if (!added && finished) finished = std::move(added);
  }
  if (!finished) return std::unexpected(std::move(finished).error());
  return answers;
}

/// The file of a frame that is logged.
Result<void> TableLog::FinishFile(const FolderRows& folder, const LogRecord& record, LogPosition position) {
  auto added = AddFile(folder, record, position);
  const std::lock_guard lock(mutex_);
  unfinished_[position.log].erase(position.lsn);
  if (added) return {};
  FailFrom(position);
  return NotInFolderYet(added.error());
}

/// A batch that is sent again is acknowledged only if its file is there.
Result<void> TableLog::RequireFile(std::uint32_t table_id, LogPosition position) {
  if (position.log == 0) return {};  // it went straight to a file
  TM_ASSIGN(const bool is_there, HasFile(table_id, position));
  if (is_there) return {};
  {
    const std::lock_guard lock(mutex_);
    retry_us_.erase(position.log);
  }
  TM_TRY(Recover());
  TM_ASSIGN(const bool is_mended, HasFile(table_id, position));
  const auto others = FolderError();
  return is_mended || others ? Result<void>() : NotInFolderYet(others.error());
}

Result<void> TableLog::AppendLater(std::span<const LaterWrite> writes) {
  TM_ASSIGN(WriteLog* const log, Own());
  std::vector<Waiting> waiting(writes.size());
  std::vector<LogAppend> appends;
  appends.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const auto& [record, online] = writes[i];
    TM_CHECK(record.batch_key.empty() && (online == nullptr || &online->log_ == this),
             "rows for later are of this log, without a key");
    waiting[i].later = online;
    appends.push_back({&record, &waiting[i]});
  }
  TM_TRY(log->Append(appends));
  return {};
}

Result<void> TableLog::MergeLater(std::span<OnlineLater* const> rows) {
  std::vector<OnlineWrite> writes;
  for (const OnlineLater* each : rows) {
    const auto own = each->rows_.Writes();
    writes.insert(writes.end(), own.begin(), own.end());
  }
  const auto merge = [&]() -> Result<void> {
    if (writes.empty()) return {};
    TM_ASSIGN(const auto online, parts_.online());
    TM_TRY(online->Merge(writes, {}));
    return {};
  };
  auto merged = merge();
  const std::lock_guard lock(mutex_);
  for (OnlineLater* each : rows)
    Settle(*each, merged.has_value());
  return merged;
}

TableLog::OnlineLater::~OnlineLater() {
  const std::lock_guard lock(log_.mutex_);
  log_.Settle(*this, false);
}

void TableLog::Settle(OnlineLater& online, bool is_merged) {
  if (!online.unmerged_) {
    online.was_merged_ = is_merged;
    return;
  }
  const LogPosition position = *std::exchange(online.unmerged_, std::nullopt);
  unfinished_[position.log].erase(position.lsn);
  if (!is_merged) FailFrom(position);
}

void TableLog::FailFrom(LogPosition position) {
  auto& failed_from = failed_from_.try_emplace(position.log, position.lsn).first->second;
  failed_from = std::min(failed_from, position.lsn);
  retry_us_.erase(position.log);
}

Result<void> TableLog::AddFile(const FolderRows& rows, const LogRecord& record, LogPosition position) {
  TM_ASSIGN(const auto reader,
            FromArrowResult(arrow::RecordBatchReader::Make({SourceRows(rows.view, *rows.rows)})));
  TM_TRY(parts_.folders->Add(*rows.view.definition.source,
                             {.name = FileNameOf(record.write_time_us, position)}, *reader));
  const std::string key = FileKey(position);
  const WrittenBatch written{record.table_id, key, position, parts_.clock->now_us(), {}};
  return parts_.ledger->Record({&written, 1});
}

Result<bool> TableLog::HasFile(std::uint32_t table_id, LogPosition position) const {
  if (parts_.is_read_only) return false;
  TM_ASSIGN(const auto seen, parts_.ledger->Seen(table_id, FileKey(position), parts_.clock->now_us()));
  return seen.has_value();
}

Result<bool> TableLog::Once(std::uint32_t table_id, std::string_view batch_key,
                            FunctionRef<Result<void>()> write, FunctionRef<Result<BatchContent>()> content) {
  if (batch_key.empty()) {
    TM_TRY(write());
    return true;
  }
  TM_ASSIGN(const auto hold, parts_.ledger->Acquire(table_id, batch_key));
  TM_TRY(Recover());
  const std::int64_t now_us = parts_.clock->now_us();
  TM_ASSIGN(const auto seen, parts_.ledger->Seen(table_id, batch_key, now_us));
  if (seen && !seen->content.is_known()) return false;
  if (!seen) TM_TRY(write());
  TM_ASSIGN(const BatchContent now, content());
  if (seen) {
    TM_TRY(CheckSameContent(batch_key, seen->content, now));
    return false;
  }
  const WrittenBatch written{table_id, batch_key, {}, now_us, now};
  TM_TRY(parts_.ledger->Record({&written, 1}));
  return true;
}

Result<void> TableLog::OnGroup(LogId log, std::span<const LogEntry> group) {
  std::vector<OnlineWrite> writes;
  std::vector<WrittenBatch> batches;
  for (const LogEntry& entry : group) {
    const auto* const waiting = static_cast<const Waiting*>(entry.caller);
    if (waiting->online != nullptr) {
      const auto rows = waiting->online->Writes();
      writes.insert(writes.end(), rows.begin(), rows.end());
    }
    if (!entry.record->batch_key.empty())
      batches.push_back(BatchOf(*entry.record, {log, entry.lsn}, waiting->content));
  }
  const auto apply = [&]() -> Result<void> {
    if (!writes.empty()) {
      TM_ASSIGN(const auto online, parts_.online());
      TM_TRY(online->Merge(writes, {}));
    }
    return batches.empty() ? Result<void>() : parts_.ledger->Record(batches);
  };
  auto applied = apply();
  const std::lock_guard lock(mutex_);
  applied_ = {log, group.back().lsn};
  for (const LogEntry& entry : group) {
    const auto [rows, is_new] = unflushed_.try_emplace(entry.record->table_id);
    if (is_new) rows->second.oldest_us = parts_.clock->now_us();
    rows->second.bytes += std::ssize(entry.record->payload);
  }
  if (!applied) FailFrom({log, group.front().lsn});
  for (const LogEntry& entry : group) {
    const auto* const waiting = static_cast<const Waiting*>(entry.caller);
    if (applied && waiting->to_folder) unfinished_[log].insert(entry.lsn);
    if (waiting->later == nullptr) continue;
    if (waiting->later->was_merged_) {
      if (!*waiting->later->was_merged_) FailFrom({log, entry.lsn});
      continue;
    }
    waiting->later->unmerged_ = LogPosition{log, entry.lsn};
    unfinished_[log].insert(entry.lsn);
  }
  return applied;
}

Result<void> TableLog::Recover() {
  if (parts_.is_read_only) return {};
  TM_ASSIGN(const auto orphans, parts_.logs->Orphans());
  for (const LogId id : orphans) {
    TM_ASSIGN(auto adopted, parts_.logs->Adopt(id));
    if (adopted == nullptr) continue;  // another process was first
    const std::lock_guard lock(mutex_);
    failed_from_.insert_or_assign(id, 1);
    adopted_.push_back(std::move(adopted));
  }
  std::map<LogId, std::uint64_t> failed;
  {
    const std::lock_guard lock(mutex_);
    failed = failed_from_;
    const std::int64_t now_us = parts_.clock->now_us();
    for (const auto& [log, retry_us] : retry_us_) {
      if (now_us < retry_us) failed.erase(log);
    }
  }
  if (failed.empty()) return {};
  TM_ASSIGN(const auto snapshots, Snapshots());
  for (const auto& snapshot : snapshots) {
    if (!failed.contains(snapshot->id())) continue;
    TM_ASSIGN(auto folder_errors, Replay(*snapshot));
    const std::lock_guard lock(mutex_);
    const auto still = failed_from_.find(snapshot->id());
    if (still == failed_from_.end()) continue;
    // A group of this log that came after the snapshot may have failed meanwhile.
    if (still->second > snapshot->durable_lsn()) continue;
    if (folder_errors.empty()) {
      failed_from_.erase(still);
      folder_errors_.erase(snapshot->id());
      retry_us_.erase(snapshot->id());
      continue;
    }
    still->second = std::ranges::min(folder_errors | std::views::values, {}, &FolderFailure::lsn).lsn;
    folder_errors_.insert_or_assign(snapshot->id(), std::move(folder_errors));
    retry_us_.insert_or_assign(snapshot->id(), parts_.clock->now_us() + kRetryFoldersUs);
  }
  return {};
}

Result<void> TableLog::RecoverToRead() {
  if (parts_.is_read_only) return {};
  const auto is_only_own = [&] {
    return own_ != nullptr && !failed_from_.empty() &&
           std::ranges::all_of(failed_from_ | std::views::keys, [&](LogId log) { return log == own_->id(); });
  };
  const std::int64_t now_us = parts_.clock->now_us();
  {
    const std::lock_guard lock(mutex_);
    if (now_us < read_retry_us_ && is_only_own()) return {};
  }
  auto recovered = Recover();
  if (recovered || recovered.error().code != ErrorCode::kOutOfSpace) return recovered;
  TM_ASSIGN(const auto orphans, parts_.logs->Orphans());
  const std::lock_guard lock(mutex_);
  if (!orphans.empty() || !is_only_own()) return recovered;
  read_retry_us_ = now_us + kRetryToReadUs;
  return {};
}

Result<void> TableLog::FolderError() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [log, errors] : folder_errors_) {
    if (!errors.empty()) return std::unexpected(errors.begin()->second.error);
  }
  return {};
}

/// What frames of a log that is read again are to bring to the online store and the ledger: many frames at
/// once, as each merge is a transaction. The ledger is told of a batch after its rows have been merged.
struct TableLog::Replayed {
  std::vector<FrameOnlineRows> rows;
  std::deque<std::string> keys;  // that `batches` refer to
  std::vector<WrittenBatch> batches;
  std::int64_t bytes = 0;
  FolderErrors folder_errors;  // of all frames

  void Note(const LogRecord& record, LogPosition position, const BatchContent& content) {
    WrittenBatch written = BatchOf(record, position, content);
    written.key = keys.emplace_back(record.batch_key);
    batches.push_back(written);
  }
};

Result<TableLog::FolderErrors> TableLog::Replay(const LogSnapshot& log) {
  std::map<std::uint32_t, std::shared_ptr<const CatalogView>> views;
  Replayed replayed;
  const auto replay = [&](const LogFrame& frame) -> Result<void> {
    const LogRecord& record = frame.record;
    if (!HasRows(record.kind)) return {};
    // There are fewer rows than bytes.
    if (parts_.write_times) parts_.write_times->Pass(record.write_time_us, std::ssize(record.payload));
    auto view = views.find(record.table_id);
    if (view == views.end()) {
      TM_ASSIGN(auto found, parts_.view(record.table_id));
      view = views.emplace(record.table_id, std::move(found)).first;
    }
    const LogPosition position{log.id(), frame.lsn};
    if (view->second != nullptr) TM_TRY(ReplayFrame(frame, *view->second, position, replayed));
    if (!record.batch_key.empty()) {
      TM_ASSIGN(const BatchContent content, ContentOf(record, view->second.get()));
      replayed.Note(record, position, content);
    }
    replayed.bytes += std::ssize(record.payload);
    return replayed.bytes < kReplayBytes ? Result<void>() : Settle(replayed);
  };
  TM_TRY(log.Read(0, std::nullopt, replay));
  TM_TRY(Settle(replayed));
  return std::move(replayed.folder_errors);
}

Result<void> TableLog::Settle(Replayed& replayed) {
  std::vector<OnlineWrite> writes;
  for (const FrameOnlineRows& frame : replayed.rows) {
    const auto rows = frame.rows.Writes();
    writes.insert(writes.end(), rows.begin(), rows.end());
  }
  if (!writes.empty()) {
    TM_ASSIGN(const auto online, parts_.online());
    TM_TRY(online->Merge(writes, {}));
  }
  if (!replayed.batches.empty()) TM_TRY(parts_.ledger->Record(replayed.batches));
  replayed = {
      .rows = {}, .keys = {}, .batches = {}, .bytes = 0, .folder_errors = std::move(replayed.folder_errors)};
  return {};
}

Result<void> TableLog::ReplayFrame(const LogFrame& frame, const CatalogView& view, LogPosition position,
                                   Replayed& replayed) {
  const LogRecord& record = frame.record;
  const bool is_online = (record.targets & kLogToOnline) != 0 && view.definition.online;
  const bool is_in_folder = (record.targets & kLogToOffline) != 0 && !view.definition.is_table();
  if (!is_online && !is_in_folder) return {};
  TM_ASSIGN(const auto decoded, DecodeRows(record));
  const CatalogView table = AsTable(view);
  TM_ASSIGN(const auto batch, AlignBatch(table, TableSchema(table), decoded));
  if (is_online) {
    TM_ASSIGN(FrameOnlineRows rows, OnlineRowsOf(view, CurrentLayout(view), *batch, parts_.clock->now_us()));
    replayed.rows.push_back(std::move(rows));
  }
  if (!is_in_folder || replayed.folder_errors.contains(record.table_id)) return {};
  auto added = AddMissingFile({view, batch}, record, position);
  if (!added) {
    replayed.folder_errors.emplace(
        record.table_id,
        FolderFailure{position.lsn, std::move(added).error().In("view " + view.definition.name)});
  }
  return {};
}

Result<void> TableLog::AddMissingFile(const FolderRows& rows, const LogRecord& record, LogPosition position) {
  TM_ASSIGN(const bool is_there, HasFile(record.table_id, position));
  if (is_there) return {};
  const BatchSource& source = *rows.view.definition.source;
  // Rows for a folder that the view has no more, which were never acknowledged, are nobody's.
  if (const auto checked = parts_.folders->Check(source, *SourceSchema(rows.view));
      !checked && checked.error().code == ErrorCode::kUnsupported) {
    return {};
  }
  bool is_own = false;
  {
    const std::lock_guard lock(mutex_);
    is_own = own_ != nullptr && own_->id() == position.log;
  }
  // What this process writes at this moment is none.
  if (!is_own) TM_TRY(parts_.folders->RemoveRemains(source, FileNameOf(record.write_time_us, position)));
  return AddFile(rows, record, position);
}

Result<void> TableLog::Trim(const FlushedUpTo& flushed) {
  const std::lock_guard trimming(trim_mutex_);
  TM_ASSIGN(const auto snapshots, Snapshots());
  std::vector<OwnedLog*> owned;
  {
    const std::lock_guard lock(mutex_);
    if (own_ != nullptr) owned.push_back(own_.get());
    for (const auto& adopted : adopted_)
      owned.push_back(adopted.get());
  }
  for (OwnedLog* log : owned) {
    const auto found =
        std::ranges::find_if(snapshots, [log](const auto& snapshot) { return snapshot->id() == log->id(); });
    if (found != snapshots.end()) TM_TRY(TrimLog(*log, **found, flushed));
  }
  // One that was trimmed to its end is gone.
  const std::lock_guard lock(mutex_);
  std::erase_if(adopted_, [&](const auto& adopted) {
    return std::ranges::find(owned, adopted.get()) != owned.end() &&
           std::ranges::none_of(snapshots, [&](const auto& each) { return each->id() == adopted->id(); });
  });
  return {};
}

std::map<std::uint32_t, TableLog::UnflushedRows> TableLog::Unflushed() const {
  const std::lock_guard lock(mutex_);
  return unflushed_;
}

std::optional<TableLog::UnflushedRows> TableLog::TakeUnflushed(std::uint32_t table_id) {
  const std::lock_guard lock(mutex_);
  const auto found = unflushed_.find(table_id);
  if (found == unflushed_.end()) return std::nullopt;
  const UnflushedRows rows = found->second;
  unflushed_.erase(found);
  return rows;
}

void TableLog::PutBack(std::uint32_t table_id, const UnflushedRows& rows) {
  const std::lock_guard lock(mutex_);
  UnflushedRows& waiting = unflushed_.try_emplace(table_id, UnflushedRows{0, rows.oldest_us}).first->second;
  waiting.bytes += rows.bytes;
  waiting.oldest_us = std::min(waiting.oldest_us, rows.oldest_us);
}

bool TableLog::HasAdopted() const {
  const std::lock_guard lock(mutex_);
  return !adopted_.empty();
}

bool TableLog::IsOwned(LogId log) const {
  const std::lock_guard lock(mutex_);
  if (own_ != nullptr && own_->id() == log) return true;
  return std::ranges::any_of(adopted_, [log](const auto& adopted) { return adopted->id() == log; });
}

std::uint64_t TableLog::SafeUpTo(const LogSnapshot& log) {
  const std::lock_guard lock(mutex_);
  std::uint64_t upto = log.durable_lsn();
  // What is durable may still be on its way to the online store.
  if (own_ != nullptr && own_->id() == log.id())
    upto = applied_.log == log.id() ? std::min(upto, applied_.lsn) : 0;
  const auto unfinished = unfinished_.find(log.id());
  if (unfinished != unfinished_.end() && !unfinished->second.empty())
    upto = std::min(upto, *unfinished->second.begin() - 1);
  const auto failed = failed_from_.find(log.id());
  return failed == failed_from_.end() ? upto : std::min(upto, failed->second - 1);
}

Result<void> TableLog::TrimLog(OwnedLog& owned, const LogSnapshot& log, const FlushedUpTo& flushed) {
  std::map<std::uint32_t, std::uint64_t> flushed_lsns;
  std::uint64_t upto = SafeUpTo(log);
  const auto look = [&](const LogFrame& frame) -> Result<void> {
    if (frame.lsn > upto || (frame.record.targets & kLogToOffline) == 0) return {};
    auto mark = flushed_lsns.find(frame.record.table_id);
    if (mark == flushed_lsns.end()) {
      TM_ASSIGN(const std::uint64_t lsn, flushed(frame.record.table_id, log.id()));
      mark = flushed_lsns.emplace(frame.record.table_id, lsn).first;
    }
    if (mark->second < frame.lsn) upto = frame.lsn - 1;
    return {};
  };
  TM_TRY(log.Read(0, std::nullopt, look));
  if (upto == 0) return {};
  TM_ASSIGN(const auto online, parts_.online());
  TM_TRY(online->Sync());
  TM_TRY(parts_.ledger->Sync());
  return owned.Trim({log.id(), upto});
}

Result<FrameOnlineRows> OnlineRowsOf(const CatalogView& view, const PackedLayout& layout,
                                     const arrow::RecordBatch& batch, std::int64_t now_us) {
  FrameOnlineRows out;
  arrow::ArrayVector keys;
  arrow::ArrayVector features;
  for (const JoinKey& key : view.join_keys) {
    TM_ASSIGN(auto canonical, CanonicalKey(batch.GetColumnByName(key.name), *key.type, key.name, 0));
    keys.push_back(std::move(canonical));
  }
  for (const Field& field : view.definition.fields)
    features.push_back(batch.GetColumnByName(field.name));
  TM_ASSIGN(const auto event, MicrosOf(batch, view.definition.event_column()));
  std::shared_ptr<arrow::Int64Array> created;  // null: the view's files have none, and all count as equal
  if (!view.definition.created_column().empty()) {
    TM_ASSIGN(created, MicrosOf(batch, view.definition.created_column()));
  }
  TM_ASSIGN(const auto write_time, MicrosOf(batch, system_column::kWriteTime));
  TM_ASSIGN(const auto expires_at, MicrosOf(batch, system_column::kExpiresAt));
  const auto is_deleted = ColumnOf<arrow::BooleanArray>(batch, system_column::kIsDeleted);
  const auto origin = ColumnOf<arrow::Int32Array>(batch, system_column::kOrigin);
  const SpellingReader spelling(view, batch, *event);
  const OnlineBatch packing(layout, view.id, keys, features);
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    if (event->Value(row) > now_us + kFutureToleranceUs) {
      ++out.ahead;
      continue;
    }
    PackedHeader header;
    header.order = {EventTime{event->Value(row)}, CreatedTime{created == nullptr ? 0 : created->Value(row)},
                    write_time->Value(row), static_cast<std::uint32_t>(origin->Value(row))};
    header.spelling = spelling.At(row);
    header.is_deleted = is_deleted->Value(row);
    if (expires_at->IsValid(row)) header.expires_at_us = expires_at->Value(row);
    header.schema_version = static_cast<std::uint32_t>(view.version);
    TM_TRY(packing.Add(row, header, out.rows));
    if (out.rows.size() == kRowsMeasured) out.rows.Reserve(batch.num_rows() - row - 1);
  }
  return out;
}

}  // namespace tidemark
