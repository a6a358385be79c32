// What a registered table has: its files, and of CSV its columns. Kept as a note of its object.
//
// Of CSV the note is the table. Of Parquet, whose files are in the table's snapshots, it only remembers how
// they looked, by which refresh knows one that was written over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/registered_table.h"
#include "store/external_files.h"

namespace tidemark {

inline constexpr std::string_view kListingNote = "files";

struct TableListing {
  std::vector<CsvColumn> columns = {};
  std::vector<ForeignFile> files = {};  // by path
};

std::string ToJson(const TableListing& listing);
/// kCorruption for what is none.
Result<TableListing> ListingFromJson(std::string_view json);

/// How CSV columns grew.
struct CsvGrowth {
  std::vector<std::string> added = {};
  std::vector<std::string> widened = {};
};

enum class CsvMerge : bool { kStrict, kTextFitsAll };

/// Makes `table` columns that the file's values fit into: new ones at the end, wider ones (int64 to float64,
/// date to timestamp), and with kTextFitsAll text where nothing else will do. kTypeMismatch, naming column
/// and both types.
Result<void> MergeCsvColumns(const std::vector<CsvColumn>& file, const std::vector<FolderColumn>& folders,
                             CsvMerge how, std::vector<CsvColumn>& table, CsvGrowth& growth);

/// Columns that the folders of files say: int64 where every value is an integer, or else string.
/// kInvalidArgument for files that do not lie in folders of the same names.
Result<std::vector<FolderColumn>> FolderColumnsOf(const std::vector<ForeignFile>& files);

/// kInvalidArgument or kTypeMismatch for a file whose folders are not those of the table's partitions.
Result<void> CheckFolders(const ForeignFile& file, const std::vector<FolderColumn>& columns);

/// A partition as a user names it ("y=2019/m=07/", also in full below `root`), as "y=2019/m=07".
/// kInvalidArgument for what is no partition; with `columns`, of them.
Result<std::string> NormalPartition(const std::string& text, const std::string& root,
                                    const std::vector<FolderColumn>* columns);

/// The partition that a file lies in: "y=2019/m=07"; empty for none.
std::string PartitionOf(const FolderValues& folders);

}  // namespace tidemark
