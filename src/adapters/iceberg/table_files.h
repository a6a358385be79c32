// Which manifests and data files a snapshot has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "adapters/iceberg/manifest.h"
#include "adapters/iceberg/table_metadata.h"
#include "base/function_ref.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// The manifests of the list at `location`. Errors name the file.
Result<std::vector<ManifestFile>> LoadManifestList(const std::string& location);
/// Those of a snapshot; none for a null pointer.
Result<std::vector<ManifestFile>> LoadManifests(const Snapshot* snapshot);

/// Calls `visit` for every entry of a manifest, deleted ones too. Errors name the file.
Result<void> LoadEntries(const ManifestFile& manifest, FunctionRef<Result<void>(ManifestEntry&& entry)> visit,
                         std::string* schema_json = nullptr);

/// The live data files of a snapshot, in the order of the manifests. kUnsupported if it has delete files.
Result<std::vector<ManifestEntry>> LoadDataFiles(const Snapshot* snapshot);

/// What a reader is told of a data file: bounds of the columns of `schema`.
Result<DataFileInfo> DescribeDataFile(const ManifestEntry& entry, const Schema& schema);

/// Writes a manifest of `entries` into `folder`, synced; the path is added to `made`.
Result<ManifestFile> WriteManifest(const std::filesystem::path& folder, const Schema& schema,
                                   const PartitionSpec& spec, const std::vector<ManifestEntry>& entries,
                                   std::int64_t snapshot_id, std::int64_t sequence_number,
                                   std::vector<std::filesystem::path>& made);

/// The manifests of a new snapshot: small ones are made one when there are many, tier by tier, so that a
/// commit never rewrites more than a few thousand entries and a table of n files has about log n manifests.
/// `made` gets the files that were written.
Result<std::vector<ManifestFile>> MergeManifests(std::vector<ManifestFile> manifests,
                                                 const std::filesystem::path& folder,
                                                 const TableMetadata& metadata, std::int64_t snapshot_id,
                                                 std::int64_t sequence_number,
                                                 std::vector<std::filesystem::path>& made);

}  // namespace tidemark::iceberg
