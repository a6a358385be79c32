// Iceberg tables that other engines keep, read as sources; they are never written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/offline_store.h"
#include "store/source.h"

namespace tidemark {

struct ExternalTableOptions {
  std::map<std::string, std::string> field_mapping = {};  // column of the table -> name in definitions
  std::size_t threads = 0;                                // to open files with; 0: one per processor
  std::stop_token stop = {};
};

/// Opens the newest snapshot of an Iceberg table of format version 1 or 2 whose data files are Parquet.
/// `path`, absolute, is a metadata file, or the table's folder: there the file that `version-hint.text` names
/// is taken, or a later one, and without it the one of the greatest version. Columns are found in the files
/// by their ids, or where files state none, by the table's name mapping; columns that only partitions have
/// the values of are constants; columns of types that Tidemark has none for are left out. The files' order,
/// which ends ties, is that of the commits that added them.
///
/// kNotFound if there is no such table or mapped column; kInvalidArgument if two metadata files have the
/// greatest version, or a mapping takes a name twice; kUnsupported for what Tidemark does not read: other
/// versions, delete files, other files than Parquet, files elsewhere than on a local disk, a column that
/// only a partition of a type without a counterpart has, and Tidemark's own feature tables, whose deletions
/// such a source would not see; kCorruption for damage. Errors name the file.
Result<std::unique_ptr<Source>> OpenExternalTable(const std::filesystem::path& path,
                                                  const ExternalTableOptions& options);

/// The newest snapshot of such a table, for those who read its files by themselves.
struct ExternalTableFiles {
  std::filesystem::path metadata;         // the file that says all this, which is never written again
  std::vector<TableColumn> columns = {};  // by their names after the field mapping, with their ids
  std::vector<std::string> paths = {};    // of the data files
};

/// The metadata file that OpenExternalTable would take: another one when the table was written to.
Result<std::filesystem::path> FindTableMetadata(const std::filesystem::path& path);

/// As OpenExternalTable: the same checks, of the data files too, and errors.
Result<ExternalTableFiles> ListExternalTable(const std::filesystem::path& path,
                                             const ExternalTableOptions& options);

}  // namespace tidemark
