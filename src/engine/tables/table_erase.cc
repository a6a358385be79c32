// Erasing the rows of some keys, in steps each of which may be the last that a process does:
//
//   receipt   what was asked for is on the disk: whoever comes later can go on, without the keys themselves
//   fence     a commit of the table's properties: from here on no reader sees the rows, and no flush,
//             compaction or ingest keeps them
//   online    rows and their fences in the online store, in one transaction
//   flushed   logs are flushed, without the rows, and trimmed
//   swept     data files that had rows are written anew
//   datasets  saved datasets that were made of the rows let go of their snapshots, and of rows that they keep
//   expired   snapshots that led to the files before are gone, with their files
//   scrubbed  what was removed online is overwritten
//   dumps     results of statements that may hold the keys are gone
//   done      what is left is in the receipt: in logs of other processes, tagged snapshots, or under readers
//
// Every step may be repeated. Rows of the keys that are written later have a later write time, and stay.
#include <arrow/array.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <variant>

#include "base/result.h"
#include "engine/online_rows.h"
#include "engine/tables/erase_dumps_internal.h"
#include "engine/tables/erasures.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/frame_rows.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_rewrite_internal.h"
#include "engine/tables/table_rows.h"
#include "model/time.h"

namespace tidemark {
namespace {

std::string NewId(std::int64_t now_us) {
  std::random_device random;
  return fmt::format("{:016x}-{:08x}", static_cast<std::uint64_t>(now_us), random());
}

/// The keys of an erasure, as long as its caller knows them.
struct KnownKeys {
  arrow::ArrayVector columns;     // canonical
  std::vector<std::string> full;  // as the online store has them
  std::vector<KeyMark> marks;     // of these
};

/// False if the bounds say that none of the values is within them.
bool MayHold(const ColumnRange& range, const arrow::Array& values) {
  for (std::int64_t row = 0; row < values.length(); ++row) {
    if (values.type_id() == arrow::Type::INT64) {
      const auto* const low = std::get_if<std::int64_t>(&range.low);
      const auto* const high = std::get_if<std::int64_t>(&range.high);
      if (low == nullptr || high == nullptr) return true;
      const std::int64_t value = static_cast<const arrow::Int64Array&>(values).Value(row);
      if (*low <= value && value <= *high) return true;
    } else if (values.type_id() == arrow::Type::BINARY) {
      const auto* const low = std::get_if<std::string>(&range.low);
      const auto* const high = std::get_if<std::string>(&range.high);
      if (low == nullptr || high == nullptr) return true;
      const std::string_view value = static_cast<const arrow::BinaryArray&>(values).GetView(row);
      if (*low <= value && value <= *high) return true;
    } else {
      return true;
    }
  }
  return false;
}

class Erasing {
 public:
  Erasing(const CatalogView& view, const FeatureTables& tables, const std::stop_token& stop)
      : view_(view), tables_(tables), parts_(tables.parts()), stop_(stop) {}

  Result<ErasureReceipt> Run(const arrow::ArrayVector& keys) {
    TM_TRY(Open());
    TM_ASSIGN(const auto hash, parts_.key_hash->Get(/*make=*/true));
    known_.columns = keys;
    const OnlineKeyWriter writer(view_.id, keys);
    for (std::int64_t row = 0; row < keys.front()->length(); ++row) {
      std::string key;
      writer.Append(row, key);
      known_.full.push_back(std::move(key));
    }
    std::ranges::sort(known_.full);
    const auto repeated = std::ranges::unique(known_.full);
    known_.full.erase(repeated.begin(), repeated.end());
    for (const std::string& key : known_.full)
      known_.marks.push_back(hash->MarkOf(key));
    ErasureReceipt receipt;
    receipt.asked_us = parts_.clock->now_us();
    receipt.id = NewId(receipt.asked_us);
    receipt.table_id = view_.id;
    receipt.table = view_.definition.name;
    receipt.marks = known_.marks;
    receipt.fence_us = parts_.write_times->Take(receipt.asked_us, 1);
    TM_TRY(parts_.receipts->Put(receipt));
    Step("receipt");
    TM_TRY(Finish());
    TM_ASSIGN(const auto all, parts_.receipts->List());  // another process may have completed it
    for (const ErasureReceipt& each : all) {
      if (each.id == receipt.id) return each;
    }
    return Fail(ErrorCode::kCorruption, "the receipt of the erasure is gone");
  }

  /// What lookups must not find any more, of an eraser that was killed before it came so far.
  Result<void> Hide() {
    TM_TRY(Open());
    TM_TRY(LoadPending());
    TM_TRY(PutFences());
    return EraseOnline();
  }

  /// Goes on with what is pending of the table.
  Result<void> Complete() {
    TM_TRY(Open());
    return Finish();
  }

 private:
  void Step(std::string_view step) const {
    if (parts_.at_step) parts_.at_step(step);
  }

  Result<void> Open() {
    TM_ASSIGN(table_, parts_.offline->Open(view_.id));
    return {};
  }

  Result<void> LoadPending() {
    TM_ASSIGN(receipts_, parts_.receipts->ListPending());
    std::erase_if(receipts_, [&](const auto& each) { return each.table_id != view_.id; });
    return {};
  }

  Result<void> Finish() {
    TM_TRY(LoadPending());
    TM_TRY(PutFences());
    Step("fence");
    TM_TRY(EraseOnline());
    Step("online");
    TM_ASSIGN(const std::int64_t logged, CountLogged());
    TM_TRY(tables_.FlushLogs());
    Step("flushed");
    TableSweep sweep(view_, parts_, *table_, stop_);
    TM_TRY(sweep.Run(known_.marks, [this](const DataFileInfo& file) { return MayHoldKeys(file); }));
    Step("swept");
    std::vector<std::string> pending;
    TM_TRY(EraseDatasets(sweep, pending));
    Step("datasets");
    TM_TRY(ExpireOlder(sweep, pending));
    Step("expired");
    TM_TRY(Scrub(pending));
    Step("scrubbed");
    TM_TRY(EraseDumps(pending));
    Step("dumps");
    TM_TRY(LookIntoLogs(pending));
    // Of several that are completed together the newest gets the counts: it is the one that is waited for.
    if (!receipts_.empty()) {
      receipts_.back().rows_removed += logged + sweep.rows_removed();
      receipts_.back().files_rewritten += sweep.files_rewritten();
    }
    for (ErasureReceipt& receipt : receipts_) {
      receipt.pending = pending;
      receipt.is_done = pending.empty();
      TM_TRY(parts_.receipts->Put(receipt));
    }
    Step("done");
    return {};
  }

  /// Fences of all that is pending, unswept, but for those that stand.
  Result<void> PutFences() {
    if (receipts_.empty()) return {};
    const auto rule = [&](const TableHead& head) -> Result<CommitDecision> {
      TM_ASSIGN(const std::vector<Fence> standing, FencesOf(head.properties));
      CommitDecision decision;
      for (const ErasureReceipt& receipt : receipts_) {
        for (const KeyMark& mark : receipt.marks) {
          const auto there = std::ranges::find(standing, mark, &Fence::key);
          if (there != standing.end() && there->upto_us >= receipt.fence_us) continue;
          const Fence fence{
              .key = mark, .upto_us = receipt.fence_us, .when_us = parts_.clock->now_us(), .is_swept = false};
          decision.properties.insert_or_assign(FenceName(mark), FenceText(fence));
        }
      }
      decision.commit = !decision.properties.empty();
      return decision;
    };
    TM_TRY(table_->Append(nullptr, rule));
    return {};
  }

  /// Of erasures that another process began the keys are found by looking at all rows online.
  Result<void> EraseOnline() {
    std::vector<OnlineErasure> erasures;
    std::vector<std::string> found;
    for (const ErasureReceipt& receipt : receipts_) {
      if (receipt.is_online_erased) continue;
      for (const KeyMark& mark : receipt.marks)
        erasures.push_back({.mark = mark, .key = {}, .sequence_max = receipt.fence_us});
    }
    if (erasures.empty()) return {};
    TM_ASSIGN(const auto online, parts_.online());
    const auto is_known = [&](const OnlineErasure& each) {
      return std::ranges::find(known_.marks, each.mark) != known_.marks.end();
    };
    found = known_.full;
    if (!std::ranges::all_of(erasures, is_known)) {
      TM_ASSIGN(found, FindOnline(*online, erasures));
    }
    TM_ASSIGN(const auto hash, parts_.key_hash->Get(/*make=*/false));
    for (const std::string& key : found) {
      const KeyMark mark = hash->MarkOf(key);
      for (OnlineErasure& erasure : erasures) {
        if (erasure.mark == mark) erasure.key = key;
      }
    }
    TM_TRY(online->Erase(erasures));
    for (ErasureReceipt& receipt : receipts_) {
      receipt.is_online_erased = true;
      TM_TRY(parts_.receipts->Put(receipt));
    }
    return {};
  }

  Result<std::vector<std::string>> FindOnline(const OnlineStore& online,
                                              const std::vector<OnlineErasure>& erasures) const {
    std::vector<Fence> fences;
    for (const OnlineErasure& each : erasures)
      fences.push_back({.key = each.mark, .upto_us = each.sequence_max});
    TM_ASSIGN(const auto hash, parts_.key_hash->Get(/*make=*/false));
    const Erasures wanted(std::move(fences), hash);
    std::vector<std::string> found;
    TM_TRY(online.Scan(ViewPrefix(view_.id), [&](std::string_view key, std::span<const std::byte>) {
      if (wanted.IsErased(key, std::numeric_limits<std::int64_t>::min())) found.emplace_back(key);
      return true;
    }));
    return found;
  }

  /// Rows in the logs that no file has.
  Result<std::int64_t> CountLogged() const {
    std::int64_t rows = 0;
    TM_TRY(ForErasedFrames([&](const LogSnapshot& log, const LogFrame& frame,
                               const TableProperties& properties, std::int64_t count) {
      const bool is_in_files =
          (frame.record.targets & kLogToOffline) != 0 && frame.lsn <= FlushedUpTo(properties, log.id());
      if (!is_in_files) rows += count;
    }));
    return rows;
  }

  /// Calls `visit` for every frame in the logs that has erased rows of the table.
  template <typename Visit>
  Result<void> ForErasedFrames(const Visit& visit) const {
    TM_ASSIGN(const auto logs, parts_.log->Snapshots());
    TM_ASSIGN(const auto snapshot, table_->Snapshot({}));
    TM_ASSIGN(const auto erasures, Erasures::Of(snapshot->properties(), *parts_.key_hash));
    if (erasures == nullptr) return {};
    const auto schema = TableSchema(view_);
    for (const auto& log : logs) {
      TM_TRY(log->Read(0, view_.id, [&](const LogFrame& frame) -> Result<void> {
        if (!HasRows(frame.record.kind)) return {};
        TM_ASSIGN(const auto decoded, DecodeRows(frame.record));
        TM_ASSIGN(const auto batch, AlignBatch(view_, schema, decoded));
        TM_ASSIGN(const auto erased, erasures->ErasedRows(view_, *batch));
        if (!erased.empty()) visit(*log, frame, snapshot->properties(), std::ssize(erased));
        return {};
      }));
    }
    return {};
  }

  bool MayHoldKeys(const DataFileInfo& file) const {
    for (std::size_t i = 0; i < known_.columns.size(); ++i) {
      const auto range = std::ranges::find(file.ranges, view_.join_keys[i].name, &ColumnRange::column);
      if (range != file.ranges.end() && !MayHold(*range, *known_.columns[i])) return false;
    }
    return true;
  }

  /// Forgets all snapshots but the newest; what must stay and has erased rows is pending.
  Result<void> ExpireOlder(TableSweep& sweep, std::vector<std::string>& pending) const {
    TM_TRY(table_->ExpireSnapshots({.older_than_us = std::numeric_limits<std::int64_t>::max(), .keep = 1}));
    TM_ASSIGN(const auto left, table_->Snapshots());
    for (const SnapshotInfo& each : left) {
      if (each.id == left.back().id) break;  // the newest is swept
      auto snapshot = table_->Snapshot({.id = each.id});
      if (!snapshot && snapshot.error().code == ErrorCode::kNotFound)
        continue;  // expired by another just now
      if (!snapshot) return std::unexpected(snapshot.error());
      TM_ASSIGN(const bool holds, sweep.HoldsErased(**snapshot));
      if (!holds) continue;
      if (!each.tags.empty()) {
        pending.push_back(fmt::format("snapshot {} is kept by tag '{}': untag it, and erase again", each.id,
                                      fmt::join(each.tags, "', '")));
      } else {
        pending.push_back(
            fmt::format("snapshot {} is being read: it goes when its readers are done, with the next flush, "
                        "erasure, or work in the background",
                        each.id));
      }
    }
    return {};
  }

  Result<void> EraseDatasets(TableSweep& sweep, std::vector<std::string>& pending) {
    if (!parts_.datasets || receipts_.empty()) return {};
    TM_ASSIGN(const auto hash, parts_.key_hash->Get(/*make=*/false));
    const auto holds_erased = [&](const std::string& tag) -> Result<bool> {
      auto snapshot = table_->Snapshot({.tag = tag});
      if (!snapshot && snapshot.error().code == ErrorCode::kNotFound) return false;
      if (!snapshot) return std::unexpected(std::move(snapshot).error());
      return sweep.HoldsErased(**snapshot);
    };
    TM_ASSIGN(ErasedKeptRows erased, parts_.datasets({.view = view_,
                                                      .receipts = receipts_,
                                                      .hash = hash,
                                                      .holds_erased = holds_erased,
                                                      .stop = stop_}));
    auto& touched = receipts_.back().datasets;
    for (std::string& name : erased.touched) {
      if (std::ranges::find(touched, name) == touched.end()) touched.push_back(std::move(name));
    }
    pending.insert(pending.end(), erased.pending.begin(), erased.pending.end());
    return {};
  }

  Result<void> Scrub(std::vector<std::string>& pending) const {
    TM_ASSIGN(const auto online, parts_.online());
    TM_ASSIGN(const bool is_clean, online->ScrubRemoved());
    if (!is_clean) {
      pending.emplace_back(
          "the online store is being read since before the rows were removed: their bytes go when that "
          "reader "
          "is done, with the next flush, erasure, or work in the background");
    }
    return {};
  }

  Result<void> EraseDumps(std::vector<std::string>& pending) {
    if (parts_.dumps == nullptr || receipts_.empty()) return {};
    TM_ASSIGN(const auto hash, parts_.key_hash->Get(/*make=*/false));
    TM_ASSIGN(ErasedDumps erased, EraseFromDumps(view_, *parts_.dumps, receipts_, hash, stop_));
    auto& removed = receipts_.back().dumps_removed;
    removed.insert(removed.end(), erased.removed.begin(), erased.removed.end());
    pending.insert(pending.end(), erased.pending.begin(), erased.pending.end());
    return {};
  }

  Result<void> LookIntoLogs(std::vector<std::string>& pending) const {
    std::vector<LogId> logs;
    TM_TRY(
        ForErasedFrames([&](const LogSnapshot& log, const LogFrame&, const TableProperties&, std::int64_t) {
          if (logs.empty() || logs.back() != log.id()) logs.push_back(log.id());
        }));
    for (const LogId log : logs) {
      pending.push_back(
          parts_.log->IsOwned(log)
              ? fmt::format("log {} has newer rows behind the erased ones: it is trimmed with the next flush",
                            FormatLogId(log))
              : fmt::format(
                    "log {} belongs to another running process, which alone may trim it: it does with "
                    "its next flush, and when it ends any other process may",
                    FormatLogId(log)));
    }
    return {};
  }

  const CatalogView& view_;
  const FeatureTables& tables_;
  const FeatureTablesParts& parts_;
  const std::stop_token& stop_;
  std::unique_ptr<OfflineTable> table_;
  KnownKeys known_;
  std::vector<ErasureReceipt> receipts_;  // pending ones of the table
};

/// True if a table has something to complete.
Result<bool> HasUnswept(OfflineTable& table) {
  TM_ASSIGN(const auto snapshot, table.Snapshot({}));
  TM_ASSIGN(const auto fences, FencesOf(snapshot->properties()));
  return !std::ranges::all_of(fences, &Fence::is_swept);
}

}  // namespace

Result<ErasureReceipt> FeatureTables::Erase(const CatalogView& view, const arrow::ArrayVector& keys,
                                            const std::stop_token& stop) const {
  TM_TRY(CheckWritable());
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->Recover());
  auto receipt = Erasing(view, *this, stop).Run(keys);
  if (!receipt) return std::unexpected(std::move(receipt).error().In("view " + view.definition.name));
  return receipt;
}

Result<void> FeatureTables::CompleteErasures(const CatalogView& view, const std::stop_token& stop) const {
  const auto complete = [&]() -> Result<void> {
    TM_ASSIGN(const auto pending, parts_.receipts->ListPending());
    bool is_needed = std::ranges::any_of(pending, [&](const auto& each) { return each.table_id == view.id; });
    if (!is_needed) {
      TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
      TM_ASSIGN(is_needed, HasUnswept(*table));
    }
    return is_needed ? Erasing(view, *this, stop).Complete() : Result<void>();
  };
  TM_TRY_IN(complete(), "view " + view.definition.name);
  return {};
}

Result<void> FeatureTables::HideErased() const {
  TM_ASSIGN(const auto pending, parts_.receipts->ListPending());
  std::set<std::uint32_t> tables;
  for (const ErasureReceipt& receipt : pending) {
    if (!receipt.is_online_erased) tables.insert(receipt.table_id);
  }
  for (const std::uint32_t table : tables) {
    TM_ASSIGN(const auto view, parts_.log->ViewOf(table));
    if (view == nullptr || !view->definition.is_table()) continue;
    TM_TRY_IN(Erasing(*view, *this, {}).Hide(), "view " + view->definition.name);
  }
  return {};
}

Result<void> FeatureTables::ForgetErasures() const {
  TM_ASSIGN(const auto pending, parts_.receipts->ListPending());
  // The online store may forget what is before every fence that stays.
  const std::int64_t old_us = parts_.clock->now_us() - kBatchMemoryUs;
  std::int64_t online_upto_us = old_us;
  for (const ErasureReceipt& each : pending)
    online_upto_us = std::min(online_upto_us, each.fence_us - 1);
  TM_ASSIGN(const auto logs, parts_.log->Snapshots());
  TM_ASSIGN(const auto entries, parts_.offline->List());
  bool has_fences = false;
  for (const CatalogEntry& entry : entries) {
    TM_ASSIGN(const auto table, parts_.offline->Open(entry.id));
    TM_ASSIGN(const auto snapshot, table->Snapshot({}));
    TM_ASSIGN(const auto fences, FencesOf(snapshot->properties()));
    if (fences.empty()) continue;
    has_fences = true;
    std::int64_t oldest_logged_us = std::numeric_limits<std::int64_t>::max();
    for (const auto& log : logs) {
      TM_TRY(log->Read(0, entry.id, [&](const LogFrame& frame) -> Result<void> {
        oldest_logged_us = std::min(oldest_logged_us, frame.record.write_time_us);
        return {};
      }));
    }
    const auto may_go = [&](const Fence& fence) {
      return fence.is_swept && fence.when_us < old_us && fence.upto_us < oldest_logged_us &&
             std::ranges::none_of(
                 pending,
                 [&](const ErasureReceipt& each) {
                   return std::ranges::find(each.marks, fence.key) != each.marks.end();
                 });
    };
    for (const Fence& fence : fences) {
      if (!may_go(fence)) online_upto_us = std::min(online_upto_us, fence.upto_us - 1);
    }
    const auto rule = [&](const TableHead& head) -> Result<CommitDecision> {
      CommitDecision decision;
      TM_ASSIGN(const auto standing, FencesOf(head.properties));
      for (const Fence& fence : standing) {
        if (may_go(fence)) decision.properties.emplace(FenceName(fence.key), std::nullopt);
      }
      decision.commit = !decision.properties.empty();
      return decision;
    };
    TM_TRY(table->Append(nullptr, rule));
  }
  if (!has_fences) return {};
  TM_ASSIGN(const auto online, parts_.online());
  return online->ForgetErasures(online_upto_us);
}

Result<void> FeatureTables::FlushLogs() const {
  TM_TRY(parts_.log->Recover());
  std::vector<std::uint32_t> tables;
  TM_ASSIGN(const auto logs, parts_.log->Snapshots());
  for (const auto& log : logs) {
    TM_TRY(log->Read(0, std::nullopt, [&](const LogFrame& frame) -> Result<void> {
      const bool is_offline = (frame.record.targets & kLogToOffline) != 0;
      if (is_offline && std::ranges::find(tables, frame.record.table_id) == tables.end())
        tables.push_back(frame.record.table_id);
      return {};
    }));
  }
  for (const std::uint32_t table : tables) {
    TM_ASSIGN(const auto view, parts_.log->ViewOf(table));
    if (view != nullptr && view->definition.is_table()) TM_TRY(Flush(*view));
  }
  return TrimLogs();
}

}  // namespace tidemark
