#include "adapters/iceberg/table_snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/lease.h"
#include "adapters/iceberg/snapshot_source.h"
#include "adapters/iceberg/table_files.h"

namespace tidemark::iceberg {
namespace {

/// The chosen snapshot; a null pointer for the newest of a table without any.
Result<const Snapshot*> Choose(const TableMetadata& metadata, const SnapshotChoice& choice) {
  if (choice.id) {
    const Snapshot* const found = metadata.FindSnapshot(*choice.id);
    if (found != nullptr) return found;
    return Fail(ErrorCode::kNotFound, fmt::format("the table has no snapshot {} (any more)", *choice.id));
  }
  if (!choice.tag.empty()) {
    const auto found = metadata.references.find(choice.tag);
    if (found != metadata.references.end()) return metadata.FindSnapshot(found->second.snapshot_id);
    return Fail(ErrorCode::kNotFound, fmt::format("the table has no tag '{}'", choice.tag));
  }
  if (!choice.as_of_us) return metadata.current();
  // The log says what was current when; snapshots of other branches never were.
  const Snapshot* last = nullptr;
  for (const SnapshotLogEntry& entry : metadata.snapshot_log) {
    if (entry.timestamp_ms * 1000 <= *choice.as_of_us) last = metadata.FindSnapshot(entry.snapshot_id);
  }
  if (last != nullptr) return last;
  return Fail(ErrorCode::kNotFound,
              "the table has no snapshot of that time: it had none yet, or it has been expired");
}

class IcebergSnapshot final : public TableSnapshot {
 public:
  static Result<std::unique_ptr<TableSnapshot>> Make(std::shared_ptr<const Head> head,
                                                     const Snapshot* snapshot, std::shared_ptr<Lease> lease) {
    auto made = std::make_unique<IcebergSnapshot>();
    const TableMetadata& metadata = head->metadata;
    made->schema_ = &metadata.schema();
    if (snapshot != nullptr && snapshot->schema_id) {
      const Schema* const own = metadata.FindSchema(*snapshot->schema_id);
      if (own == nullptr)
        return Fail(ErrorCode::kCorruption, "the schema of a snapshot is not in the table's metadata");
      made->schema_ = own;
    }
    // The newest one is read with the columns that the table has by now.
    if (snapshot == metadata.current()) made->schema_ = &metadata.schema();
    TM_ASSIGN(made->columns_, ColumnsOf(*made->schema_));
    made->system_ = SystemColumnsOf(metadata, *made->schema_);
    made->snapshot_ = snapshot;
    made->head_ = std::move(head);
    made->lease_ = std::move(lease);
    return made;
  }

  std::int64_t id() const override { return snapshot_ == nullptr ? 0 : snapshot_->id; }
  std::int64_t committed_us() const override {
    return snapshot_ == nullptr ? head_->metadata.last_updated_ms * 1000 : snapshot_->timestamp_ms * 1000;
  }
  const TableProperties& properties() const override { return head_->metadata.properties; }
  const SystemColumns& system_columns() const override { return system_; }
  const std::vector<TableColumn>& columns() const override { return columns_; }

  Result<std::vector<DataFileInfo>> Files() const override { return FilesBy(*schema_); }

  std::int32_t columns_number() const override { return head_->metadata.current_schema_id; }

  Result<std::unique_ptr<Source>> OpenSource(const SourceOptions& options) const override {
    const Schema* asked = options.columns_of_now ? &head_->metadata.schema() : schema_;
    if (options.columns_number) asked = head_->metadata.FindSchema(*options.columns_number);
    if (asked == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("the table has no columns of number {} (any more)", *options.columns_number));
    }
    const Schema& schema = *asked;
    SnapshotRows rows{
        .fields = schema.fields, .system = SystemColumnsOf(head_->metadata, schema), .lease = lease_};
    TM_ASSIGN(rows.columns, ColumnsOf(schema));
    TM_ASSIGN(rows.files, FilesBy(schema));
    return OpenSnapshotSource(std::move(rows), options);
  }

 private:
  // With the bounds of the columns of `schema`.
  Result<std::vector<DataFileInfo>> FilesBy(const Schema& schema) const {
    TM_ASSIGN(const std::vector<ManifestEntry> entries, LoadDataFiles(snapshot_));
    std::vector<DataFileInfo> files;
    for (const ManifestEntry& entry : entries) {
      TM_ASSIGN(DataFileInfo info, DescribeDataFile(entry, schema));
      files.push_back(std::move(info));
    }
    return files;
  }

  std::shared_ptr<const Head> head_;
  const Snapshot* snapshot_ = nullptr;  // of head_
  const Schema* schema_ = nullptr;      // of head_
  std::vector<TableColumn> columns_;
  SystemColumns system_;
  std::shared_ptr<Lease> lease_;
};

}  // namespace

Result<std::unique_ptr<TableSnapshot>> OpenSnapshot(const TablePlace& place, HeadLoader& heads,
                                                    const SnapshotChoice& choice) {
  TM_ASSIGN(std::shared_ptr<const Head> head, heads.Load());
  while (true) {
    TM_ASSIGN(const Snapshot* const snapshot, Choose(head->metadata, choice));
    if (snapshot == nullptr) return IcebergSnapshot::Make(head, nullptr, nullptr);
    TM_ASSIGN(auto lease, Lease::Take(place.leases(), {snapshot->id, snapshot->manifest_list}));
    // It may have been expired before the lease was there to be seen.
    TM_ASSIGN(std::shared_ptr<const Head> now, heads.Load());
    if (now->metadata.FindSnapshot(snapshot->id) != nullptr)
      return IcebergSnapshot::Make(head, snapshot, std::move(lease));
    head = std::move(now);
  }
}

}  // namespace tidemark::iceberg
