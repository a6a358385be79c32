// Files with erased rows are few and there for a short time: they are read here, whole.
#include "engine/tables/table_state.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "engine/tables/scanned_rows.h"
#include "engine/tables/table_rewrite_internal.h"
#include "engine/tables/table_rows.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

std::int64_t BytesOf(const arrow::RecordBatch& batch) {
  std::int64_t bytes = 0;
  for (const auto& column : batch.columns()) {
    for (const auto& buffer : column->data()->buffers)
      bytes += buffer == nullptr ? 0 : buffer->size();
  }
  return bytes;
}

/// The columns of `batch` in the order of the schema.
std::shared_ptr<arrow::RecordBatch> InOrder(const std::shared_ptr<arrow::Schema>& schema,
                                            const arrow::RecordBatch& batch) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields())
    columns.push_back(batch.GetColumnByName(field->name()));
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace

Result<StandingFiles> FindStanding(const CatalogView& view, const TableState& state, std::int64_t bytes_max,
                                   const std::stop_token& stop) {
  StandingFiles standing;
  if (state.snapshot->id() == 0) return standing;
  TM_ASSIGN(standing.files, state.snapshot->Files());
  if (!state.may_hold_erased) return standing;
  const auto schema = TableSchema(view);
  std::int64_t bytes = 0;
  std::vector<DataFileInfo> clean;
  for (DataFileInfo& file : standing.files) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    TM_ASSIGN(const std::int64_t erased, CountErasedRows(view, *state.snapshot, file, *state.erasures, stop));
    if (erased == 0) {
      clean.push_back(std::move(file));
      continue;
    }
    SourceOptions reading;
    reading.filter = [&](const DataFileInfo& each) { return each.path == file.path; };
    reading.columns_of_now = true;
    reading.threads = 1;
    reading.stop = stop;
    TM_ASSIGN(auto source, state.snapshot->OpenSource(reading));
    const auto stand = [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
      return state.erasures->Standing(view, batch);
    };
    TM_ASSIGN(const auto rows, ScannedRows::Make(std::move(source), stand, stop));
    while (true) {
      TM_ASSIGN(const auto batch, FromArrowResult(rows->Next()));
      if (batch == nullptr) break;
      standing.rows.push_back(InOrder(schema, *batch));
      bytes += BytesOf(*batch);
      if (bytes > bytes_max) {
        return Fail(ErrorCode::kOutOfSpace,
                    fmt::format("rows of table '{}' are being erased, and what stands beside them takes more "
                                "than the memory limit: complete the erasure by `tidemark flush {}`",
                                view.definition.name, view.definition.name));
      }
    }
  }
  standing.files = std::move(clean);
  return standing;
}

Result<arrow::RecordBatchVector> StandingTails(const CatalogView& view, const TableState& state) {
  arrow::RecordBatchVector rows;
  for (const LogTail& tail : state.tails) {
    for (auto batch : tail.batches) {
      if (state.erasures != nullptr) {
        TM_ASSIGN(batch, state.erasures->Standing(view, batch));
      }
      if (batch->num_rows() > 0) rows.push_back(std::move(batch));
    }
  }
  return rows;
}

}  // namespace tidemark
