// Everything that a frame says of itself is compared with what it must say: what differs is no plain frame.
#include "engine/tables/plain_frames.h"

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type_traits.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/tables/plain_frame_internal.h"
#include "pit/arrow_status.h"
#include "pit/utf8.h"

namespace tidemark {
namespace {

constexpr std::int64_t kPlainBatchRows = 32 * 1024;
constexpr std::size_t kPlainBatchTextBytes = std::size_t{16} << 20;

template <typename Number>
Number NumberAt(std::span<const std::byte> bytes, std::size_t at) {
  Number number;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

bool FitsIn(int precision, const std::byte* decimal) {
  return arrow::Decimal128(reinterpret_cast<const std::uint8_t*>(decimal)).FitsInPrecision(precision);
}

}  // namespace

/// Walks through one frame. Each step is false where the frame is not as PlainRow makes it.
class PlainFrames::Reader {
 public:
  Reader(std::span<const std::byte> frame, std::size_t schema_bytes, std::size_t columns, std::size_t buffers)
      : frame_(frame), columns_(columns), buffers_(buffers), at_(schema_bytes, columns, buffers) {}

  /// All but the columns.
  bool HasFrame() {
    using plain_frame::kEndOfStream;
    if (frame_.size() < at_.body + kEndOfStream.size()) return false;
    body_ = frame_.subspan(at_.body, frame_.size() - at_.body - kEndOfStream.size());
    const auto begin = at_.BeginWords();
    const auto head = at_.Head(columns_, body_.size());
    return Is(at_.begin, &begin, sizeof(begin)) && Is(at_.head, &head, sizeof(head)) &&
           NumberAt<std::uint32_t>(frame_, at_.count) == buffers_ &&
           Is(at_.body + body_.size(), kEndOfStream.data(), kEndOfStream.size());
  }

  bool Next(const Column& column, Value& value) {
    const auto entry = NumberAt<plain_frame::ColumnEntry>(
        frame_, at_.columns + next_column_++ * sizeof(plain_frame::ColumnEntry));
    value.is_null = entry.nulls == 1;
    if (entry.rows != 1 || entry.nulls < 0 || entry.nulls > 1 || (value.is_null && column.is_required))
      return false;
    const std::byte* valid = nullptr;
    if (!Buffer(value.is_null ? 1 : 0, valid) || (value.is_null && *valid != std::byte{0})) return false;
    if (column.kind == Kind::kText) return Text(column, value);
    if (!Buffer(column.kind == Kind::kFlag ? 1 : column.bytes, value.bytes)) return false;
    return column.precision == 0 || value.is_null || FitsIn(column.precision, value.bytes);
  }

  bool IsAtEnd() const { return next_byte_ == body_.size(); }

 private:
  bool Is(std::size_t at, const void* bytes, std::size_t size) const {
    return std::memcmp(frame_.data() + at, bytes, size) == 0;
  }

  /// The next buffer, which has so many bytes.
  bool Buffer(std::size_t size, const std::byte*& bytes) {
    const plain_frame::BufferEntry wanted{.offset = static_cast<std::int64_t>(next_byte_),
                                          .bytes = static_cast<std::int64_t>(size)};
    if (!Is(at_.buffers + next_buffer_++ * sizeof(wanted), &wanted, sizeof(wanted))) return false;
    const std::size_t room = body_.size() - next_byte_;
    if (size > room || plain_frame::Aligned(size) > room) return false;
    bytes = body_.data() + next_byte_;
    next_byte_ += plain_frame::Aligned(size);
    return true;
  }

  bool Text(const Column& column, Value& value) {
    const std::byte* ends = nullptr;
    if (!Buffer(2 * sizeof(std::int32_t), ends)) return false;
    const auto begin = NumberAt<std::int32_t>(std::span(ends, 2 * sizeof(std::int32_t)), 0);
    const auto end = NumberAt<std::int32_t>(std::span(ends, 2 * sizeof(std::int32_t)), sizeof(begin));
    if (begin != 0 || end < 0 || (value.is_null && end != 0)) return false;
    value.size = static_cast<std::size_t>(end);
    return Buffer(value.size, value.bytes) &&
           (!column.is_utf8 || IsUtf8({reinterpret_cast<const char*>(value.bytes), value.size}));
  }

  const std::span<const std::byte> frame_;
  const std::size_t columns_;
  const std::size_t buffers_;
  const plain_frame::Places at_;
  std::span<const std::byte> body_;
  std::size_t next_column_ = 0;
  std::size_t next_buffer_ = 0;
  std::size_t next_byte_ = 0;
};

PlainFrames::PlainFrames(std::shared_ptr<arrow::Schema> schema, std::string encoded)
    : schema_(std::move(schema)), encoded_(std::move(encoded)) {
  are_plain_ = Place();
  values_.resize(columns_.size());
}

bool PlainFrames::Place() {
  for (const auto& field : schema_->fields()) {
    const arrow::DataType& type = *field->type();
    Column& column = columns_.emplace_back();
    column.is_required = !field->nullable();
    if (type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY) {
      column.kind = Kind::kText;
      column.is_utf8 = type.id() == arrow::Type::STRING;
      ++texts_;
    } else if (type.id() == arrow::Type::BOOL) {
      column.kind = Kind::kFlag;
    } else if (arrow::is_primitive(type.id()) || type.id() == arrow::Type::DECIMAL128) {
      column.bytes = static_cast<std::size_t>(type.byte_width());
      if (type.id() == arrow::Type::DECIMAL128)
        column.precision = static_cast<const arrow::Decimal128Type&>(type).precision();
    } else {
      return false;
    }
  }
  return true;
}

bool PlainFrames::is_full() const {
  return rows_ >= kPlainBatchRows || text_bytes_ >= kPlainBatchTextBytes;
}

Result<bool> PlainFrames::Add(std::span<const std::byte> payload) {
  if (!are_plain_ || payload.size() < encoded_.size() ||
      std::memcmp(payload.data(), encoded_.data(), encoded_.size()) != 0) {
    return false;
  }
  Reader reader(payload, encoded_.size(), columns_.size(), 2 * columns_.size() + texts_);
  if (!reader.HasFrame()) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!reader.Next(columns_[i], values_[i])) return false;
  }
  if (!reader.IsAtEnd()) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TM_TRY(Append(columns_[i], values_[i]));
    if (columns_[i].kind == Kind::kText) text_bytes_ += values_[i].size;
  }
  ++rows_;
  return true;
}

Result<void> PlainFrames::Append(Column& column, const Value& value) const {
  // The bits of those before are made with the first null.
  if (value.is_null && column.nulls == 0) TM_TRY(FromArrowStatus(column.valid.Append(rows_, true)));
  if (value.is_null) ++column.nulls;
  if (column.nulls > 0) TM_TRY(FromArrowStatus(column.valid.Append(!value.is_null)));
  switch (column.kind) {
    case Kind::kWord:
      return FromArrowStatus(column.values.Append(value.bytes, static_cast<std::int64_t>(column.bytes)));
    case Kind::kFlag:
      return FromArrowStatus(column.flags.Append((*value.bytes & std::byte{1}) != std::byte{0}));
    case Kind::kText:
      break;
  }
  TM_TRY(FromArrowStatus(column.ends.Append(static_cast<std::int32_t>(column.values.length()))));
  return FromArrowStatus(column.values.Append(value.bytes, static_cast<std::int64_t>(value.size)));
}

Result<std::shared_ptr<arrow::ArrayData>> PlainFrames::Finish(
    Column& column, const std::shared_ptr<arrow::DataType>& type) const {
  std::shared_ptr<arrow::Buffer> valid;
  if (column.nulls > 0) {
    TM_ASSIGN(valid, FromArrowResult(column.valid.Finish()));
  }
  arrow::BufferVector buffers{std::move(valid)};
  if (column.kind == Kind::kText) {
    TM_TRY(FromArrowStatus(column.ends.Append(static_cast<std::int32_t>(column.values.length()))));
    TM_ASSIGN(auto ends, FromArrowResult(column.ends.Finish()));
    buffers.push_back(std::move(ends));
  }
  TM_ASSIGN(auto values,
            FromArrowResult(column.kind == Kind::kFlag ? column.flags.Finish() : column.values.Finish()));
  buffers.push_back(std::move(values));
  return arrow::ArrayData::Make(type, rows_, std::move(buffers), std::exchange(column.nulls, 0));
}

Result<std::shared_ptr<arrow::RecordBatch>> PlainFrames::Take() {
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  columns.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TM_ASSIGN(auto column, Finish(columns_[i], schema_->field(static_cast<int>(i))->type()));
    columns.push_back(std::move(column));
  }
  text_bytes_ = 0;
  return arrow::RecordBatch::Make(schema_, std::exchange(rows_, 0), std::move(columns));
}

}  // namespace tidemark
