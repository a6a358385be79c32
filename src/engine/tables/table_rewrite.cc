// Reading, writing and committing, shared by compaction and erasure; and finding what an erasure must
// rewrite.
#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "engine/tables/rewrite_turns.h"
#include "engine/tables/scanned_rows.h"
#include "engine/tables/table_rewrite_internal.h"
#include "model/feature_table.h"

namespace tidemark {
namespace {

constexpr std::int64_t kSortBytes = std::int64_t{512} << 20;
constexpr int kLostMax = 100;

}  // namespace

Result<RewrittenFiles> RewriteFiles(const CatalogView& view, const FeatureTablesParts& parts,
                                    OfflineTable& table, const TableSnapshot& snapshot,
                                    const std::vector<DataFileInfo>& files, const std::stop_token& stop) {
  RewriteOptions rewrite;
  std::set<std::string> paths;
  std::int64_t bytes = 0;
  for (const DataFileInfo& file : files) {
    rewrite.inputs.push_back(file.path);
    paths.insert(file.path);
    bytes += file.bytes;
  }
  TM_ASSIGN(const auto erasures, Erasures::Of(snapshot.properties(), *parts.key_hash));
  rewrite.erases = erasures != nullptr;
  SourceOptions reading;
  reading.filter = [&](const DataFileInfo& file) { return paths.contains(file.path); };
  reading.columns_of_now = true;
  reading.threads = parts.threads;
  TM_ASSIGN(auto source, snapshot.OpenSource(reading));
  const auto standing =
      [&](std::shared_ptr<arrow::RecordBatch> batch) -> Result<std::shared_ptr<arrow::RecordBatch>> {
    if (erasures == nullptr) return batch;
    return erasures->Standing(view, batch);
  };
  TM_ASSIGN(const auto rows, ScannedRows::Make(std::move(source), standing, stop));
  StageOptions staging;
  // Each thread writes files of its own, which must not be small again.
  staging.threads = static_cast<std::size_t>(
      std::clamp<std::int64_t>(bytes / kDataFileBytes, 1, static_cast<std::int64_t>(parts.threads)));
  staging.file_bytes = kDataFileBytes;
  staging.sort_bytes = kSortBytes;
  staging.stop = stop;
  TM_ASSIGN(auto staged, table.Stage(*rows, staging));
  RewrittenFiles made;
  made.files = static_cast<std::int64_t>(staged->files());
  made.rows = staged->rows();
  made.bytes = staged->bytes();
  // Rows that have been erased since were taken for standing ones.
  const auto rule = [&](const TableHead& head) -> Result<CommitDecision> {
    return CommitDecision{.commit = HasNoNewFence(snapshot.properties(), head.properties), .properties = {}};
  };
  TM_ASSIGN(const CommitOutcome outcome, table.Rewrite(rewrite, std::move(staged), rule));
  made.committed = outcome.committed;
  made.snapshot_id = outcome.snapshot_id;
  return made;
}

Result<std::int64_t> CountErasedRows(const CatalogView& view, const TableSnapshot& snapshot,
                                     const DataFileInfo& file, const Erasures& erasures,
                                     const std::stop_token& stop) {
  SourceOptions reading;
  reading.filter = [&](const DataFileInfo& each) { return each.path == file.path; };
  reading.columns_of_now = true;
  reading.threads = 1;
  reading.stop = stop;
  TM_ASSIGN(const auto source, snapshot.OpenSource(reading));
  std::vector<std::string> columns;
  for (const JoinKey& key : view.join_keys)
    columns.push_back(key.name);
  columns.push_back(system_column::kWriteTime);
  std::int64_t count = 0;
  TM_ASSIGN(const auto fragments, source->Fragments({}));
  for (const Fragment& fragment : fragments) {
    TM_TRY(
        source->Scan(fragment, columns, [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
          if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
          TM_ASSIGN(const auto erased, erasures.ErasedRows(view, batch));
          count += std::ssize(erased);
          return {};
        }));
  }
  return count;
}

Result<void> TableSweep::Run(std::span<const KeyMark> known, const FileFilter& may_hold) {
  for (int lost = 0; lost < kLostMax;) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    TM_ASSIGN(const auto memory, RewriteTurns::OfProcess().TakeMemory(stop_));
    TM_ASSIGN(const auto snapshot, table_.Snapshot({}));
    TM_ASSIGN(const auto erasures, Erasures::Of(snapshot->properties(), *parts_.key_hash));
    if (erasures == nullptr) return {};
    const auto is_known = [&](const Fence& fence) {
      return fence.is_swept || std::ranges::find(known, fence.key) != known.end();
    };
    const bool can_skip = std::ranges::all_of(erasures->fences(), is_known);
    if (std::ranges::all_of(erasures->fences(), &Fence::is_swept)) return {};
    LookAnewFor(erasures->fences());
    std::int64_t rows = 0;
    TM_ASSIGN(const auto piece, NextPiece(*snapshot, *erasures, can_skip ? may_hold : FileFilter(), rows));
    bool committed = false;
    if (piece.empty()) {
      TM_ASSIGN(committed, NoteSwept(*snapshot, *erasures));
      if (committed) return {};
    } else {
      TM_ASSIGN(const RewrittenFiles made, RewriteFiles(view_, parts_, table_, *snapshot, piece, stop_));
      committed = made.committed;
    }
    if (committed) {
      rows_removed_ += rows;
      files_rewritten_ += std::ssize(piece);
    } else {
      ++lost;
    }
  }
  return Fail(ErrorCode::kBusy, "others commit to the table all the time; erase again");
}

void TableSweep::LookAnewFor(const std::vector<Fence>& fences) {
  const auto is_same = [](const Fence& a, const Fence& b) {
    return a.key == b.key && a.upto_us == b.upto_us;
  };
  if (!std::ranges::equal(fences_, fences, is_same)) clean_.clear();
  fences_ = fences;
}

Result<std::vector<DataFileInfo>> TableSweep::NextPiece(const TableSnapshot& snapshot,
                                                        const Erasures& erasures, const FileFilter& may_hold,
                                                        std::int64_t& rows) {
  std::vector<DataFileInfo> piece;
  TM_ASSIGN(const std::vector<DataFileInfo> files, snapshot.Files());
  std::int64_t bytes = 0;
  for (const DataFileInfo& file : files) {
    if (bytes >= kRewriteBytes) break;
    if (clean_.contains(file.path) || (may_hold && !may_hold(file))) continue;
    TM_ASSIGN(const std::int64_t erased, CountErasedRows(view_, snapshot, file, erasures, stop_));
    if (erased == 0) {
      clean_.insert(file.path);
      continue;
    }
    rows += erased;
    bytes += file.bytes;
    piece.push_back(file);
  }
  return piece;
}

Result<bool> TableSweep::NoteSwept(const TableSnapshot& snapshot, const Erasures& erasures) {
  const auto rule = [&](const TableHead& head) -> Result<CommitDecision> {
    CommitDecision decision;
    // Files that came meanwhile have not been looked at.
    decision.commit =
        head.snapshot_id == snapshot.id() && HasNoNewFence(snapshot.properties(), head.properties);
    for (const Fence& fence : erasures.fences()) {
      if (fence.is_swept) continue;
      Fence swept = fence;
      swept.is_swept = true;
      decision.properties.emplace(FenceName(fence.key), FenceText(swept));
    }
    return decision;
  };
  TM_ASSIGN(const CommitOutcome outcome, table_.Append(nullptr, rule));
  return outcome.committed;
}

Result<bool> TableSweep::HoldsErased(const TableSnapshot& snapshot) {
  TM_ASSIGN(const auto erasures, Erasures::Of(snapshot.properties(), *parts_.key_hash));
  if (erasures == nullptr) return false;
  LookAnewFor(erasures->fences());
  TM_ASSIGN(const std::vector<DataFileInfo> files, snapshot.Files());
  for (const DataFileInfo& file : files) {
    if (clean_.contains(file.path)) continue;
    TM_ASSIGN(const std::int64_t erased, CountErasedRows(view_, snapshot, file, *erasures, stop_));
    if (erased > 0) return true;
    clean_.insert(file.path);
  }
  return false;
}

}  // namespace tidemark
