// Reads values out of packed rows into Arrow builders. Nested bytes are checked as they are read: a length
// that does not add up is an error, never a read outside the row.
#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include "pit/arrow_status.h"
#include "store/packed_bytes_internal.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

using packed::Load;

std::unexpected<Error> DoesNotAddUp(const PackedSlot& slot) {
  return Fail(ErrorCode::kCorruption, "the bytes of a packed " + slot.type.ToString() +
                                          " do not add up; rebuild the view's online rows from its source");
}

template <typename Builder>
Builder& As(arrow::ArrayBuilder& builder) {
  return static_cast<Builder&>(builder);
}

Result<void> AppendFixed(const PackedSlot& slot, const char* at, arrow::ArrayBuilder& builder) {
  switch (slot.type.kind) {
    case TypeKind::kBool:
      return FromArrowStatus(As<arrow::BooleanBuilder>(builder).Append(*at != 0));
    case TypeKind::kInt32:
      return FromArrowStatus(As<arrow::Int32Builder>(builder).Append(Load<std::int32_t>(at)));
    case TypeKind::kDate:
      return FromArrowStatus(As<arrow::Date32Builder>(builder).Append(Load<std::int32_t>(at)));
    case TypeKind::kFloat32:
      return FromArrowStatus(As<arrow::FloatBuilder>(builder).Append(Load<float>(at)));
    case TypeKind::kInt64:
      return FromArrowStatus(As<arrow::Int64Builder>(builder).Append(Load<std::int64_t>(at)));
    case TypeKind::kTimestamp:
      return FromArrowStatus(As<arrow::TimestampBuilder>(builder).Append(Load<std::int64_t>(at)));
    case TypeKind::kFloat64:
      return FromArrowStatus(As<arrow::DoubleBuilder>(builder).Append(Load<double>(at)));
    default:  // a decimal: the only other kind with a width
      return FromArrowStatus(As<arrow::Decimal128Builder>(builder).Append(
          arrow::Decimal128(reinterpret_cast<const std::uint8_t*>(at))));
  }
}

Result<void> AppendVariable(const PackedSlot& slot, std::string_view bytes, arrow::ArrayBuilder& builder);

bool BitIsSet(const char* bits, std::size_t index) {
  return ((static_cast<unsigned char>(bits[index / 8]) >> (index % 8)) & 1U) != 0;
}

// Reads a list from the front of `bytes`, appends its items, and takes it off `bytes`.
Result<std::uint32_t> TakeList(const PackedSlot& items, std::string_view& bytes,
                               arrow::ArrayBuilder& builder) {
  if (bytes.size() < sizeof(std::uint32_t)) return DoesNotAddUp(items);
  const auto count = Load<std::uint32_t>(bytes.data());
  const std::size_t width = items.width > 0 ? items.width : sizeof(std::uint32_t);
  const std::size_t bitmap_at = sizeof(std::uint32_t);
  const std::size_t values_at = bitmap_at + packed::BitmapBytes(count);
  const std::size_t items_at = values_at + count * width;
  if (items_at > bytes.size()) return DoesNotAddUp(items);
  const std::string_view item_bytes = bytes.substr(items_at);
  std::uint32_t begin = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool is_null = BitIsSet(bytes.data() + bitmap_at, i);
    const char* at = bytes.data() + values_at + i * width;
    if (items.width > 0) {
      TM_TRY(is_null ? FromArrowStatus(builder.AppendNull()) : AppendFixed(items, at, builder));
      continue;
    }
    const auto end = Load<std::uint32_t>(at);
    if (end < begin || end > item_bytes.size()) return DoesNotAddUp(items);
    TM_TRY(is_null ? FromArrowStatus(builder.AppendNull())
                   : AppendVariable(items, item_bytes.substr(begin, end - begin), builder));
    begin = end;
  }
  bytes.remove_prefix(items_at + begin);
  return count;
}

Result<void> AppendStruct(const PackedSlot& slot, std::string_view bytes, arrow::StructBuilder& builder) {
  const PackedBody& body = slot.children;
  if (bytes.size() < body.variable_begin) return DoesNotAddUp(slot);
  TM_TRY(FromArrowStatus(builder.Append()));
  std::uint32_t begin = body.variable_begin;
  for (const PackedSlot& child : body.slots) {
    arrow::ArrayBuilder& to = *builder.field_builder(static_cast<int>(child.null_bit));
    const bool is_null = BitIsSet(bytes.data() + body.null_begin, child.null_bit);
    const char* at = bytes.data() + child.offset;
    if (child.width > 0) {
      TM_TRY(is_null ? FromArrowStatus(to.AppendNull()) : AppendFixed(child, at, to));
      continue;
    }
    const auto end = Load<std::uint32_t>(at);
    if (end < begin || end > bytes.size()) return DoesNotAddUp(slot);
    TM_TRY(is_null ? FromArrowStatus(to.AppendNull())
                   : AppendVariable(child, bytes.substr(begin, end - begin), to));
    begin = end;
  }
  return begin == bytes.size() ? Result<void>{} : DoesNotAddUp(slot);
}

Result<void> AppendList(const PackedSlot& slot, std::string_view bytes, arrow::ListBuilder& builder) {
  TM_TRY(FromArrowStatus(builder.Append()));
  TM_TRY(TakeList(slot.children.slots[0], bytes, *builder.value_builder()));
  return bytes.empty() ? Result<void>{} : DoesNotAddUp(slot);
}

Result<void> AppendMap(const PackedSlot& slot, std::string_view bytes, arrow::MapBuilder& builder) {
  TM_TRY(FromArrowStatus(builder.Append()));
  TM_ASSIGN(const std::uint32_t keys, TakeList(slot.children.slots[0], bytes, *builder.key_builder()));
  TM_ASSIGN(const std::uint32_t items, TakeList(slot.children.slots[1], bytes, *builder.item_builder()));
  return keys == items && bytes.empty() ? Result<void>{} : DoesNotAddUp(slot);
}

Result<void> AppendVariable(const PackedSlot& slot, std::string_view bytes, arrow::ArrayBuilder& builder) {
  switch (slot.type.kind) {
    case TypeKind::kString:
      return FromArrowStatus(As<arrow::StringBuilder>(builder).Append(bytes));
    case TypeKind::kBinary:
      return FromArrowStatus(As<arrow::BinaryBuilder>(builder).Append(bytes));
    case TypeKind::kList:
      return AppendList(slot, bytes, As<arrow::ListBuilder>(builder));
    case TypeKind::kMap:
      return AppendMap(slot, bytes, As<arrow::MapBuilder>(builder));
    default:  // a struct: the only other kind without a width
      return AppendStruct(slot, bytes, As<arrow::StructBuilder>(builder));
  }
}

}  // namespace

std::optional<std::string_view> PackedVariable(const PackedLayout& layout, const PackedSlot& slot,
                                               std::span<const std::byte> row) {
  if (PackedIsNull(layout, slot, row)) return std::nullopt;
  // The value begins where the one before it ends.
  const bool is_first = slot.offset == layout.fixed_end();
  const std::uint32_t begin = is_first
                                  ? layout.variable_begin()
                                  : Load<std::uint32_t>(row.data() + slot.offset - sizeof(std::uint32_t));
  const auto end = Load<std::uint32_t>(row.data() + slot.offset);
  return std::string_view(reinterpret_cast<const char*>(row.data()) + begin, end - begin);
}

Result<void> AppendPacked(const PackedLayout& layout, const PackedSlot& slot, std::span<const std::byte> row,
                          arrow::ArrayBuilder& builder) {
  if (slot.width > 0) {
    const std::byte* at = PackedFixed(layout, slot, row);
    if (at == nullptr) return FromArrowStatus(builder.AppendNull());
    return AppendFixed(slot, reinterpret_cast<const char*>(at), builder);
  }
  const std::optional<std::string_view> bytes = PackedVariable(layout, slot, row);
  if (!bytes) return FromArrowStatus(builder.AppendNull());
  return AppendVariable(slot, *bytes, builder);
}

}  // namespace tidemark
