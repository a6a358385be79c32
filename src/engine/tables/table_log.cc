// Appends, groups and repair.
#include "engine/tables/table_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "engine/online_write.h"
#include "engine/tables/table_rows.h"
#include "model/feature_table.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// What an append leaves for its group.
struct Waiting {
  const PackedRows* online = nullptr;
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

WrittenBatch BatchOf(const LogRecord& record, LogPosition position) {
  return {record.table_id, record.batch_key, position, record.write_time_us};
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

Result<TableLog::Written> TableLog::Append(const LogRecord& record, const PackedRows* online) {
  std::unique_ptr<BatchLedger::Hold> hold;
  if (!record.batch_key.empty()) {
    TM_ASSIGN(hold, parts_.ledger->Acquire(record.table_id, record.batch_key));
    // A writer that died with this batch in its log has not told the ledger.
    TM_TRY(Recover());
    TM_ASSIGN(const auto seen,
              parts_.ledger->Seen(record.table_id, record.batch_key, parts_.clock->now_us()));
    if (seen) return Written{*seen, true};
  }
  TM_ASSIGN(WriteLog* const log, Own());
  Waiting waiting{online};
  TM_ASSIGN(const LogPosition position, log->Append(record, &waiting));
  return Written{position, false};
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
    if (!entry.record->batch_key.empty()) batches.push_back(BatchOf(*entry.record, {log, entry.lsn}));
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
  if (!applied) failed_from_.try_emplace(log, group.front().lsn);
  return applied;
}

Result<void> TableLog::Recover() {
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
  }
  if (failed.empty()) return {};
  TM_ASSIGN(const auto snapshots, Snapshots());
  for (const auto& snapshot : snapshots) {
    if (!failed.contains(snapshot->id())) continue;
    TM_TRY(Replay(*snapshot));
    const std::lock_guard lock(mutex_);
    const auto still = failed_from_.find(snapshot->id());
    if (still == failed_from_.end()) continue;
    // A group of this log that came after the snapshot may have failed meanwhile.
    if (still->second <= snapshot->durable_lsn()) failed_from_.erase(still);
  }
  return {};
}

Result<void> TableLog::Replay(const LogSnapshot& log) {
  const auto replay = [&](const LogFrame& frame) -> Result<void> {
    const LogRecord& record = frame.record;
    if (record.kind != FrameKind::kRows) return {};
    if ((record.targets & kLogToOnline) != 0) {
      TM_ASSIGN(const auto view, parts_.view(record.table_id));
      if (view != nullptr && view->definition.online) {
        TM_ASSIGN(const auto decoded, DecodeBatch(record.payload));
        TM_ASSIGN(const auto batch, AlignBatch(*view, decoded));
        TM_ASSIGN(const FrameOnlineRows rows, OnlineRowsOf(*view, *batch, parts_.clock->now_us()));
        TM_ASSIGN(const auto online, parts_.online());
        TM_TRY(online->Merge(rows.rows->packed().Writes(), {}));
      }
    }
    if (record.batch_key.empty()) return {};
    const WrittenBatch written = BatchOf(record, {log.id(), frame.lsn});
    return parts_.ledger->Record({&written, 1});
  };
  return log.Read(0, std::nullopt, replay);
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
  return {};
}

std::uint64_t TableLog::SafeUpTo(const LogSnapshot& log) {
  const std::lock_guard lock(mutex_);
  std::uint64_t upto = log.durable_lsn();
  // What is durable may still be on its way to the online store.
  if (own_ != nullptr && own_->id() == log.id())
    upto = applied_.log == log.id() ? std::min(upto, applied_.lsn) : 0;
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

Result<FrameOnlineRows> OnlineRowsOf(const CatalogView& view, const arrow::RecordBatch& batch,
                                     std::int64_t now_us) {
  FrameOnlineRows out;
  for (const JoinKey& key : view.join_keys) {
    TM_ASSIGN(auto canonical, CanonicalKey(batch.GetColumnByName(key.name), *key.type, key.name, 0));
    out.keys.push_back(std::move(canonical));
  }
  for (const Field& field : view.definition.fields)
    out.features.push_back(batch.GetColumnByName(field.name));
  TM_ASSIGN(const auto event, MicrosOf(batch, view.definition.event_column()));
  TM_ASSIGN(const auto created, MicrosOf(batch, view.definition.created_column()));
  TM_ASSIGN(const auto write_time, MicrosOf(batch, system_column::kWriteTime));
  TM_ASSIGN(const auto expires_at, MicrosOf(batch, system_column::kExpiresAt));
  const auto is_deleted = ColumnOf<arrow::BooleanArray>(batch, system_column::kIsDeleted);
  const auto origin = ColumnOf<arrow::Int32Array>(batch, system_column::kOrigin);
  out.layout = std::make_unique<PackedLayout>(CurrentLayout(view));
  out.rows = std::make_unique<OnlineBatch>(*out.layout, view.id, out.keys, out.features);
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    if (event->Value(row) > now_us + kFutureToleranceUs) {
      ++out.ahead;
      continue;
    }
    PackedHeader header;
    header.order = {EventTime{event->Value(row)}, CreatedTime{created->Value(row)}, write_time->Value(row),
                    static_cast<std::uint32_t>(origin->Value(row))};
    header.is_deleted = is_deleted->Value(row);
    if (expires_at->IsValid(row)) header.expires_at_us = expires_at->Value(row);
    header.schema_version = static_cast<std::uint32_t>(view.version);
    TM_TRY(out.rows->Add(row, header));
  }
  return out;
}

}  // namespace tidemark
