// The packed row: one entity's features of one view, as every online store keeps them. Decoded in place.
//
// All integers little-endian; offsets are from the start of the row.
//
//    0  u32  CRC32C over the stored key, then bytes 4.. of the row
//    4  u8   format, 1
//    5  u8   flags: 1 deleted, 2 the full key follows the values (its stored key is a shortened one)
//    6  u16  spelling of the event time: 0 not known, else nanoseconds * 11 + digits + 1 (TimeSpelling)
//    8  i64  event_timestamp, microseconds
//   16  i64  created_timestamp, microseconds (0 if the source has none)
//   24  i64  sequence (write_time in Tidemark's own tables)
//   32  i64  expires_at, microseconds (int64 max: never)
//   40  u32  origin
//   44  u32  schema version of the view
//   48  body: the fields, in the order of the view's schema at that version
//       flag 2: the full key, then its length as u32, are the end of the row
//
// A body, for n fields of which v are of variable width:
//
//   null bitmap: ceil(n / 8) bytes, bit i % 8 of byte i / 8 is 1 if field i is null
//   fixed-width values, widest first (so aligned relative to their start), by field order within a width:
//     16 decimal; 8 int64, float64, timestamp; 4 int32, float32, date; 1 bool. A null has zero bytes.
//   v u32 ends: where each variable-width value (string, binary, list, struct, map) ends, by field order,
//     from the start of what the body is in (the row, or the struct). A null is empty.
//   the variable-width values, one after another
//
// string, binary: their bytes. list: u32 count, null bitmap of the items, the items. struct: a body. map: its
// keys as a list, then its values as a list. Items of fixed width: their values one after another, of
// variable width: u32 ends, from the start of the item bytes, then the item bytes.
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "pit/rule.h"
#include "tidemark/event_time.h"

namespace tidemark {

inline constexpr std::size_t kPackedHeaderBytes = 48;
inline constexpr std::size_t kPackedRowBytesMax = std::size_t{256} << 20;

/// A row's header, without its values.
struct PackedHeader {
  RowOrder order;
  bool is_deleted = false;
  std::int64_t expires_at_us = kNeverExpires;
  std::uint32_t schema_version = 0;
  TimeSpelling spelling = {};
  bool operator==(const PackedHeader&) const = default;
};

/// Reads the header. kCorruption for one that is too short or of an unknown format; no checksum is computed.
Result<PackedHeader> ReadPackedHeader(std::span<const std::byte> row);

/// True if the row's checksum holds for this key, given in its stored form.
bool PackedChecksumHolds(std::string_view stored_key, std::span<const std::byte> row);

/// The full key kept in a row with flag 2; empty otherwise.
std::string_view PackedFullKey(std::span<const std::byte> row);

/// True if the row is that of `full_key`, given that it was found under that key's stored form: two long keys
/// may share one. Cheap for short keys.
bool PackedIsFor(std::string_view full_key, std::span<const std::byte> row);

struct PackedSlot;

/// Where the values of a body lie, counted from the start of the row (or of the struct that the body is).
struct PackedBody {
  std::vector<PackedSlot> slots;
  std::uint32_t null_begin = 0;      // where the null bitmap begins
  std::uint32_t fixed_end = 0;       // where the ends of variable-width values begin
  std::uint32_t variable_begin = 0;  // where the first variable-width value begins
};

/// Where one value lies in a body.
struct PackedSlot {
  // What decoding a value needs is in the first bytes: a lookup walks over many slots.
  std::int32_t field_id = 0;  // 0 within nested values
  std::uint32_t null_bit = 0;
  std::uint32_t offset = 0;  // of a fixed-width value; of its end among the ends otherwise
  std::uint8_t width = 0;    // 0: variable
  DataType type;
  PackedBody children;  // struct: its body; list: the item; map: key and value (slots only)
};

/// Where each field of one schema version lies in a row. Immutable; safe to share.
class PackedLayout {
 public:
  /// `fields` in the order of the view's schema at `schema_version`.
  PackedLayout(std::uint32_t schema_version, const std::vector<Field>& fields);

  using Slot = PackedSlot;
  std::uint32_t schema_version() const { return schema_version_; }
  const PackedBody& body() const { return body_; }
  const std::vector<Slot>& slots() const { return body_.slots; }
  std::uint32_t fixed_end() const { return body_.fixed_end; }
  std::uint32_t variable_begin() const { return body_.variable_begin; }

  /// Null if the version has no such field.
  const Slot* Find(std::int32_t field_id) const;

 private:
  std::uint32_t schema_version_;
  PackedBody body_;
};

/// Packs rows of columns. Not thread safe while a column is being built; Append may be called from several
/// threads with different `out`.
class PackedRowWriter {
 public:
  /// `columns` are ToArrow of their fields' types, in the layout's order, all of one length. Both must
  /// outlive this.
  PackedRowWriter(const PackedLayout& layout, const arrow::ArrayVector& columns);

  /// Appends row `row` to `out`, checksum included. `full_key` is the unshortened key (model/key_codec.h);
  /// `header.schema_version` is not looked at, the layout's is written. kInvalidData, with `out` as it was,
  /// for a row above kPackedRowBytesMax.
  Result<void> Append(std::int64_t row, const PackedHeader& header, std::string_view full_key,
                      std::string& out) const;

  /// One column, or a part of a nested one, as the packer reads it: raw pointers into the Arrow array.
  struct Column {
    const PackedSlot* slot = nullptr;
    const std::uint8_t* validity = nullptr;  // bitmap; null: no nulls
    std::int64_t bit_offset = 0;             // of row 0 in `validity`, and in `values` for bool
    const std::uint8_t* values = nullptr;    // of row 0; for bool the bitmap; for string and binary the bytes
    const std::int32_t* ends = nullptr;      // list, map, string, binary: offsets[row] .. offsets[row + 1]
    std::vector<Column> children;
  };

 private:
  const PackedLayout& layout_;
  arrow::ArrayVector held_;  // columns and the children taken out of them
  std::vector<Column> columns_;
};

/// kCorruption unless the row has this layout's schema version and its values lie within it, each after the
/// other. Call it once for a row whose checksum holds, before the functions below. Nested values are checked
/// where they are read.
Result<void> CheckPacked(const PackedLayout& layout, std::span<const std::byte> row);

/// True if the slot's value is null.
inline bool PackedIsNull(const PackedLayout& layout, const PackedLayout::Slot& slot,
                         std::span<const std::byte> row) {
  const auto bits = std::to_integer<unsigned>(row[layout.body().null_begin + slot.null_bit / 8]);
  return ((bits >> (slot.null_bit % 8)) & 1U) != 0;
}

/// True if any of the row's values is null, whichever it is.
inline bool PackedHasNulls(const PackedLayout& layout, std::span<const std::byte> row) {
  const std::byte* const begin = row.data() + layout.body().null_begin;
  const std::byte* const end = begin + (layout.slots().size() + 7) / 8;
  return std::any_of(begin, end, [](std::byte bits) { return bits != std::byte{0}; });
}

/// Reads values of one field out of packed rows that CheckPacked took, in place.
/// Fixed-width: the address of the value's bytes (not aligned: memcpy them), or null for a null.
inline const std::byte* PackedFixed(const PackedLayout& layout, const PackedLayout::Slot& slot,
                                    std::span<const std::byte> row) {
  return PackedIsNull(layout, slot, row) ? nullptr : row.data() + slot.offset;
}

/// Variable-width: its bytes, or nothing for a null.
std::optional<std::string_view> PackedVariable(const PackedLayout& layout, const PackedLayout::Slot& slot,
                                               std::span<const std::byte> row);

/// Appends the slot's value (or null) to a builder of ToArrow(slot.type); any type. kCorruption for nested
/// bytes that do not add up; the builder is of no use after that.
Result<void> AppendPacked(const PackedLayout& layout, const PackedLayout::Slot& slot,
                          std::span<const std::byte> row, arrow::ArrayBuilder& builder);

}  // namespace tidemark
