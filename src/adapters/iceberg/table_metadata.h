// A table's metadata file: Iceberg's table spec, version 2.
//
// What is not looked at (statistics, members of later versions) is kept as it was found, so that a commit of
// ours takes nothing away that another engine wrote.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/iceberg/iceberg_schema.h"
#include "base/result.h"

namespace tidemark::iceberg {

struct PartitionSpecField {
  std::int32_t source_id = 0;
  std::int32_t field_id = 0;   // 1000 and up
  std::string transform = {};  // "identity", "bucket[16]", "day", ...
  std::string name = {};
  bool operator==(const PartitionSpecField&) const = default;
};

struct PartitionSpec {
  std::int32_t id = 0;
  std::vector<PartitionSpecField> fields = {};
  bool operator==(const PartitionSpec&) const = default;
};

struct SortField {
  std::int32_t source_id = 0;
  std::string transform = "identity";
  std::string direction = "asc";
  std::string null_order = "nulls-first";
  bool operator==(const SortField&) const = default;
};

struct SortOrder {
  std::int32_t id = 0;  // 0: unsorted
  std::vector<SortField> fields = {};
  bool operator==(const SortOrder&) const = default;
};

struct Snapshot {
  std::int64_t id = 0;
  std::optional<std::int64_t> parent_id = {};
  std::int64_t sequence_number = 0;
  std::int64_t timestamp_ms = 0;
  std::string manifest_list = {};                   // location
  std::map<std::string, std::string> summary = {};  // "operation" included
  std::optional<std::int32_t> schema_id = {};
  bool operator==(const Snapshot&) const = default;
};

/// "main", a branch, is what readers see; a tag keeps a snapshot.
struct SnapshotReference {
  std::int64_t snapshot_id = 0;
  bool is_branch = false;
  std::map<std::string, std::int64_t> retention = {};  // max-ref-age-ms and such
  bool operator==(const SnapshotReference&) const = default;
};

/// At `timestamp_ms` this became the current snapshot.
struct SnapshotLogEntry {
  std::int64_t timestamp_ms = 0;
  std::int64_t snapshot_id = 0;
  bool operator==(const SnapshotLogEntry&) const = default;
};

/// Until `timestamp_ms` this was the current metadata file.
struct MetadataLogEntry {
  std::int64_t timestamp_ms = 0;
  std::string location = {};
  bool operator==(const MetadataLogEntry&) const = default;
};

struct TableMetadata {
  std::string uuid = {};
  std::string location = {};
  std::int64_t last_sequence_number = 0;
  std::int64_t last_updated_ms = 0;
  std::int32_t last_column_id = 0;
  std::vector<Schema> schemas = {};
  std::int32_t current_schema_id = 0;
  std::vector<PartitionSpec> specs = {};
  std::int32_t default_spec_id = 0;
  std::int32_t last_partition_id = 999;
  std::vector<SortOrder> sort_orders = {};
  std::int32_t default_sort_order_id = 0;
  std::map<std::string, std::string> properties = {};
  std::optional<std::int64_t> current_snapshot_id = {};
  std::vector<Snapshot> snapshots = {};
  std::vector<SnapshotLogEntry> snapshot_log = {};
  std::vector<MetadataLogEntry> metadata_log = {};  // oldest first
  std::map<std::string, SnapshotReference> references = {};
  std::map<std::string, std::string> others = {};  // members that are not looked at, as JSON
  bool operator==(const TableMetadata&) const = default;

  const Schema& schema() const;  // the current one
  const PartitionSpec& spec() const;
  const SortOrder& sort_order() const;
  const Schema* FindSchema(std::int32_t id) const;
  const PartitionSpec* FindSpec(std::int32_t id) const;
  const Snapshot* FindSnapshot(std::int64_t id) const;
  const Snapshot* current() const;  // a null pointer while the table has no snapshot
};

/// The file's bytes: canonical JSON.
std::string WriteTableMetadata(const TableMetadata& metadata);

enum class MetadataUse : bool { kWrite, kRead };

/// Strict: kCorruption for what does not add up (a current schema that is not among the schemas),
/// kUnsupported for versions other than 2; to be read only, version 1 is as good.
Result<TableMetadata> ReadTableMetadata(std::string_view json, MetadataUse use = MetadataUse::kWrite);

/// A schema, or a spec's fields, as a manifest's header has them.
std::string SchemaJson(const Schema& schema);
std::string SpecFieldsJson(const PartitionSpec& spec);

}  // namespace tidemark::iceberg
