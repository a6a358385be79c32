// Small data files become few large ones, piece by piece: each piece is read, sorted, written and committed
// on its own, so that memory, and what is done in vain when another commit is first, stay small. Who waited
// for a turn looks anew at what there is to do.
#include <fmt/format.h>

#include <map>
#include <set>

#include "base/result.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/rewrite_turns.h"
#include "engine/tables/table_rewrite_internal.h"

namespace tidemark {
namespace {

constexpr std::int64_t kSmallFileBytes = kDataFileBytes / 4 * 3;
/// How often another commit may have been first.
constexpr int kLostPiecesMax = 10;
/// No writer takes longer from staging to commit.
constexpr std::int64_t kOrphanAgeUs = std::int64_t{24} * 3600 * 1'000'000;

/// The small files of each partition.
std::map<std::string, std::vector<DataFileInfo>> SmallOf(std::vector<DataFileInfo> files) {
  std::map<std::string, std::vector<DataFileInfo>> small;
  for (DataFileInfo& file : files) {
    if (file.bytes < kSmallFileBytes) small[file.partition].push_back(std::move(file));
  }
  std::erase_if(small, [](const auto& each) { return each.second.size() < 2; });
  return small;
}

class Compacting {
 public:
  Compacting(const CatalogView& view, const FeatureTablesParts& parts, const std::stop_token& stop)
      : view_(view), parts_(parts), stop_(stop) {}

  Result<CompactedTable> Run() {
    RewriteTurns& turns = RewriteTurns::OfProcess();
    TM_ASSIGN(const auto turn, turns.Take(fmt::format("{}/{}", parts_.place, view_.id), stop_));
    TM_ASSIGN(table_, parts_.offline->Open(view_.id));
    for (int lost = 0; lost < kLostPiecesMax;) {
      if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_ASSIGN(const auto memory, turns.TakeMemory(stop_));
      TM_ASSIGN(const auto snapshot, table_->Snapshot({}));
      TM_ASSIGN(const std::vector<DataFileInfo> piece, NextPiece(*snapshot));
      if (piece.empty()) return report_;
      TM_ASSIGN(const bool committed, Rewrite(*snapshot, piece));
      if (!committed) ++lost;
    }
    return report_;  // others write all the time: the rest is for the next time
  }

 private:
  /// Files that go together into one commit; none if there is nothing to do.
  Result<std::vector<DataFileInfo>> NextPiece(const TableSnapshot& snapshot) const {
    TM_ASSIGN(std::vector<DataFileInfo> files, snapshot.Files());
    // What was written just now stays as it is, so that this ends.
    std::erase_if(files, [&](const DataFileInfo& file) { return own_.contains(file.added_by); });
    std::vector<DataFileInfo> piece;
    std::int64_t bytes = 0;
    for (auto& [partition, small] : SmallOf(std::move(files))) {
      std::size_t taken = 0;
      for (; taken < small.size() && bytes < kRewriteBytes; ++taken) {
        bytes += small[taken].bytes;
        piece.push_back(std::move(small[taken]));
      }
      if (taken == 1) piece.pop_back();  // alone it stays what it is
      if (bytes >= kRewriteBytes) break;
    }
    return piece;
  }

  Result<bool> Rewrite(const TableSnapshot& snapshot, const std::vector<DataFileInfo>& piece) {
    TM_ASSIGN(const RewrittenFiles made, RewriteFiles(view_, parts_, *table_, snapshot, piece, stop_));
    if (!made.committed) return false;
    own_.insert(made.snapshot_id);
    report_.files_before += std::ssize(piece);
    report_.files_after += made.files;
    report_.rows += made.rows;
    report_.bytes += made.bytes;
    return true;
  }

  const CatalogView& view_;
  const FeatureTablesParts& parts_;
  const std::stop_token& stop_;
  std::unique_ptr<OfflineTable> table_;
  std::set<std::int64_t> own_;  // snapshots
  CompactedTable report_;
};

}  // namespace

Result<CompactedTable> FeatureTables::Compact(const CatalogView& view, const std::stop_token& stop) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  auto report = Compacting(view, parts_, stop).Run();
  if (!report) return std::unexpected(std::move(report).error().In("view " + view.definition.name));
  return report;
}

Result<std::int64_t> FeatureTables::SmallFiles(const CatalogView& view) const {
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  TM_ASSIGN(const auto snapshot, table->Snapshot({}));
  TM_ASSIGN(std::vector<DataFileInfo> files, snapshot->Files());
  std::int64_t count = 0;
  for (const auto& [partition, small] : SmallOf(std::move(files)))
    count += std::ssize(small);
  return count;
}

Result<CleanupReport> FeatureTables::ExpireSnapshots(const CatalogView& view,
                                                     const ExpireOptions& options) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  const auto expire = [&]() -> Result<CleanupReport> {
    TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
    TM_ASSIGN(CleanupReport report, table->ExpireSnapshots(options));
    TM_ASSIGN(const CleanupReport orphans, table->RemoveOrphans(parts_.clock->now_us() - kOrphanAgeUs));
    report.files += orphans.files;
    report.bytes += orphans.bytes;
    return report;
  };
  auto report = expire();
  if (!report) return std::unexpected(std::move(report).error().In("view " + view.definition.name));
  return report;
}

}  // namespace tidemark
