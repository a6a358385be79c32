// Data files written anew, without the rows that are erased.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/tables/erasures.h"
#include "engine/tables/feature_tables.h"

namespace tidemark {

inline constexpr std::int64_t kDataFileBytes = std::int64_t{128} << 20;
/// How much is rewritten in one commit.
inline constexpr std::int64_t kRewriteBytes = 4 * kDataFileBytes;

struct RewrittenFiles {
  bool committed = false;  // false: another commit was first, or a key was erased meanwhile
  std::int64_t snapshot_id = 0;
  std::int64_t files = 0;  // that took the place of those before
  std::int64_t rows = 0;   // in them
  std::int64_t bytes = 0;
};

/// Replaces files of the snapshot, which is the newest, by sorted ones, in one commit.
Result<RewrittenFiles> RewriteFiles(const CatalogView& view, const FeatureTablesParts& parts,
                                    OfflineTable& table, const TableSnapshot& snapshot,
                                    const std::vector<DataFileInfo>& files, const std::stop_token& stop);

/// How many rows of a data file are erased.
Result<std::int64_t> CountErasedRows(const CatalogView& view, const TableSnapshot& snapshot,
                                     const DataFileInfo& file, const Erasures& erasures,
                                     const std::stop_token& stop);

/// Takes erased rows out of a table's files.
class TableSweep {
 public:
  /// All of them must outlive this.
  TableSweep(const CatalogView& view, const FeatureTablesParts& parts, OfflineTable& table,
             const std::stop_token& stop)
      : view_(view), parts_(parts), table_(table), stop_(stop) {}

  /// Rewrites the files of the newest snapshot that have erased rows, until there is none, and notes it in
  /// the fences. `may_hold` tells of which files the rows of `known` keys may be; it is asked if no fence of
  /// another key is unswept.
  Result<void> Run(std::span<const KeyMark> known, const FileFilter& may_hold);

  /// True if a snapshot has rows that are erased.
  Result<bool> HoldsErased(const TableSnapshot& snapshot);

  std::int64_t rows_removed() const { return rows_removed_; }
  std::int64_t files_rewritten() const { return files_rewritten_; }

 private:
  void LookAnewFor(const std::vector<Fence>& fences);
  Result<std::vector<DataFileInfo>> NextPiece(const TableSnapshot& snapshot, const Erasures& erasures,
                                              const FileFilter& may_hold, std::int64_t& rows);
  Result<bool> NoteSwept(const TableSnapshot& snapshot, const Erasures& erasures);

  const CatalogView& view_;
  const FeatureTablesParts& parts_;
  OfflineTable& table_;
  const std::stop_token& stop_;
  std::vector<Fence> fences_;    // that `clean_` was found by
  std::set<std::string> clean_;  // files without erased rows
  std::int64_t rows_removed_ = 0;
  std::int64_t files_rewritten_ = 0;
};

}  // namespace tidemark
