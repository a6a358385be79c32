// On the disk each column of a part is a record batch of its own: the first pass over a source reads only
// keys and times.
#include "adapters/adbc/row_spool.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/byte_size.h>

#include <string>
#include <utility>

#include "pit/arrow_status.h"

namespace tidemark {
namespace {

// Drivers that give few rows at a time are not to cost a task for each.
constexpr std::int64_t kPartRowsMin = 64 * 1024;

std::int64_t BytesOf(const arrow::RecordBatch& rows) {
  const auto referenced = arrow::util::ReferencedBufferSize(rows);
  return referenced.ok() ? *referenced : arrow::util::TotalBufferSize(rows);
}

std::shared_ptr<arrow::Schema> OneColumn(const arrow::Schema& schema, int column) {
  return arrow::schema({schema.field(column)});
}

}  // namespace

RowSpool::RowSpool(std::shared_ptr<arrow::Schema> schema, std::int64_t memory_bytes_max, SpillOpener spill)
    : schema_(std::move(schema)), memory_left_(memory_bytes_max), open_spill_(std::move(spill)) {}

Result<void> RowSpool::Add(std::shared_ptr<arrow::RecordBatch> rows) {
  if (rows->num_rows() == 0) return {};
  if (small_.empty() && rows->num_rows() >= kPartRowsMin) return Keep(std::move(rows));
  small_rows_ += rows->num_rows();
  small_.push_back(std::move(rows));
  return small_rows_ >= kPartRowsMin ? FlushSmall() : Result<void>();
}

Result<void> RowSpool::Finish() {
  return FlushSmall();
}

Result<void> RowSpool::FlushSmall() {
  if (small_.empty()) return {};
  std::shared_ptr<arrow::RecordBatch> joined = small_.front();
  if (small_.size() > 1) {
    TM_ASSIGN(joined, FromArrowResult(arrow::ConcatenateRecordBatches(small_)));
  }
  small_.clear();
  small_rows_ = 0;
  return Keep(std::move(joined));
}

Result<void> RowSpool::Keep(std::shared_ptr<arrow::RecordBatch> rows) {
  Part part{.rows = rows->num_rows(), .batch = nullptr, .columns = {}};
  const std::int64_t bytes = BytesOf(*rows);
  if (bytes <= memory_left_ || !open_spill_) {
    memory_left_ -= bytes;
    part.batch = std::move(rows);
  } else {
    memory_left_ = 0;
    TM_TRY(PutAside(*rows, part));
  }
  parts_.push_back(std::move(part));
  return {};
}

Result<void> RowSpool::PutAside(const arrow::RecordBatch& rows, Part& part) {
  const std::lock_guard lock(mutex_);
  if (spill_ == nullptr) {
    TM_ASSIGN(spill_, open_spill_());
  }
  for (int column = 0; column < rows.num_columns(); ++column) {
    const auto alone =
        arrow::RecordBatch::Make(OneColumn(*schema_, column), rows.num_rows(), {rows.column(column)});
    TM_ASSIGN(const auto bytes, FromArrowResult(arrow::ipc::SerializeRecordBatch(
                                    *alone, arrow::ipc::IpcWriteOptions::Defaults())));
    TM_TRY(spill_->Append(std::string_view(*bytes)));
    part.columns.push_back({spilled_, bytes->size()});
    spilled_ += bytes->size();
  }
  return {};
}

Result<arrow::ArrayVector> RowSpool::Read(std::size_t part, std::span<const int> columns) const {
  const Part& from = parts_[part];
  arrow::ArrayVector read;
  for (const int column : columns) {
    if (from.batch != nullptr) {
      read.push_back(from.batch->column(column));
      continue;
    }
    const Place& place = from.columns[static_cast<std::size_t>(column)];
    std::string bytes;
    {
      const std::lock_guard lock(mutex_);
      TM_ASSIGN(bytes, spill_->Read(place.offset, place.bytes));
    }
    arrow::io::BufferReader reader(arrow::Buffer::FromString(std::move(bytes)));
    TM_ASSIGN(const auto alone,
              FromArrowResult(arrow::ipc::ReadRecordBatch(OneColumn(*schema_, column), nullptr,
                                                          arrow::ipc::IpcReadOptions::Defaults(), &reader)));
    read.push_back(alone->column(0));
  }
  return read;
}

}  // namespace tidemark
