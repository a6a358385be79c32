// Writes rows to new data files: checked, sorted, divided by partition, encoded on several threads, synced.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "adapters/iceberg/manifest.h"
#include "adapters/iceberg/table_metadata.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// Called at the named steps of writing and committing, by tests that make one fail; empty otherwise.
using StepHook = std::function<Result<void>(std::string_view step)>;

struct WrittenFile {
  DataFile file;
  std::filesystem::path path;
  std::vector<FieldSummary> partition;
};

/// Writes all of `rows` to files in `folder`, which is synced in the end. Nothing is left if it fails.
Result<std::vector<WrittenFile>> WriteDataFiles(const TableMetadata& metadata,
                                                const std::filesystem::path& folder,
                                                arrow::RecordBatchReader& rows, const StageOptions& options,
                                                const StepHook& at_step);

/// Removes files, as far as that can be done: they are orphans otherwise.
void RemoveFiles(const std::vector<WrittenFile>& files);

}  // namespace tidemark::iceberg
