// Reads and checks entity rows.
#include "engine/entity_rows.h"

#include <arrow/array/concatenate.h>
#include <arrow/compute/cast.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/result.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::string_view kDefaultEventColumn = "event_timestamp";

Result<std::shared_ptr<arrow::ChunkedArray>> FindColumn(const arrow::Table& block,
                                                        const std::string& column) {
  if (auto found = block.GetColumnByName(column)) return found;
  const auto names = block.schema()->field_names();
  if (std::ranges::count(names, column) > 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the entity rows have several columns '{}': rename or drop all but one", column));
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("the entity rows have no column '{}'{}; their columns are: {}", column,
                          Suggest(column, names), fmt::join(names, ", ")));
}

std::int64_t BytesOfValues(const arrow::Array& piece) {
  if (piece.type_id() == arrow::Type::BINARY) {
    return static_cast<const arrow::BinaryArray&>(piece).total_values_length();
  }
  return static_cast<const arrow::LargeBinaryArray&>(piece).total_values_length();
}

/// Gives all pieces of text one form, the wide one if together they are more than 32-bit offsets reach.
Result<void> MakeRoom(arrow::ArrayVector& pieces) {
  if (!arrow::is_base_binary_like(pieces.front()->type_id())) return {};
  std::int64_t bytes = 0;
  bool is_wide = false;
  for (const auto& piece : pieces) {
    bytes += BytesOfValues(*piece);
    is_wide = is_wide || piece->type_id() == arrow::Type::LARGE_BINARY;
  }
  if (!is_wide && bytes <= std::numeric_limits<std::int32_t>::max()) return {};
  for (auto& piece : pieces) {
    TM_ASSIGN(piece, FromArrowResult(arrow::compute::Cast(*piece, arrow::large_binary())));
  }
  return {};
}

template <typename Convert>
auto ConvertChunks(const arrow::ChunkedArray& column, std::int64_t first_row, const Convert& convert)
    -> Result<std::shared_ptr<arrow::Array>> {
  arrow::ArrayVector chunks = column.chunks();
  if (chunks.empty()) {
    TM_ASSIGN(auto none, FromArrowResult(arrow::MakeEmptyArray(column.type())));
    chunks.push_back(std::move(none));
  }
  arrow::ArrayVector pieces;
  for (const auto& chunk : chunks) {
    TM_ASSIGN(auto piece, convert(chunk, first_row));
    first_row += chunk->length();
    pieces.push_back(std::move(piece));
  }
  if (pieces.size() == 1) return pieces.front();
  TM_TRY(MakeRoom(pieces));
  return FromArrowResult(arrow::Concatenate(pieces, BufferPool()));
}

}  // namespace

Result<std::string> FindEventColumn(const arrow::Schema& schema, const std::string& wanted) {
  const auto names = schema.field_names();
  const std::string name = wanted.empty() ? std::string(kDefaultEventColumn) : wanted;
  if (std::ranges::count(names, name) > 0) return name;
  if (!wanted.empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the entity rows have no column '{}'{}; their columns are: {}", wanted,
                            Suggest(wanted, names), fmt::join(names, ", ")));
  }
  std::vector<std::string> timestamps;
  for (const auto& field : schema.fields()) {
    if (field->type()->id() == arrow::Type::TIMESTAMP) timestamps.push_back(field->name());
  }
  if (timestamps.size() == 1) return timestamps.front();
  return Fail(
      ErrorCode::kInvalidArgument,
      timestamps.empty()
          ? fmt::format(
                "the entity rows need an event timestamp: no column is named '{}' and none has a timestamp "
                "type; their columns are: {}. Name the one of times with event_timestamp (text in "
                "ISO-8601 will do)",
                kDefaultEventColumn, fmt::join(names, ", "))
          : fmt::format("the entity rows need an event timestamp: no column is named '{}' and several are "
                        "timestamps: {}. Name one with event_timestamp",
                        kDefaultEventColumn, fmt::join(timestamps, ", ")));
}

Result<bool> EntityRowBlocks::Fill() {
  while (rest_ == nullptr || rest_->num_rows() == 0) {
    if (!ahead_.empty()) {
      rest_ = std::move(ahead_.front());
      ahead_.pop_front();
      continue;
    }
    std::shared_ptr<arrow::RecordBatch> next;
    TM_TRY_IN(FromArrowStatus(reader_->ReadNext(&next)), "entity rows");
    if (next == nullptr) return false;
    rest_ = std::move(next);
  }
  return true;
}

Result<std::optional<TimeRange>> EntityRowBlocks::SpanOfTimes(const std::string& column,
                                                              std::int64_t bytes_max,
                                                              std::int64_t first_row) {
  std::optional<TimeRange> span;
  std::int64_t bytes = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> next;
    TM_TRY_IN(FromArrowStatus(reader_->ReadNext(&next)), "entity rows");
    if (next == nullptr) return span;
    ahead_.push_back(next);
    bytes += arrow::util::TotalBufferSize(*next);
    if (bytes > bytes_max) return std::nullopt;
    TM_ASSIGN(const auto table, FromArrowResult(arrow::Table::FromRecordBatches(reader_schema_, {next})));
    bool cut = false;
    TM_ASSIGN(const auto times, EntityTimes(*table, column, first_row, &cut));
    first_row += next->num_rows();
    if (times->length() == 0) continue;
    const auto [least, greatest] =
        std::minmax_element(times->raw_values(), times->raw_values() + times->length());
    if (!span) span = TimeRange{*least, *greatest};
    span = TimeRange{std::min(span->start_us, *least), std::max(span->end_us, *greatest)};
  }
}

Result<std::int64_t> EntityRowBlocks::BytesPerRow() {
  TM_ASSIGN(const bool more, Fill());
  if (!more) return 0;
  // Some types cannot be measured by what they refer to; then the whole buffers count.
  const auto referenced = arrow::util::ReferencedBufferSize(*rest_);
  const std::int64_t bytes = referenced.ok() ? *referenced : arrow::util::TotalBufferSize(*rest_);
  return bytes / rest_->num_rows() + 1;
}

Result<std::shared_ptr<arrow::Table>> EntityRowBlocks::Next(std::int64_t rows_max) {
  arrow::RecordBatchVector batches;
  std::int64_t rows = 0;
  while (rows < rows_max) {
    TM_ASSIGN(const bool more, Fill());
    if (!more) break;
    const std::int64_t taken = std::min(rest_->num_rows(), rows_max - rows);
    batches.push_back(rest_->Slice(0, taken));
    rest_ = rest_->Slice(taken);
    rows += taken;
  }
  if (rows == 0 && !first_) return nullptr;
  first_ = false;
  return FromArrowResult(arrow::Table::FromRecordBatches(reader_schema_, batches));
}

Result<std::shared_ptr<arrow::Array>> EntityKey(const arrow::Table& block, const std::string& column,
                                                const JoinKey& key, std::int64_t first_row) {
  TM_ASSIGN(const auto found, FindColumn(block, column));
  auto keys =
      ConvertChunks(*found, first_row, [&](const std::shared_ptr<arrow::Array>& chunk, std::int64_t row) {
        return CanonicalKey(chunk, *key.type, column, row);
      });
  if (!keys) return std::unexpected(std::move(keys).error().In("entity rows"));
  return keys;
}

Result<std::shared_ptr<arrow::Int64Array>> EntityTimes(const arrow::Table& block, const std::string& column,
                                                       std::int64_t first_row, bool* cut) {
  TM_ASSIGN(const auto found, FindColumn(block, column));
  const auto convert = [&](const std::shared_ptr<arrow::Array>& chunk,
                           std::int64_t row) -> Result<std::shared_ptr<arrow::Array>> {
    bool chunk_cut = false;
    TM_ASSIGN(auto times, TimesToMicros(*chunk, column, row, &chunk_cut));
    *cut = *cut || chunk_cut;
    return times;
  };
  auto times = ConvertChunks(*found, first_row, convert);
  if (!times) return std::unexpected(std::move(times).error().In("entity rows"));
  return std::static_pointer_cast<arrow::Int64Array>(*times);
}

}  // namespace tidemark
