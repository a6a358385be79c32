// Headers, checksums and layouts of packed rows; values are written and read in the two files beside this
// one.
#include "store/packed_row.h"

#include <algorithm>
#include <array>

#include "base/crc32c.h"
#include "model/key_codec.h"
#include "model/type_width.h"
#include "store/packed_bytes_internal.h"

namespace tidemark {
namespace {

using packed::Load;

PackedSlot MakeSlot(const DataType& type);

// Gives every slot its place in a body that begins at `begin`.
PackedBody PlaceSlots(std::vector<PackedSlot> slots, std::uint32_t begin) {
  PackedBody body{.slots = std::move(slots), .null_begin = begin};
  std::uint32_t at = begin + static_cast<std::uint32_t>(packed::BitmapBytes(body.slots.size()));
  for (std::uint32_t i = 0; i < body.slots.size(); ++i)
    body.slots[i].null_bit = i;
  for (const std::uint8_t width : std::array<std::uint8_t, 5>{16, 8, 4, 1, 0}) {
    if (width == 0) body.fixed_end = at;
    for (PackedSlot& slot : body.slots) {
      if (slot.width != width) continue;
      slot.offset = at;
      at += width == 0 ? static_cast<std::uint32_t>(sizeof(std::uint32_t)) : width;
    }
  }
  body.variable_begin = at;
  return body;
}

PackedBody MakeChildren(const DataType& type) {
  std::vector<PackedSlot> slots;
  slots.reserve(type.children.size());
  for (const NamedType& child : type.children)
    slots.push_back(MakeSlot(child.type));
  if (type.kind == TypeKind::kStruct) return PlaceSlots(std::move(slots), 0);
  return PackedBody{.slots = std::move(slots)};
}

PackedSlot MakeSlot(const DataType& type) {
  return PackedSlot{.width = FixedWidth(type.kind), .type = type, .children = MakeChildren(type)};
}

TimeSpelling SpellingOfNumber(unsigned number) {
  return {.nanoseconds = static_cast<std::int16_t>(number / packed::kSpellings),
          .digits = static_cast<std::int8_t>(static_cast<int>(number % packed::kSpellings) - 1)};
}

std::uint8_t Flags(std::span<const std::byte> row) {
  return std::to_integer<std::uint8_t>(row[packed::kFlagsAt]);
}

// Where the values of a row end: at the full key if there is one. Nothing if that key does not fit.
std::optional<std::size_t> ValuesEnd(std::span<const std::byte> row) {
  if ((Flags(row) & packed::kHasFullKey) == 0) return row.size();
  if (row.size() < kPackedHeaderBytes + sizeof(std::uint32_t)) return std::nullopt;
  const std::size_t room = row.size() - kPackedHeaderBytes - sizeof(std::uint32_t);
  const auto key_bytes = Load<std::uint32_t>(row.data() + row.size() - sizeof(std::uint32_t));
  if (key_bytes > room) return std::nullopt;
  return row.size() - sizeof(std::uint32_t) - key_bytes;
}

std::unexpected<Error> DoesNotFit(std::string message) {
  return Fail(ErrorCode::kCorruption,
              std::move(message) + "; rebuild the view's online rows from its source");
}

}  // namespace

Result<PackedHeader> ReadPackedHeader(std::span<const std::byte> row) {
  if (row.size() < kPackedHeaderBytes) {
    return DoesNotFit("a packed row has " + std::to_string(row.size()) + " bytes, fewer than its header");
  }
  const auto format = std::to_integer<unsigned>(row[packed::kFormatAt]);
  if (format != packed::kFormat) {
    return DoesNotFit("a packed row has format " + std::to_string(format) + "; this version knows format 1");
  }
  const std::byte* at = row.data();
  return PackedHeader{
      .order = {.event = {Load<std::int64_t>(at + packed::kEventAt)},
                .created = {Load<std::int64_t>(at + packed::kCreatedAt)},
                .sequence = Load<std::int64_t>(at + packed::kSequenceAt),
                .origin = Load<std::uint32_t>(at + packed::kOriginAt)},
      .is_deleted = (Flags(row) & packed::kDeleted) != 0,
      .expires_at_us = Load<std::int64_t>(at + packed::kExpiresAt),
      .schema_version = Load<std::uint32_t>(at + packed::kSchemaVersionAt),
      .spelling = SpellingOfNumber(Load<std::uint16_t>(at + packed::kSpellingAt)),
  };
}

bool PackedChecksumHolds(std::string_view stored_key, std::span<const std::byte> row) {
  if (row.size() < kPackedHeaderBytes) return false;
  const std::uint32_t of_key = Crc32c(std::as_bytes(std::span(stored_key)));
  return Crc32c(row.subspan(packed::kChecksummedFrom), of_key) ==
         Load<std::uint32_t>(row.data() + packed::kCrcAt);
}

std::string_view PackedFullKey(std::span<const std::byte> row) {
  if (row.size() < kPackedHeaderBytes || (Flags(row) & packed::kHasFullKey) == 0) return {};
  const std::optional<std::size_t> begin = ValuesEnd(row);
  if (!begin) return {};
  return {reinterpret_cast<const char*>(row.data()) + *begin, row.size() - sizeof(std::uint32_t) - *begin};
}

bool PackedIsFor(std::string_view full_key, std::span<const std::byte> row) {
  if (row.size() < kPackedHeaderBytes) return false;
  const bool is_shortened = (Flags(row) & packed::kHasFullKey) != 0;
  if (is_shortened != IsLongKey(full_key)) return false;
  return !is_shortened || PackedFullKey(row) == full_key;
}

PackedLayout::PackedLayout(std::uint32_t schema_version, const std::vector<Field>& fields)
    : schema_version_(schema_version) {
  std::vector<PackedSlot> slots;
  slots.reserve(fields.size());
  for (const Field& field : fields) {
    slots.push_back(MakeSlot(field.type));
    slots.back().field_id = field.id;
  }
  body_ = PlaceSlots(std::move(slots), kPackedHeaderBytes);
}

const PackedSlot* PackedLayout::Find(std::int32_t field_id) const {
  const auto found = std::ranges::find(body_.slots, field_id, &PackedSlot::field_id);
  return found == body_.slots.end() ? nullptr : &*found;
}

Result<void> CheckPacked(const PackedLayout& layout, std::span<const std::byte> row) {
  if (row.size() < layout.variable_begin()) {
    return DoesNotFit("a packed row has " + std::to_string(row.size()) + " bytes where its schema needs " +
                      std::to_string(layout.variable_begin()));
  }
  if (const auto version = Load<std::uint32_t>(row.data() + packed::kSchemaVersionAt);
      version != layout.schema_version()) {
    return Fail(ErrorCode::kInternal, "a packed row of schema version " + std::to_string(version) +
                                          " was read as version " + std::to_string(layout.schema_version()));
  }
  if (layout.fixed_end() == layout.variable_begin() && (Flags(row) & packed::kHasFullKey) == 0) return {};
  const std::optional<std::size_t> values_end = ValuesEnd(row);
  std::uint32_t last = layout.variable_begin();
  for (std::uint32_t at = layout.fixed_end(); at < layout.variable_begin(); at += sizeof(std::uint32_t)) {
    const auto end = Load<std::uint32_t>(row.data() + at);
    if (end < last) return DoesNotFit("a packed row's values overlap");
    last = end;
  }
  if (!values_end || last > *values_end) return DoesNotFit("a packed row's values end behind its end");
  return {};
}

}  // namespace tidemark
