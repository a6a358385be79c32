#include "adapters/iceberg/iceberg_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "adapters/iceberg/cleanup.h"
#include "adapters/iceberg/iceberg_schema.h"
#include "adapters/iceberg/table_changes.h"
#include "adapters/iceberg/table_files.h"
#include "adapters/iceberg/table_snapshot.h"

namespace tidemark::iceberg {
namespace {

/// Rows that were staged; their files are removed unless a commit took them.
class Staged final : public StagedRows {
 public:
  Staged(std::vector<WrittenFile> files, std::int32_t schema_id, std::int32_t spec_id)
      : files_(std::move(files)), schema_id_(schema_id), spec_id_(spec_id) {}
  ~Staged() override { RemoveFiles(files_); }

  std::int64_t rows() const override { return Sum(&DataFile::rows); }
  std::int64_t bytes() const override { return Sum(&DataFile::bytes); }
  std::size_t files() const override { return files_.size(); }

  const std::vector<WrittenFile>& written() const { return files_; }
  std::int32_t schema_id() const { return schema_id_; }
  std::int32_t spec_id() const { return spec_id_; }
  /// A commit has them, or may have.
  void Release() { files_.clear(); }

 private:
  std::int64_t Sum(std::int64_t DataFile::* what) const {
    std::int64_t sum = 0;
    for (const WrittenFile& file : files_)
      sum += file.file.*what;
    return sum;
  }

  std::vector<WrittenFile> files_;
  const std::int32_t schema_id_;
  const std::int32_t spec_id_;
};

std::int64_t SummaryNumber(const Snapshot& snapshot, const char* name) {
  const auto found = snapshot.summary.find(name);
  std::int64_t number = 0;
  if (found != snapshot.summary.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  return number;
}

SnapshotInfo Describe(const Snapshot& snapshot, const TableMetadata& metadata) {
  SnapshotInfo info{.id = snapshot.id,
                    .committed_us = snapshot.timestamp_ms * 1000,
                    .rows = SummaryNumber(snapshot, "total-records"),
                    .files = SummaryNumber(snapshot, "total-data-files")};
  if (snapshot.parent_id && metadata.FindSnapshot(*snapshot.parent_id) != nullptr)
    info.parent_id = *snapshot.parent_id;
  if (const auto operation = snapshot.summary.find("operation"); operation != snapshot.summary.end())
    info.operation = operation->second;
  for (const auto& [name, reference] : metadata.references) {
    if (!reference.is_branch && reference.snapshot_id == snapshot.id) info.tags.push_back(name);
  }
  return info;
}

class IcebergTable final : public OfflineTable {
 public:
  explicit IcebergTable(TablePlace place) : place_(std::move(place)), heads_(place_.catalog, place_.id) {}

  TableId id() const override { return place_.id; }

  Result<TableLayout> Layout() const override {
    TM_ASSIGN(const auto head, heads_.Load());
    return LayoutOf(head->metadata);
  }

  Result<std::shared_ptr<const TableProperties>> Properties() const override {
    TM_ASSIGN(const auto head, heads_.Load());
    return std::shared_ptr<const TableProperties>(head, &head->metadata.properties);
  }

  Result<std::unique_ptr<TableSnapshot>> Snapshot(const SnapshotChoice& choice) const override {
    return OpenSnapshot(place_, heads_, choice);
  }

  Result<std::vector<SnapshotInfo>> Snapshots() const override {
    TM_ASSIGN(const auto head, heads_.Load());
    std::vector<SnapshotInfo> all;
    for (const iceberg::Snapshot& snapshot : head->metadata.snapshots)
      all.push_back(Describe(snapshot, head->metadata));
    return all;
  }

  Result<std::unique_ptr<StagedRows>> Stage(arrow::RecordBatchReader& rows,
                                            const StageOptions& options) override {
    TM_ASSIGN(const auto head, heads_.Load());
    TM_TRY(CheckOwn(head->metadata));
    TM_ASSIGN(auto files, WriteDataFiles(head->metadata, place_.data(), rows, options, place_.at_step));
    return std::make_unique<Staged>(std::move(files), head->metadata.current_schema_id,
                                    head->metadata.default_spec_id);
  }

  Result<CommitOutcome> Append(std::unique_ptr<StagedRows> rows, const CommitRule& rule) override {
    return CommitFiles({}, std::move(rows), rule);
  }

  Result<CommitOutcome> Rewrite(const RewriteOptions& options, std::unique_ptr<StagedRows> rows,
                                const CommitRule& rule) override {
    return CommitFiles(options, std::move(rows), rule);
  }

  Result<void> Evolve(std::span<const ColumnChange> changes) override {
    const auto change = [&](Attempt& attempt) -> Result<bool> {
      TM_TRY(EvolveSchema(changes, attempt.next));
      return attempt.next.current_schema_id != attempt.head.metadata.current_schema_id;
    };
    return FromCommit(Commit(place_, heads_, CommitAlways, change));
  }

  Result<void> Tag(const std::string& tag, std::int64_t snapshot_id) override {
    const auto change = [&](Attempt& attempt) -> Result<bool> {
      if (attempt.next.FindSnapshot(snapshot_id) == nullptr)
        return Fail(ErrorCode::kNotFound,
                    fmt::format("the table has no snapshot {} (any more)", snapshot_id));
      const auto [reference, is_new] = attempt.next.references.try_emplace(tag);
      if (!is_new && (reference->second.snapshot_id != snapshot_id || reference->second.is_branch))
        return Fail(ErrorCode::kAlreadyExists,
                    fmt::format("'{}' names snapshot {} already", tag, reference->second.snapshot_id));
      reference->second.snapshot_id = snapshot_id;
      return is_new;
    };
    return FromCommit(Commit(place_, heads_, CommitAlways, change));
  }

  Result<void> Untag(const std::string& tag) override {
    const auto change = [&](Attempt& attempt) -> Result<bool> {
      const auto reference = attempt.next.references.find(tag);
      if (reference == attempt.next.references.end() || reference->second.is_branch)
        return Fail(ErrorCode::kNotFound, fmt::format("the table has no tag '{}'", tag));
      attempt.next.references.erase(reference);
      return true;
    };
    return FromCommit(Commit(place_, heads_, CommitAlways, change));
  }

  Result<CleanupReport> ExpireSnapshots(const ExpireOptions& options) override {
    return iceberg::ExpireSnapshots(place_, heads_, options);
  }

  Result<CleanupReport> RemoveOrphans(std::int64_t older_than_us) override {
    return iceberg::RemoveOrphans(place_, heads_, older_than_us);
  }

 private:
  Result<CommitOutcome> CommitFiles(const RewriteOptions& options, std::unique_ptr<StagedRows> rows,
                                    const CommitRule& rule) {
    auto* const staged = dynamic_cast<Staged*>(rows.get());
    if (rows != nullptr && staged == nullptr)
      return Fail(ErrorCode::kInvalidArgument, "the rows were staged for another kind of table");
    FilesChange::Options files{.added = {}, .removed = options.inputs, .erases = options.erases};
    if (staged != nullptr) {
      files.added = staged->written();
      files.schema_id = staged->schema_id();
      files.spec_id = staged->spec_id();
    }
    FilesChange change(place_, std::move(files));
    bool unknown = false;
    const auto apply = [&](Attempt& attempt) -> Result<bool> {
      TM_TRY(CheckOwn(attempt.head.metadata));
      return change.Apply(attempt);
    };
    const auto committed = Commit(place_, heads_, rule, apply, &unknown);
    const bool happened = committed && committed->committed;
    if (!unknown) change.RemoveManifestUnless(happened);
    if (staged != nullptr && (unknown || happened)) staged->Release();
    if (!committed) return std::unexpected(committed.error());
    return CommitOutcome{.committed = happened,
                         .snapshot_id = committed->head->metadata.current_snapshot_id.value_or(0)};
  }

  /// Data files of others are never written, rewritten or taken away by what keeps tables in shape.
  static Result<void> CheckOwn(const TableMetadata& metadata) {
    if (!IsForeign(metadata)) return {};
    return Fail(ErrorCode::kUnsupported,
                "the table's files were registered where they lie, and are not Tidemark's to write");
  }

  static Result<void> FromCommit(const Result<Committed>& committed) {
    if (!committed) return std::unexpected(committed.error());
    return {};
  }

  const TablePlace place_;
  mutable HeadLoader heads_;
};

}  // namespace

Result<std::unique_ptr<OfflineTable>> OpenIcebergTable(TablePlace place) {
  return std::make_unique<IcebergTable>(std::move(place));
}

}  // namespace tidemark::iceberg
