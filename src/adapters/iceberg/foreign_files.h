// Looks into files that somebody else wrote: what a table's manifests and schema say of them.
#pragma once

#include <vector>

#include "adapters/iceberg/foreign_schema.h"
#include "adapters/iceberg/manifest.h"
#include "base/result.h"
#include "store/foreign_tables.h"

namespace tidemark::iceberg {

struct InspectedFile {
  ForeignFile foreign = {};
  FileSchema columns = {};
  DataFile file = {};  // counts and bounds by the ids of `columns`; no partition
};

/// Reads the footers, on several threads. Those that cannot be taken are errors, or with
/// `work.skips_bad_files` come into `bad_files`; either names the file.
Result<std::vector<InspectedFile>> InspectFiles(const std::vector<ForeignFile>& files,
                                                const ForeignWork& work, std::vector<Error>& bad_files);

/// The data file as a table of these columns has it: by its ids, and with bounds of its types.
DataFile InTable(const InspectedFile& inspected, const Schema& table);

}  // namespace tidemark::iceberg
