// Manifests and manifest lists: Avro files that say which data files a snapshot has (Iceberg's table spec,
// "Manifests").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/iceberg/table_metadata.h"
#include "base/function_ref.h"
#include "base/result.h"

namespace tidemark::iceberg {

/// By field id.
using Counts = std::vector<std::pair<std::int32_t, std::int64_t>>;
using Bounds = std::vector<std::pair<std::int32_t, std::string>>;  // in the form of single_value.h

struct DataFile {
  std::int32_t content = 0;  // 0: rows; 1, 2: deletes by position, by equality
  std::string location;
  std::string format = "PARQUET";
  std::string partition;  // the tuple as Avro encodes it, by the manifest's schema
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  Counts column_sizes = {};
  Counts value_counts = {};
  Counts null_counts = {};
  Counts nan_counts = {};
  Bounds lower_bounds = {};
  Bounds upper_bounds = {};
  std::vector<std::int64_t> split_offsets = {};
  std::optional<std::int32_t> sort_order_id = std::nullopt;
  bool operator==(const DataFile&) const = default;
};

enum class EntryStatus : std::uint8_t { kExisting = 0, kAdded = 1, kDeleted = 2 };

struct ManifestEntry {
  EntryStatus status = EntryStatus::kAdded;
  std::optional<std::int64_t> snapshot_id = std::nullopt;
  std::optional<std::int64_t> sequence_number = std::nullopt;  // nothing: that of the manifest
  std::optional<std::int64_t> file_sequence_number = std::nullopt;
  DataFile file = {};
  bool operator==(const ManifestEntry&) const = default;
};

/// What a manifest's partition values lie between.
struct FieldSummary {
  bool contains_null = false;
  std::optional<bool> contains_nan = std::nullopt;
  std::optional<std::string> lower = std::nullopt;
  std::optional<std::string> upper = std::nullopt;
  bool operator==(const FieldSummary&) const = default;
};

struct ManifestFile {
  std::string location;
  std::int64_t length = 0;
  std::int32_t spec_id = 0;
  std::int32_t content = 0;  // 0: data, 1: deletes
  std::int64_t sequence_number = 0;
  std::int64_t min_sequence_number = 0;
  std::int64_t added_snapshot_id = 0;
  std::int64_t added_files = 0;
  std::int64_t existing_files = 0;
  std::int64_t deleted_files = 0;
  std::int64_t added_rows = 0;
  std::int64_t existing_rows = 0;
  std::int64_t deleted_rows = 0;
  bool has_counts = true;  // of files; lists of version 1 need not
  std::vector<FieldSummary> partitions = {};
  bool operator==(const ManifestFile&) const = default;

  std::int64_t live_files() const { return added_files + existing_files; }
};

/// The Avro schema of manifests with this spec; two manifests can be made one if theirs is the same.
Result<std::string> ManifestSchemaJson(const Schema& schema, const PartitionSpec& spec);

/// Builds a manifest of data files.
class ManifestWriter {
 public:
  /// kUnsupported for a partition field whose values cannot be kept.
  static Result<ManifestWriter> Make(const Schema& schema, const PartitionSpec& spec);

  void Add(const ManifestEntry& entry);
  /// The file's bytes; `stats` gets the counts of files and rows and the least sequence number, for those
  /// entries that state one; `sequence_number` is taken for the others.
  std::string Finish(std::int64_t sequence_number, ManifestFile& stats);

 private:
  struct Impl;
  explicit ManifestWriter(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

/// Reads a manifest's entries one after another; snapshot and sequence numbers that they inherit from
/// `manifest` are filled in. `schema_json`, if given, gets the file's Avro schema.
Result<void> ReadManifest(std::string_view bytes, const ManifestFile& manifest,
                          FunctionRef<Result<void>(ManifestEntry&& entry)> visit,
                          std::string* schema_json = nullptr);

std::string WriteManifestList(const std::vector<ManifestFile>& manifests, const Snapshot& snapshot);
Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes);

}  // namespace tidemark::iceberg
