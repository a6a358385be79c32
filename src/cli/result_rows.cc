// Batches come over the C interface, whose errors StreamError turns back into ours.
#include "cli/result_rows.h"

#include <arrow/c/bridge.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "cli/arrow_rows.h"
#include "cli/parquet_output.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

constexpr std::int64_t kTableRows = 40;  // in a terminal, unless --limit says otherwise

Result<std::int64_t> ParseSnapshotId(const std::string& text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size()) return id;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no snapshot's id, nor a time", text));
}

}  // namespace

ResultRows::~ResultRows() {
  if (stream_.release != nullptr) stream_.release(&stream_);
}

Result<std::shared_ptr<arrow::Schema>> ResultRows::Schema() {
  ArrowSchema schema{};
  if (const int failed = stream_.get_schema(&stream_, &schema); failed != 0) {
    return std::unexpected(StreamError(&stream_, failed));
  }
  auto made = arrow::ImportSchema(&schema);
  if (!made.ok()) return Fail(ErrorCode::kInternal, made.status().message());
  return made.ValueUnsafe();
}

Result<std::shared_ptr<arrow::RecordBatch>> ResultRows::Next(const std::shared_ptr<arrow::Schema>& schema) {
  ArrowArray batch{};
  if (const int failed = stream_.get_next(&stream_, &batch); failed != 0) {
    return std::unexpected(StreamError(&stream_, failed));
  }
  if (batch.release == nullptr) return nullptr;
  auto made = arrow::ImportRecordBatch(&batch, schema);
  if (!made.ok()) return Fail(ErrorCode::kInternal, made.status().message());
  return made.ValueUnsafe();
}

namespace {

/// All rows, or the first `limit`, with the types that they have.
Result<void> WriteParquet(Session& session, ResultRows& rows, std::optional<std::int64_t> limit) {
  TM_ASSIGN(const auto schema, rows.Schema());
  TM_ASSIGN(const auto output, OpenParquetOutput(schema));
  std::int64_t left = limit.value_or(std::numeric_limits<std::int64_t>::max());
  while (left > 0) {
    auto batch = rows.Next(schema);
    session.progress.Clear();
    if (!batch) return std::unexpected(std::move(batch).error());
    if (*batch == nullptr) break;
    TM_TRY(output->Write(*(*batch)->Slice(0, left)));
    left -= std::min(left, (*batch)->num_rows());
  }
  return output->Finish();
}

}  // namespace

Result<void> PrintResult(Session& session, ResultRows& rows, std::optional<std::int64_t> limit) {
  if (session.output == OutputFormat::kParquet) return WriteParquet(session, rows, limit);
  const bool table = session.output == OutputFormat::kTable;
  std::int64_t left = limit.value_or(
      table && isatty(STDOUT_FILENO) == 1 ? kTableRows : std::numeric_limits<std::int64_t>::max());
  TM_ASSIGN(const auto schema, rows.Schema());
  const auto printer = MakeRowPrinter(session.output, schema->field_names());
  bool more = false;
  while (!more) {
    auto batch = rows.Next(schema);
    session.progress.Clear();
    if (!batch) return std::unexpected(std::move(batch).error());
    if (*batch == nullptr) break;
    more = (*batch)->num_rows() > left;
    TM_TRY(PrintBatch(**batch, left, *printer));
    left -= std::min(left, (*batch)->num_rows());
  }
  TM_TRY(printer->Finish());
  if (more && !limit) {
    fmt::print(stderr, "(the first {} rows; --limit N, --output csv or --out FILE for more)\n", kTableRows);
  }
  return {};
}

Result<TableReadOptions> ParseReading(const std::string& as_of, const std::string& at_least) {
  TableReadOptions reading;
  reading.at_least = at_least;
  if (as_of.empty()) return reading;
  const bool is_id = std::ranges::all_of(as_of, [](char c) { return c >= '0' && c <= '9'; });
  if (is_id) {
    TM_ASSIGN(reading.snapshot_id, ParseSnapshotId(as_of));
  } else {
    TM_ASSIGN(reading.as_of_us, ParseTime(as_of));
  }
  return reading;
}

}  // namespace tidemark::cli
