// What the logs have of tables beyond their files, as rows.
//
// A log only grows, and a frame that is durable never changes. So what was read of a log is kept, and the
// next read decodes the frames that came since: a training read right after a write costs what that write
// was, not what the log has.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/tables/stream_marks.h"
#include "engine/tables/table_source.h"
#include "store/offline_store.h"
#include "store/write_log.h"

namespace tidemark {

/// Thread safe. Rows that are kept are those of frames whose checksums held when they were read: what rots on
/// the disk afterwards is noticed by whoever flushes them, or reads them first in another process.
class LogTails {
 public:
  /// Tails of more than so many bytes in all are not kept: those that were read longest ago go first.
  explicit LogTails(std::int64_t kept_bytes_max) : kept_bytes_max_(kept_bytes_max) {}

  /// The rows of the view that no file has by these properties, in the columns of TableSchema(view); one tail
  /// for each log that has any. Errors as LogSnapshot::Read, and kCorruption for rows that cannot be decoded.
  Result<std::vector<LogTail>> Of(const CatalogView& view,
                                  const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                                  const TableProperties& properties);

  /// Gives up what is kept of the view: its rows are in files now, or are to be in no memory.
  void Forget(std::uint32_t view_id);

  std::int64_t kept_bytes() const;

 private:
  /// The rows of the frames in (from, upto] of one log.
  struct Tail {
    std::uint64_t from = 0;
    std::uint64_t upto = 0;
    std::shared_ptr<arrow::Schema> schema;     // of the view when they were read
    StreamMarks marks;                         // that said which of them count
    arrow::RecordBatchVector whole;            // of many rows each
    std::shared_ptr<arrow::RecordBatch> last;  // of few, which the next ones are put to; null: none
    std::int64_t bytes = 0;
  };
  struct Kept {
    std::shared_ptr<const Tail> tail;
    std::uint64_t used = 0;  // when it was last asked for, counted
  };
  using Place = std::pair<std::uint32_t, LogId>;  // of a view

  static Result<std::shared_ptr<const Tail>> Read(const CatalogView& view, const LogSnapshot& log, Tail tail);
  std::shared_ptr<const Tail> Find(Place place, const LogSnapshot& log, const Tail& wanted);
  void Keep(Place place, std::shared_ptr<const Tail> tail);
  /// Of logs that are gone.
  void ForgetOthers(std::uint32_t view_id, const std::vector<std::unique_ptr<LogSnapshot>>& logs);

  const std::int64_t kept_bytes_max_;
  mutable std::mutex mutex_;  // guards those below
  std::map<Place, Kept> kept_;
  std::int64_t kept_bytes_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace tidemark
