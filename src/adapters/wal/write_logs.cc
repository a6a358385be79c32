#include "adapters/wal/write_logs.h"

#include <fmt/format.h>

#include <atomic>

#include "adapters/wal/log_folder_internal.h"
#include "adapters/wal/log_recovery_internal.h"
#include "adapters/wal/log_snapshot_internal.h"
#include "adapters/wal/log_writer_internal.h"
#include "base/lock_file.h"

namespace tidemark {
namespace wal {
namespace {

// The log of a process, and of each of its forked children.
class ProcessLog final : public WriteLog {
 public:
  ProcessLog(const WalOptions& options, LogGroupHook hook, std::unique_ptr<LogWriter> writer)
      : options_(options), hook_(std::move(hook)), writer_(writer.release()) {}
  ~ProcessLog() override {
    LogWriter* const writer = writer_.load();
    // A parent's is left alone: its locks are in whatever state its threads had them.
    if (writer->is_own()) delete writer;
  }
  ProcessLog(const ProcessLog&) = delete;
  ProcessLog& operator=(const ProcessLog&) = delete;

  LogId id() const override { return writer_.load()->id(); }
  std::uint64_t durable_lsn() const override { return writer_.load()->durable_lsn(); }

  Result<LogPosition> Append(std::span<const LogAppend> together) override {
    TM_ASSIGN(LogWriter* const writer, Own());
    return writer->Append(together);
  }

  Result<void> Trim(LogPosition upto) override {
    LogWriter* const writer = writer_.load();
    if (!writer->is_own()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("log {} belongs to the process that this one was forked from, which trims it",
                              FormatLogId(writer->id())));
    }
    return writer->Trim(upto);
  }

 private:
  // In a child, a new one at the first call.
  Result<LogWriter*> Own() {
    LogWriter* seen = writer_.load();
    if (seen->is_own()) return seen;
    TM_ASSIGN(std::unique_ptr<LogWriter> made, LogWriter::Create(options_, hook_));
    // If another thread was faster, the one made here is empty, and removes itself.
    if (writer_.compare_exchange_strong(seen, made.get())) return made.release();
    return seen;
  }

  const WalOptions options_;
  const LogGroupHook hook_;
  std::atomic<LogWriter*> writer_;
};

class AdoptedLog final : public OwnedLog {
 public:
  AdoptedLog(const WalOptions& options, LogId id, std::unique_ptr<LockFile> owner, RecoveredLog recovered)
      : options_(options),
        id_(id),
        owner_(std::move(owner)),
        last_lsn_(recovered.last_lsn),
        segments_(*options.disk, LogFolder(options.folder, id), id, std::move(recovered.segments)) {}

  LogId id() const override { return id_; }
  std::uint64_t durable_lsn() const override { return last_lsn_; }

  Result<void> Trim(LogPosition upto) override {
    if (!owner_->is_own() || upto.log != id_ || upto.lsn > last_lsn_) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("log {}, which ends at {}, cannot be trimmed to {} of log {}{}",
                              FormatLogId(id_), last_lsn_, upto.lsn, FormatLogId(upto.log),
                              owner_->is_own() ? "" : " by a forked child"));
    }
    return upto.lsn == last_lsn_ ? RemoveLog(*options_.disk, options_.folder, id_)
                                 : segments_.RemoveUpTo(upto.lsn);
  }

 private:
  const WalOptions options_;
  const LogId id_;
  const std::unique_ptr<LockFile> owner_;
  const std::uint64_t last_lsn_;
  OwnedSegments segments_;
};

class FolderOfLogs final : public WriteLogs {
 public:
  explicit FolderOfLogs(const WalOptions& options) : options_(options) {}

  Result<std::unique_ptr<WriteLog>> Create(LogGroupHook hook) override {
    TM_TRY(FinishRemovals(disk(), options_.folder));
    TM_ASSIGN(std::unique_ptr<LogWriter> writer, LogWriter::Create(options_, hook));
    return std::make_unique<ProcessLog>(options_, std::move(hook), std::move(writer));
  }

  Result<std::vector<LogId>> Orphans() const override {
    TM_ASSIGN(const std::vector<LogId> ids, ListLogs(options_.folder));
    std::vector<LogId> orphans;
    for (const LogId id : ids) {
      auto owner = LockFile::Open(Owner(id), LockFile::Access::kShared, /*create=*/false);
      // Without the file: being made or removed, or it is half of a log. Adopt finds out.
      const bool has_owner_file = owner.has_value() || owner.error().code != ErrorCode::kNotFound;
      if (!owner && has_owner_file) return std::unexpected(std::move(owner).error());
      bool is_owned = false;
      if (owner) {
        TM_ASSIGN(is_owned, (*owner)->IsHeldElsewhere(kOwnedByte));
      }
      if (!is_owned) orphans.push_back(id);
    }
    return orphans;
  }

  Result<std::unique_ptr<OwnedLog>> Adopt(LogId id) override {
    TM_ASSIGN(std::unique_ptr<LockFile> owner, TakeOver(id));
    if (owner == nullptr) return nullptr;
    TM_ASSIGN(RecoveredLog recovered, RecoverLog(disk(), LogFolder(options_.folder, id), id));
    owner->Unlock(kRecoveringByte);
    return std::make_unique<AdoptedLog>(options_, id, std::move(owner), std::move(recovered));
  }

  Result<std::vector<std::unique_ptr<LogSnapshot>>> Snapshots() const override {
    TM_ASSIGN(const std::vector<LogId> ids, ListLogs(options_.folder));
    std::vector<std::unique_ptr<LogSnapshot>> snapshots;
    for (const LogId id : ids) {
      TM_ASSIGN(auto snapshot, OpenSnapshot(disk(), options_.folder, id));
      if (snapshot != nullptr) snapshots.push_back(std::move(snapshot));
    }
    return snapshots;
  }

 private:
  wal::LogDisk& disk() const { return *options_.disk; }
  std::string Owner(LogId id) const { return OwnerPath(LogFolder(options_.folder, id)); }

  // The log's lock, with the byte of whoever recovers it; null if another has the log, or it is gone.
  Result<std::unique_ptr<LockFile>> TakeOver(LogId id) const {
    auto owner = LockFile::Open(Owner(id), LockFile::Access::kFull, /*create=*/true);
    if (!owner && owner.error().code == ErrorCode::kNotFound) return nullptr;
    if (!owner) return std::unexpected(std::move(owner).error());
    {
      // Its maker may be about to lock it.
      TM_ASSIGN(const auto creating,
                LockFile::Open(CreatingPath(options_.folder), LockFile::Access::kFull, /*create=*/true));
      TM_TRY(creating->Lock(0));
    }
    TM_TRY((*owner)->Lock(kRecoveringByte));
    TM_ASSIGN(const bool is_ours, (*owner)->TryLock(kOwnedByte));
    if (!is_ours || !(*owner)->is_in_place()) return nullptr;
    return std::move(*owner);
  }

  const WalOptions options_;
};

}  // namespace
}  // namespace wal

std::unique_ptr<WriteLogs> OpenWriteLogs(const WalOptions& options) {
  return std::make_unique<wal::FolderOfLogs>(options);
}

}  // namespace tidemark
