// Of frames that say the same columns, which is seen by their bytes, only the values are read.
#include "engine/tables/plain_frames.h"

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type_traits.h>
#include <arrow/util/decimal.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "model/type.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied in memory's order");

constexpr std::int64_t kPlainBatchRows = 32 * 1024;
constexpr std::size_t kPlainBatchTextBytes = std::size_t{16} << 20;
constexpr char kMayBeNull = '?';
constexpr char kNeverNull = '!';

template <typename Number>
Number NumberAt(const std::byte* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

std::size_t BytesOfBits(std::size_t bits) {
  return (bits + 7) / 8;
}

std::unexpected<Error> NoPlainRow(std::string_view why) {
  return Fail(ErrorCode::kCorruption, fmt::format("a logged row cannot be read: {}", why));
}

/// What a frame says of its columns, and the bytes that say so.
struct SaidColumns {
  std::shared_ptr<arrow::Schema> schema;
  std::string encoded;
};

Result<SaidColumns> ReadColumns(std::span<const std::byte> payload) {
  constexpr std::size_t kCountBytes = sizeof(std::uint32_t);
  if (payload.size() < kCountBytes) return NoPlainRow("it is cut off");
  const std::size_t bytes = NumberAt<std::uint32_t>(payload.data());
  if (bytes > payload.size() - kCountBytes) return NoPlainRow("it is cut off within its columns");
  std::string_view text(reinterpret_cast<const char*>(payload.data()) + kCountBytes, bytes);
  const auto word = [&text]() -> std::optional<std::string_view> {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(end + 1);
    return found;
  };
  arrow::FieldVector fields;
  while (!text.empty()) {
    const auto name = word();
    const auto type = word();
    if (!name || !type || text.empty() || (text.front() != kMayBeNull && text.front() != kNeverNull))
      return NoPlainRow("it does not say its columns");
    const auto parsed = DataType::Parse(*type);
    if (!parsed) return NoPlainRow(parsed.error().message);
    fields.push_back(arrow::field(std::string(*name), ToArrow(*parsed), text.front() == kMayBeNull));
    text.remove_prefix(1);
  }
  return SaidColumns{arrow::schema(std::move(fields)),
                     std::string(reinterpret_cast<const char*>(payload.data()), kCountBytes + bytes)};
}

bool FitsIn(int precision, const std::byte* decimal) {
  return arrow::Decimal128(reinterpret_cast<const std::uint8_t*>(decimal)).FitsInPrecision(precision);
}

}  // namespace

/// Walks through the values of one frame. Each step is false where the frame is not as PlainRow makes it.
class PlainFrames::Reader {
 public:
  explicit Reader(std::span<const std::byte> left) : left_(left) {}

  bool Nulls(std::size_t columns) {
    const std::byte* bits = nullptr;
    const std::size_t bytes = BytesOfBits(columns);
    if (!Take(bytes, bits)) return false;
    nulls_ = {bits, bytes};
    return columns % 8 == 0 || (nulls_.back() >> (columns % 8)) == std::byte{0};
  }

  bool Next(const Column& column, Value& value) {
    const std::size_t i = next_column_++;
    value = {};
    if ((nulls_[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0}) return !column.is_required;
    if (column.type.kind == Kind::kText) return Text(column, value);
    value.size = column.type.kind == Kind::kFlag ? 1 : column.type.bytes;
    if (!Take(value.size, value.bytes)) return false;
    if (column.type.kind == Kind::kFlag) return *value.bytes <= std::byte{1};
    return column.type.precision == 0 || FitsIn(column.type.precision, value.bytes);
  }

  bool IsAtEnd() const { return left_.empty(); }

 private:
  bool Take(std::size_t size, const std::byte*& bytes) {
    if (size > left_.size()) return false;
    bytes = left_.data();
    left_ = left_.subspan(size);
    return true;
  }

  bool Text(const Column& column, Value& value) {
    const std::byte* size = nullptr;
    if (!Take(sizeof(std::uint32_t), size)) return false;
    value.size = NumberAt<std::uint32_t>(size);
    return Take(value.size, value.bytes) &&
           (!column.type.is_utf8 || IsUtf8({reinterpret_cast<const char*>(value.bytes), value.size}));
  }

  std::span<const std::byte> left_;
  std::span<const std::byte> nulls_;
  std::size_t next_column_ = 0;
};

std::optional<PlainType> PlainType::Of(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
      return PlainType{.kind = Kind::kText, .is_utf8 = true};
    case arrow::Type::BINARY:
      return PlainType{.kind = Kind::kText};
    case arrow::Type::BOOL:
      return PlainType{.kind = Kind::kFlag};
    default:
      break;
  }
  const bool is_decimal = type.id() == arrow::Type::DECIMAL128;
  if (!is_decimal && !arrow::is_primitive(type.id())) return std::nullopt;
  return PlainType{.bytes = static_cast<std::size_t>(type.byte_width()),
                   .precision = is_decimal ? static_cast<const arrow::Decimal128Type&>(type).precision() : 0};
}

Result<std::string> EncodePlainSchema(const arrow::Schema& schema) {
  std::string text;
  for (const auto& field : schema.fields()) {
    TM_ASSIGN(const DataType type, FromArrow(*field->type()));
    text.append(field->name()).push_back('\0');
    text.append(type.ToString()).push_back('\0');
    text.push_back(field->nullable() ? kMayBeNull : kNeverNull);
  }
  const auto bytes = static_cast<std::uint32_t>(text.size());
  std::string encoded(sizeof(bytes), '\0');
  std::memcpy(encoded.data(), &bytes, sizeof(bytes));
  return encoded + text;
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodePlainRow(std::span<const std::byte> payload) {
  TM_ASSIGN(SaidColumns said, ReadColumns(payload));
  PlainFrames frames(std::move(said.schema), std::move(said.encoded));
  TM_ASSIGN(const bool is_added, frames.Add(payload));
  if (!is_added) return NoPlainRow("its values are not those of its columns");
  return frames.Take();
}

PlainFrames::PlainFrames(std::shared_ptr<arrow::Schema> schema, std::string encoded)
    : schema_(std::move(schema)), encoded_(std::move(encoded)) {
  are_plain_ = Place();
  values_.resize(columns_.size());
}

bool PlainFrames::Place() {
  for (const auto& field : schema_->fields()) {
    const auto type = PlainType::Of(*field->type());
    if (!type) return false;
    Column& column = columns_.emplace_back();
    column.type = *type;
    column.is_required = !field->nullable();
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
  Reader reader(payload.subspan(encoded_.size()));
  if (!reader.Nulls(columns_.size())) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!reader.Next(columns_[i], values_[i])) return false;
  }
  if (!reader.IsAtEnd()) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TM_TRY(Append(columns_[i], values_[i]));
    if (columns_[i].type.kind == Kind::kText) text_bytes_ += values_[i].size;
  }
  ++rows_;
  return true;
}

Result<void> PlainFrames::Append(Column& column, const Value& value) const {
  const bool is_null = value.bytes == nullptr;
  // The bits of those before are made with the first null.
  if (is_null && column.nulls == 0) TM_TRY(FromArrowStatus(column.valid.Append(rows_, true)));
  if (is_null) ++column.nulls;
  if (column.nulls > 0) TM_TRY(FromArrowStatus(column.valid.Append(!is_null)));
  switch (column.type.kind) {
    case Kind::kWord: {
      const auto bytes = static_cast<std::int64_t>(column.type.bytes);
      return FromArrowStatus(is_null ? column.values.Append(bytes, 0)
                                     : column.values.Append(value.bytes, bytes));
    }
    case Kind::kFlag:
      return FromArrowStatus(column.flags.Append(!is_null && *value.bytes == std::byte{1}));
    case Kind::kText:
      break;
  }
  TM_TRY(FromArrowStatus(column.ends.Append(static_cast<std::int32_t>(column.values.length()))));
  if (value.size == 0) return {};
  return FromArrowStatus(column.values.Append(value.bytes, static_cast<std::int64_t>(value.size)));
}

Result<std::shared_ptr<arrow::ArrayData>> PlainFrames::Finish(
    Column& column, const std::shared_ptr<arrow::DataType>& type) const {
  std::shared_ptr<arrow::Buffer> valid;
  if (column.nulls > 0) {
    TM_ASSIGN(valid, FromArrowResult(column.valid.Finish()));
  }
  arrow::BufferVector buffers{std::move(valid)};
  if (column.type.kind == Kind::kText) {
    TM_TRY(FromArrowStatus(column.ends.Append(static_cast<std::int32_t>(column.values.length()))));
    TM_ASSIGN(auto ends, FromArrowResult(column.ends.Finish()));
    buffers.push_back(std::move(ends));
  }
  TM_ASSIGN(auto values, FromArrowResult(column.type.kind == Kind::kFlag ? column.flags.Finish()
                                                                         : column.values.Finish()));
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
