// The changes that commits make of a table's metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/iceberg/commit.h"
#include "adapters/iceberg/data_writer.h"
#include "adapters/iceberg/manifest.h"

namespace tidemark::iceberg {

/// Adds data files, and takes others away. Its manifest of added files is written once, however often the
/// commit is tried.
class FilesChange {
 public:
  struct Options {
    std::vector<WrittenFile> added;
    std::vector<std::string> removed;  // paths
    bool erases = false;
    std::int32_t schema_id = 0;  // that the added files were written with
    std::int32_t spec_id = 0;
  };

  FilesChange(const TablePlace& place, Options options);

  /// False if a file that is to go is not there any more.
  Result<bool> Apply(Attempt& attempt);

  std::int64_t snapshot_id() const { return snapshot_id_; }
  /// Removes the manifest of the added files if no snapshot has it: the commit did not happen, or it was made
  /// one with others.
  void RemoveManifestUnless(bool committed);

 private:
  struct Removal;

  Result<void> WriteAdded(const TableMetadata& metadata);
  Result<bool> RemoveFrom(std::vector<ManifestFile>& manifests, Attempt& attempt, Removal& removal);
  Result<void> AddSnapshot(Attempt& attempt, const Removal& removal, const std::string& manifest_list);

  const TablePlace& place_;
  const Options options_;
  const std::int64_t snapshot_id_;
  std::optional<ManifestFile> added_;  // once it is written
  std::vector<std::filesystem::path> added_path_;
  bool added_is_listed_ = false;  // by the last try
};

/// Applies changes of columns; kInvalidArgument with the reason for what cannot be.
Result<void> EvolveSchema(std::span<const ColumnChange> changes, TableMetadata& metadata);

/// Makes `snapshot_id` the head's current snapshot, in all places that say so.
void SetCurrent(TableMetadata& metadata, std::int64_t snapshot_id, std::int64_t now_ms);

}  // namespace tidemark::iceberg
