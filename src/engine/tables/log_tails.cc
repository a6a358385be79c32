// What was kept of a log is gone on with from the frame after its last.
#include "engine/tables/log_tails.h"

#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/tables/feature_tables.h"
#include "engine/tables/frame_rows.h"
#include "engine/tables/joined_batches.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/table_rows.h"
#include "pit/arrow_status.h"

namespace tidemark {
Result<std::vector<LogTail>> LogTails::Of(const CatalogView& view,
                                          const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                                          const TableProperties& properties) {
  TM_ASSIGN(const StreamMarks marks, StreamMarksOf(properties));
  ForgetOthers(view.id, logs);
  std::vector<LogTail> tails;
  for (const auto& log : logs) {
    const Place place{view.id, log->id()};
    Tail wanted{.from = FlushedUpTo(properties, log->id()),
                .upto = 0,
                .schema = TableSchema(view),
                .marks = marks,
                .whole = {},
                .last = nullptr};
    wanted.upto = wanted.from;
    auto tail = Find(place, *log, wanted);
    if (tail == nullptr || tail->upto < log->durable_lsn()) {
      TM_ASSIGN(tail, Read(view, *log, tail == nullptr ? wanted : *tail));
      Keep(place, tail);
    }
    LogTail rows{fmt::format("log {} after frame {}", FormatLogId(log->id()), tail->from), tail->whole};
    if (tail->last != nullptr) rows.batches.push_back(tail->last);
    if (!rows.batches.empty()) tails.push_back(std::move(rows));
  }
  return tails;
}

Result<std::shared_ptr<const LogTails::Tail>> LogTails::Read(const CatalogView& view, const LogSnapshot& log,
                                                             Tail tail) {
  JoinedBatches batches(std::move(tail.whole), std::move(tail.last));
  const auto keep = [&](std::shared_ptr<arrow::RecordBatch> rows) { return batches.Add(std::move(rows)); };
  FrameRows frames(view, tail.schema, tail.marks, keep);
  TM_TRY(log.Read(tail.upto, view.id, [&](const LogFrame& frame) -> Result<void> {
    TM_TRY(frames.Add(frame));
    return {};
  }));
  TM_TRY(frames.Finish());
  TM_ASSIGN(tail.last, batches.TakeLast());
  tail.whole = batches.TakeWhole();
  tail.upto = std::max(tail.upto, log.durable_lsn());
  tail.bytes = tail.last == nullptr ? 0 : arrow::util::TotalBufferSize(*tail.last);
  for (const auto& batch : tail.whole)
    tail.bytes += arrow::util::TotalBufferSize(*batch);
  return std::make_shared<const Tail>(std::move(tail));
}

std::shared_ptr<const LogTails::Tail> LogTails::Find(Place place, const LogSnapshot& log,
                                                     const Tail& wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(place);
  if (found == kept_.end()) return nullptr;
  const Tail& tail = *found->second.tail;
  // Another reader may have looked at the log later than this one.
  if (tail.from != wanted.from || tail.upto > std::max(log.durable_lsn(), tail.from) ||
      tail.marks != wanted.marks || !tail.schema->Equals(*wanted.schema)) {
    return nullptr;
  }
  found->second.used = ++uses_;
  return found->second.tail;
}

void LogTails::Keep(Place place, std::shared_ptr<const Tail> tail) {
  const std::lock_guard lock(mutex_);
  if (const auto before = kept_.find(place); before != kept_.end()) {
    kept_bytes_ -= before->second.tail->bytes;
    kept_.erase(before);
  }
  if (tail->bytes > kept_bytes_max_) return;
  while (kept_bytes_ + tail->bytes > kept_bytes_max_) {
    const auto oldest =
        std::ranges::min_element(kept_, {}, [](const auto& each) { return each.second.used; });
    kept_bytes_ -= oldest->second.tail->bytes;
    kept_.erase(oldest);
  }
  kept_bytes_ += tail->bytes;
  kept_.emplace(place, Kept{std::move(tail), ++uses_});
}

void LogTails::Forget(std::uint32_t view_id) {
  ForgetOthers(view_id, {});
}

void LogTails::ForgetOthers(std::uint32_t view_id, const std::vector<std::unique_ptr<LogSnapshot>>& logs) {
  const std::lock_guard lock(mutex_);
  for (auto each = kept_.lower_bound({view_id, 0}); each != kept_.end() && each->first.first == view_id;) {
    const bool is_there = std::ranges::any_of(
        logs, [&](const std::unique_ptr<LogSnapshot>& log) { return log->id() == each->first.second; });
    if (is_there) {
      ++each;
      continue;
    }
    kept_bytes_ -= each->second.tail->bytes;
    each = kept_.erase(each);
  }
}

std::int64_t LogTails::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_bytes_;
}

}  // namespace tidemark
