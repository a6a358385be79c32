// Packs rows of Arrow columns. Every column is reduced to raw pointers once, so that a row costs a copy a
// field.
#include <arrow/util/bit_util.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "model/key_codec.h"
#include "store/packed_bytes_internal.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

using Column = PackedRowWriter::Column;
using packed::Store;

// The arrays below a list's items, a map's keys and values, or a struct's fields.
arrow::ArrayVector ChildArrays(TypeKind kind, const arrow::Array& array) {
  switch (kind) {
    case TypeKind::kList:
      return {static_cast<const arrow::ListArray&>(array).values()};
    case TypeKind::kMap: {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      return {map.keys(), map.items()};
    }
    case TypeKind::kStruct:
      return static_cast<const arrow::StructArray&>(array).fields();  // cut to this array's own range
    default:
      return {};
  }
}

Column MakeColumn(const PackedSlot& slot, const std::shared_ptr<arrow::Array>& array,
                  arrow::ArrayVector& held) {
  held.push_back(array);
  const arrow::ArrayData& data = *array->data();
  Column column;
  column.slot = &slot;
  column.bit_offset = data.offset;
  if (array->null_count() > 0) column.validity = array->null_bitmap_data();
  if (slot.type.kind == TypeKind::kBool) {
    column.values = data.GetValues<std::uint8_t>(1, 0);
  } else if (slot.width > 0) {
    column.values = data.GetValues<std::uint8_t>(1, data.offset * slot.width);
  } else if (slot.type.kind != TypeKind::kStruct) {
    column.ends = data.GetValues<std::int32_t>(1);
    if (!slot.type.is_nested()) column.values = data.GetValues<std::uint8_t>(2, 0);
  }
  const arrow::ArrayVector children = ChildArrays(slot.type.kind, *array);
  for (std::size_t i = 0; i < children.size(); ++i) {
    column.children.push_back(MakeColumn(slot.children.slots[i], children[i], held));
  }
  return column;
}

bool BitOf(const std::uint8_t* bits, const Column& column, std::int64_t row) {
  return arrow::bit_util::GetBit(bits, static_cast<std::uint64_t>(column.bit_offset + row));
}

bool IsNull(const Column& column, std::int64_t row) {
  return column.validity != nullptr && !BitOf(column.validity, column, row);
}

void StoreFixed(const Column& column, std::int64_t row, char* to) {
  switch (column.slot->width) {
    case 16:
      std::memcpy(to, column.values + row * 16, 16);
      return;
    case 8:
      std::memcpy(to, column.values + row * 8, 8);
      return;
    case 4:
      std::memcpy(to, column.values + row * 4, 4);
      return;
    default:
      *to = BitOf(column.values, column, row) ? 1 : 0;
  }
}

void AppendVariable(const Column& column, std::int64_t row, std::string& out);

// Appends a body to `out`, in which what the body is in (row or struct) begins at `start`.
void AppendBody(const PackedBody& body, const std::vector<Column>& columns, std::int64_t row,
                std::size_t start, std::string& out) {
  out.resize(start + body.variable_begin, '\0');
  for (const Column& column : columns) {
    const PackedSlot& slot = *column.slot;
    const bool is_null = IsNull(column, row);
    if (is_null) {
      char& bits = out[start + body.null_begin + slot.null_bit / 8];
      bits = static_cast<char>(static_cast<unsigned char>(bits) | (1U << (slot.null_bit % 8)));
    } else if (slot.width > 0) {
      StoreFixed(column, row, out.data() + start + slot.offset);
    }
    if (slot.width > 0) continue;
    if (!is_null) AppendVariable(column, row, out);
    Store(out.data() + start + slot.offset, static_cast<std::uint32_t>(out.size() - start));
  }
}

// Appends items [begin, end) of a list's column.
void AppendList(const Column& items, std::int64_t begin, std::int64_t end, std::string& out) {
  const auto count = static_cast<std::size_t>(end - begin);
  const std::size_t bitmap_at = out.size() + sizeof(std::uint32_t);
  const std::size_t values_at = bitmap_at + packed::BitmapBytes(count);
  const std::size_t width = items.slot->width > 0 ? items.slot->width : sizeof(std::uint32_t);
  const std::size_t bytes_at = values_at + count * width;
  out.resize(bytes_at, '\0');
  Store(out.data() + bitmap_at - sizeof(std::uint32_t), static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t row = begin + static_cast<std::int64_t>(i);
    const bool is_null = IsNull(items, row);
    if (is_null) {
      char& bits = out[bitmap_at + i / 8];
      bits = static_cast<char>(static_cast<unsigned char>(bits) | (1U << (i % 8)));
    } else if (items.slot->width > 0) {
      StoreFixed(items, row, out.data() + values_at + i * width);
    }
    if (items.slot->width > 0) continue;
    if (!is_null) AppendVariable(items, row, out);
    Store(out.data() + values_at + i * width, static_cast<std::uint32_t>(out.size() - bytes_at));
  }
}

void AppendVariable(const Column& column, std::int64_t row, std::string& out) {
  switch (column.slot->type.kind) {
    case TypeKind::kList:
      return AppendList(column.children[0], column.ends[row], column.ends[row + 1], out);
    case TypeKind::kMap:
      AppendList(column.children[0], column.ends[row], column.ends[row + 1], out);
      return AppendList(column.children[1], column.ends[row], column.ends[row + 1], out);
    case TypeKind::kStruct:
      return AppendBody(column.slot->children, column.children, row, out.size(), out);
    default: {
      const auto length = static_cast<std::size_t>(column.ends[row + 1] - column.ends[row]);
      if (length > 0) out.append(reinterpret_cast<const char*>(column.values + column.ends[row]), length);
    }
  }
}

std::uint16_t SpellingNumber(const TimeSpelling& spelling) {
  const unsigned digits = static_cast<unsigned>(spelling.digits + 1);
  if (digits == 0) return 0;
  return static_cast<std::uint16_t>(static_cast<unsigned>(spelling.nanoseconds) * packed::kSpellings +
                                    digits);
}

void StoreHeader(const PackedHeader& header, std::uint32_t schema_version, bool has_full_key, char* at) {
  const unsigned flags =
      (header.is_deleted ? packed::kDeleted : 0U) | (has_full_key ? packed::kHasFullKey : 0U);
  Store(at + packed::kFormatAt, packed::kFormat);
  Store(at + packed::kFlagsAt, static_cast<std::uint8_t>(flags));
  Store(at + packed::kSpellingAt, SpellingNumber(header.spelling));
  Store(at + packed::kEventAt, header.order.event.us);
  Store(at + packed::kCreatedAt, header.order.created.us);
  Store(at + packed::kSequenceAt, header.order.sequence);
  Store(at + packed::kExpiresAt, header.expires_at_us);
  Store(at + packed::kOriginAt, header.order.origin);
  Store(at + packed::kSchemaVersionAt, schema_version);
}

}  // namespace

PackedRowWriter::PackedRowWriter(const PackedLayout& layout, const arrow::ArrayVector& columns)
    : layout_(layout) {
  TM_CHECK(columns.size() == layout.slots().size(), "one column for each field of the layout");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns_.push_back(MakeColumn(layout.slots()[i], columns[i], held_));
  }
}

Result<void> PackedRowWriter::Append(std::int64_t row, const PackedHeader& header, std::string_view full_key,
                                     std::string& out) const {
  const std::size_t start = out.size();
  const bool is_long = IsLongKey(full_key);
  AppendBody(layout_.body(), columns_, row, start, out);
  StoreHeader(header, layout_.schema_version(), is_long, out.data() + start);
  if (is_long) {
    std::uint32_t key_bytes = 0;
    out.append(full_key);
    out.append(sizeof(key_bytes), '\0');
    key_bytes = static_cast<std::uint32_t>(full_key.size());
    Store(out.data() + out.size() - sizeof(key_bytes), key_bytes);
  }
  if (const std::size_t bytes = out.size() - start; bytes > kPackedRowBytesMax) {
    out.resize(start);
    return Fail(ErrorCode::kInvalidData, "row " + std::to_string(row) + " has " + std::to_string(bytes) +
                                             " bytes packed; an online row may have " +
                                             std::to_string(kPackedRowBytesMax) + ": shorten its values");
  }
  const auto crc_of = [](std::string_view bytes, std::uint32_t seed) {
    return Crc32c(std::as_bytes(std::span(bytes)), seed);
  };
  const std::uint32_t of_key = is_long ? crc_of(StoredKey(full_key), 0) : crc_of(full_key, 0);
  const std::string_view checksummed = std::string_view(out).substr(start + packed::kChecksummedFrom);
  Store(out.data() + start + packed::kCrcAt, crc_of(checksummed, of_key));
  return {};
}

}  // namespace tidemark
