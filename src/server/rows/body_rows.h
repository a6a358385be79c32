// Rows of a body, in whatever format, as a store takes them.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/http/message.h"
#include "server/rows/formats.h"
#include "server/rows/json_rows.h"
#include "tidemark/store.h"

namespace tidemark::server {

/// What becomes of the rows.
enum class RowsUse : std::uint8_t {
  kStreamed,  // they are read while the body arrives, batch by batch
  kHeld,      // they are read so, and then held all at once
  kLater,     // so, too, but after the body: it is put aside first, whatever its format
};

struct BodyRowsOptions {
  JsonRowsOptions json = {};                 // types and limits, of JSON and NDJSON
  std::size_t body_bytes_max = 64UL << 20U;  // of JSON bodies, and of one line of NDJSON
  std::filesystem::path spool_folder;        // for bodies that are read out of order, or later
  RowsUse use = RowsUse::kStreamed;
  /// What all rows may take, unfolded: a small compressed body may claim any size. The second is of rows that
  /// are held.
  std::uint64_t unfolded_bytes_max = 64ULL << 30U;
  std::uint64_t held_bytes_max = 1ULL << 30U;
};

/// Memory is bounded in all formats but JSON: NDJSON and Arrow are read as they arrive, CSV and Parquet from
/// a file. Batches of Arrow and Parquet are checked before anyone reads them.
class BodyRows {
 public:
  /// `body` must outlive the reading, unless they are read later. Errors of JSON are found here, of other
  /// formats while the rows are read; those of limits have kBodyTooLarge as their context.
  static Result<std::unique_ptr<BodyRows>> Open(http::BodyReader& body, RowFormat format,
                                                const BodyRowsOptions& options);
  /// Rows that are there already.
  static std::unique_ptr<BodyRows> Of(std::shared_ptr<arrow::RecordBatch> rows);
  BodyRows(const BodyRows&) = delete;
  BodyRows& operator=(const BodyRows&) = delete;
  ~BodyRows();

  /// What to hand to the store; once. This object must outlive what reads it.
  EntityRows rows();

  /// The error that is to be told where the store answered `error`: that of the body if reading it failed,
  /// or else `error` without the paths of our own files.
  Error Blame(Error error) const;

  /// True if times of JSON had digits below a microsecond, which were cut.
  bool cut_times() const;

 private:
  struct Impl;
  explicit BodyRows(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::server
