// Frames become files: exactly once, because how far a log is flushed is part of the same commit. Of a log
// that has grown long a part becomes files at a time, so that it need not fit into memory.
#include <fmt/format.h>

#include <map>
#include <string_view>

#include "base/result.h"
#include "engine/tables/erasures.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/frame_rows.h"
#include "engine/tables/joined_batches.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_rows.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr int kAttemptsMax = 100;

/// How far a flush brings one log.
struct Advance {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

class Flushing {
 public:
  /// `taken`: places of a stream whose epochs are to be raised with the commit. `restarts`: of some of them
  /// how far they shall have been read from then on. `made`: what their stream is known by.
  Flushing(const CatalogView& view, const FeatureTablesParts& parts, std::span<const std::string> taken = {},
           const StreamMarks& restarts = {}, std::string_view made = {})
      : view_(view), parts_(parts), taken_(taken), restarts_(restarts), made_(made) {}

  Result<FlushedTable> Run() {
    TM_ASSIGN(table_, parts_.offline->Open(view_.id));
    FlushedTable flushed;
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
      TM_TRY(Collect());
      if (advances_.empty() && taken_.empty()) return flushed;
      std::unique_ptr<StagedRows> staged;
      if (!batches_.empty()) {  // not all of them have been erased
        TM_ASSIGN(const auto reader, FromArrowResult(arrow::RecordBatchReader::Make(batches_)));
        TM_ASSIGN(staged, table_->Stage(*reader, {.threads = parts_.threads, .stop = {}, .progress = {}}));
      }
      const std::int64_t rows = staged == nullptr ? 0 : staged->rows();
      TM_ASSIGN(const CommitOutcome outcome,
                table_->Append(std::move(staged), [this](const TableHead& head) { return Decide(head); }));
      if (!outcome.committed) continue;
      flushed.rows += rows;
      if (rows > 0) flushed.snapshot_id = outcome.snapshot_id;
      if (!is_cut_) return flushed;
      attempt = -1;  // for the next part
    }
    return Fail(ErrorCode::kBusy,
                fmt::format("view '{}' is flushed by other processes all the time; try again",
                            view_.definition.name));
  }

  /// How far the table has read streams, by the commit.
  const StreamMarks& marks() const { return marks_; }

 private:
  /// Reads what is not in files, or as much as is flushed at a time. The logs first: what they have lost by
  /// then is in the snapshot.
  Result<void> Collect() {
    batches_.clear();
    advances_.clear();
    logs_.clear();
    bytes_ = 0;
    is_cut_ = false;
    TM_ASSIGN(const auto logs, parts_.log->Snapshots());
    TM_ASSIGN(const auto snapshot, table_->Snapshot({}));
    properties_ = snapshot->properties();
    TM_ASSIGN(marks_before_, StreamMarksOf(properties_));
    marks_ = marks_before_;
    TM_ASSIGN(const auto erasures, Erasures::Of(properties_, *parts_.key_hash));
    const auto schema = TableSchema(view_);
    JoinedBatches rows;
    for (const auto& log : logs) {
      logs_.push_back(log->id());
      if (!is_cut_) TM_TRY(CollectLog(*log, schema, rows));
    }
    if (!is_cut_) RaiseEpochs();
    return Keep(rows, erasures.get());
  }

  Result<void> Keep(JoinedBatches& rows, const Erasures* erasures) {
    TM_ASSIGN(auto last, rows.TakeLast());
    batches_ = rows.TakeWhole();
    if (last != nullptr) batches_.push_back(std::move(last));
    if (erasures == nullptr) return {};
    for (auto& batch : batches_) {
      TM_ASSIGN(batch, erasures->Standing(view_, batch));
    }
    std::erase_if(batches_, [](const auto& batch) { return batch->num_rows() == 0; });
    return {};
  }

  /// What comes while parts are flushed is of the last one, so that there is a last one.
  Result<void> CollectLog(const LogSnapshot& log, const std::shared_ptr<arrow::Schema>& schema,
                          JoinedBatches& rows) {
    const std::uint64_t until = first_durable_.try_emplace(log.id(), log.durable_lsn()).first->second;
    Advance advance{FlushedUpTo(properties_, log.id()), log.durable_lsn()};
    bool has_rows = false;
    const auto keep = [&](std::shared_ptr<arrow::RecordBatch> batch) { return rows.Add(std::move(batch)); };
    FrameRows frames(view_, schema, marks_before_, keep);
    auto read = log.Read(advance.from, view_.id, [&](const LogFrame& frame) -> Result<void> {
      if (bytes_ >= parts_.flush_bytes && frame.lsn <= until) {
        is_cut_ = true;
        advance.to = frame.lsn - 1;
        return Fail(ErrorCode::kCancelled, "the rest is read later");
      }
      std::vector<StreamPart> parts;
      TM_ASSIGN(const bool is_of_table, frames.Add(frame, &parts));
      if (!is_of_table) return {};
      has_rows = true;
      bytes_ += std::ssize(frame.record.payload);
      for (const StreamPart& part : parts)
        ReadOn(marks_, part);
      return {};
    });
    if (!read && !is_cut_) return read;
    TM_TRY(frames.Finish());
    if (has_rows) advances_.emplace(log.id(), advance);
    return {};
  }

  void RaiseEpochs() {
    for (const std::string& place : taken_) {
      StreamMark& mark = marks_[place];
      const std::uint64_t epoch = mark.epoch + 1;
      if (const auto restart = restarts_.find(place); restart != restarts_.end()) mark = restart->second;
      mark.epoch = epoch;
      // Of another one than was read it is for who asks to say what is to be.
      if (!made_.empty() && (mark.made.empty() || !mark.read)) mark.made = made_;
    }
  }

  /// Only on top of what was read: another process may have flushed the same frames.
  Result<CommitDecision> Decide(const TableHead& head) const {
    CommitDecision decision;
    const std::int64_t now_us = parts_.clock->now_us();
    // What has been erased since must not reach files.
    if (!HasNoNewFence(properties_, head.properties))
      return CommitDecision{.commit = false, .properties = {}};
    for (const auto& [log, advance] : advances_) {
      if (FlushedUpTo(head.properties, log) != advance.from)
        return CommitDecision{.commit = false, .properties = {}};
      decision.properties.emplace(FlushedName(log), FlushedText(advance.to, now_us));
    }
    // A partition that was taken since has a new owner, who has read on from what was flushed then.
    TM_ASSIGN(const StreamMarks marks, StreamMarksOf(head.properties));
    if (marks != marks_before_) return CommitDecision{.commit = false, .properties = {}};
    for (const auto& [place, mark] : marks_) {
      const auto before = marks_before_.find(place);
      if (before == marks_before_.end() || before->second != mark)
        decision.properties.emplace(StreamMarkName(place), StreamMarkText(mark, now_us));
    }
    ForgetOldMarks(head.properties, logs_, now_us, decision);
    return decision;
  }

  const CatalogView& view_;
  const FeatureTablesParts& parts_;
  const std::span<const std::string> taken_;
  const StreamMarks restarts_;
  const std::string_view made_;
  std::unique_ptr<OfflineTable> table_;
  arrow::RecordBatchVector batches_;
  std::map<LogId, Advance> advances_;
  TableProperties properties_;                    // as the rows were read by
  StreamMarks marks_before_;                      // that they say
  StreamMarks marks_;                             // with the rows
  std::vector<LogId> logs_;                       // all that there are
  std::map<LogId, std::uint64_t> first_durable_;  // of each log, when it was first read
  std::int64_t bytes_ = 0;                        // of the frames
  bool is_cut_ = false;                           // there are more
};

}  // namespace

Result<FlushedTable> FeatureTables::Flush(const CatalogView& view) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->Recover());
  const auto waiting = parts_.log->TakeUnflushed(view.id);
  auto report = Flushing(view, parts_).Run();
  tails_.Forget(view.id);
  if (!report && waiting) parts_.log->PutBack(view.id, *waiting);
  if (!report) return std::unexpected(std::move(report).error().In("view " + view.definition.name));
  return report;
}

Result<StreamMarks> FeatureTables::TakeStream(const CatalogView& view, std::span<const std::string> places,
                                              const StreamMarks& restarts, std::string_view made) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->Recover());
  const auto waiting = parts_.log->TakeUnflushed(view.id);
  Flushing flushing(view, parts_, places, restarts, made);
  auto report = flushing.Run();
  tails_.Forget(view.id);
  if (!report && waiting) parts_.log->PutBack(view.id, *waiting);
  if (!report) return std::unexpected(std::move(report).error().In("view " + view.definition.name));
  return flushing.marks();
}

Result<void> FeatureTables::TrimLogs() const {
  TM_TRY(parts_.log->Recover());
  std::map<std::uint32_t, TableProperties> properties;
  return parts_.log->Trim([&](std::uint32_t table_id, LogId log) -> Result<std::uint64_t> {
    auto found = properties.find(table_id);
    if (found == properties.end()) {
      const auto table = parts_.offline->Open(table_id);
      // Rows of a table that was dropped are needed by nobody.
      if (!table && table.error().code == ErrorCode::kNotFound)
        return std::numeric_limits<std::uint64_t>::max();
      if (!table) return std::unexpected(table.error());
      TM_ASSIGN(const auto snapshot, (*table)->Snapshot({}));
      found = properties.emplace(table_id, snapshot->properties()).first;
    }
    return FlushedUpTo(found->second, log);
  });
}

}  // namespace tidemark
