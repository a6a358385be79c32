// Tables over files of other people: read where they lie, never rewritten, moved or removed.
//
// A foreign table is a table of the catalog like any other, with snapshots, so that every engine reads it
// with no export; but its data files are somebody else's. Its columns are found from the files by their
// names, and those that only folders' names say (`y=2019/m=07`) are kept per file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/offline_store.h"
#include "store/source.h"
#include "store/table_catalog.h"

namespace tidemark {

/// Values that folders say, by the column's name, outermost first; no value stands for null.
using FolderValues = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct ForeignFile {
  SourceFile file = {};  // as it was found
  FolderValues folders = {};
};

/// What a foreign table is made with.
struct ForeignLayout {
  std::vector<TableColumn> folder_columns = {};  // int64 or string; one that files have too is theirs
  TableProperties properties = {};
};

struct ForeignWork {
  std::size_t threads = 0;  // to read footers with; 0: one per processor
  std::stop_token stop = {};
  /// A file that cannot be read, or does not fit, is left out and told of, instead of failing all.
  bool skips_bad_files = false;
  /// Called after each commit with how many batches are done; may be empty.
  std::function<void(std::size_t batches)> committed = {};
};

/// Each batch is one commit, in their order.
struct ForeignChange {
  /// Files that the table has already are passed over, unless `removed` names them too: then they are read
  /// anew.
  std::vector<std::vector<ForeignFile>> added = {};
  std::vector<std::string> removed = {};  // paths; they go with the first batch, or alone
};

/// What came of it.
struct ForeignOutcome {
  std::int64_t snapshot_id = 0;           // the newest
  std::vector<std::string> added = {};    // paths
  std::vector<std::string> removed = {};  // paths
  std::vector<std::string> new_columns = {};
  std::vector<std::string> widened = {};   // "n: int32 -> int64"
  std::vector<std::string> left_out = {};  // columns of types without a counterpart
  std::vector<Error> bad_files = {};       // that were left out
};

struct ForeignState {
  struct File {
    std::string path;
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    std::int64_t added_us = 0;  // when the snapshot that added it was committed; 0: not known any more
    FolderValues folders = {};
  };
  std::vector<TableColumn> columns = {};  // those that Tidemark has types for
  std::vector<std::string> folder_columns = {};
  std::vector<File> files = {};
  std::int64_t snapshot_id = 0;
  std::string metadata_path = {};
};

/// Thread safe; several processes may change one table. Errors of files name them: kNotFound for one that is
/// not there, kCorruption for a damaged one, kTypeMismatch for one whose columns do not fit those of the
/// others (names column and both types), kUnsupported for one whose columns have field ids, by which other
/// engines would find the wrong ones. Besides them those of OfflineTable.
class ForeignTables {
 public:
  virtual ~ForeignTables() = default;

  /// The table is in the catalog with all of its files, or not at all. kAlreadyExists if the id or the name
  /// is taken.
  virtual Result<ForeignOutcome> Create(TableId id, const TableName& name, const ForeignLayout& layout,
                                        const std::vector<ForeignFile>& files, const ForeignWork& work) = 0;

  /// All files are looked into before the first commit, so that a bad one changes nothing. An error after it
  /// leaves the batches that were committed.
  virtual Result<ForeignOutcome> Change(TableId id, const ForeignChange& change, const ForeignWork& work) = 0;

  virtual Result<ForeignState> Load(TableId id) = 0;

  struct CleanupTimes {
    std::int64_t snapshots_before_us = 0;
    std::int64_t orphans_before_us = 0;
  };
  /// Forgets old snapshots, and removes files of the table's own (metadata, never data) that crashed writers
  /// left, as far as they are that old.
  virtual Result<CleanupReport> CleanUp(TableId id, const CleanupTimes& times) = 0;

  /// Forgets the table; nothing happens if it is not there.
  virtual Result<void> Drop(TableId id) = 0;
};

}  // namespace tidemark
