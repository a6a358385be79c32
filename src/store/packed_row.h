// The packed row: one entity's features of one view, as every online store keeps them. Decoded in place.
//
// All integers little-endian; offsets are from the start of the row.
//
//    0  u8   format, 1
//    1  u8   flags: 1 deleted, 2 the full key follows the values (its key is a shortened one)
//    2  u16  reserved, 0
//    4  u32  CRC32C over the stored key, then bytes 8.. of the row
//    8  i64  event_timestamp, microseconds
//   16  i64  created_timestamp, microseconds (0 if the source has none)
//   24  i64  sequence (write_time in Tidemark's own tables)
//   32  i64  expires_at, microseconds (int64 max: never)
//   40  u32  origin
//   44  u32  schema version of the view
//   48  null bitmap: one bit a field in the order of the schema's fields, 1 = null, ceil(n / 8) bytes
//       fixed-width values, widest first (so aligned relative to their start) and by field order within a width:
//         16 decimal; 8 int64, float64, timestamp; 4 int32, float32, date; 1 bool. A null has zero bytes.
//       u32 end offset of each variable-width value (string, binary, list, struct, map), by field order
//       the variable-width values; then the full key if flag 2
//
// Nested values: list = u32 count, null bitmap, then the items as a column; struct = null bitmap and the fields,
// laid out as a row's body; map = as a list of keys, then a list of values. A column of fixed-width items is
// their values; of variable-width items u32 end offsets (from the start of the item bytes), then the bytes.
#pragma once

#include <arrow/array.h>

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

namespace tidemark {

inline constexpr std::size_t kPackedHeaderBytes = 48;

/// A row's header, without its values.
struct PackedHeader {
  RowOrder order;
  bool is_deleted = false;
  std::int64_t expires_at_us = kNeverExpires;
  std::uint32_t schema_version = 0;
};

/// Reads the header. kCorruption for one that is too short or of an unknown format; no checksum is computed.
Result<PackedHeader> ReadPackedHeader(std::span<const std::byte> row);

/// True if the row's checksum holds for this key.
bool PackedChecksumHolds(std::string_view stored_key, std::span<const std::byte> row);

/// The full key kept in a row with flag 2; empty otherwise.
std::string_view PackedFullKey(std::span<const std::byte> row);

/// Where each field of one schema version lies in a row. Immutable; safe to share.
class PackedLayout {
 public:
  /// `fields` in the order of the view's schema at `schema_version`.
  PackedLayout(std::uint32_t schema_version, std::vector<Field> fields);

  struct Slot {
    std::int32_t field_id = 0;
    DataType type;
    std::uint32_t null_bit = 0;
    std::uint32_t offset = 0;  // of a fixed-width value; of its entry among the end offsets otherwise
    std::uint8_t width = 0;    // 0: variable
  };
  std::uint32_t schema_version() const { return schema_version_; }
  const std::vector<Slot>& slots() const { return slots_; }
  std::uint32_t fixed_end() const { return fixed_end_; }      // where the end offsets begin
  std::uint32_t variable_begin() const { return variable_begin_; }  // where the first variable value begins

  /// Null if the version has no such field.
  const Slot* Find(std::int32_t field_id) const;

 private:
  std::uint32_t schema_version_;
  std::vector<Slot> slots_;
  std::uint32_t fixed_end_ = 0;
  std::uint32_t variable_begin_ = 0;
};

/// Packs rows of columns (each ToArrow of its field's type, in the layout's order).
class PackedRowWriter {
 public:
  PackedRowWriter(const PackedLayout& layout, const arrow::ArrayVector& columns);

  /// Appends row `row` to `out`. `full_key` is the unshortened key (model/key_codec.h).
  void Append(std::int64_t row, const PackedHeader& header, std::string_view full_key, std::string& out) const;

 private:
  const PackedLayout& layout_;
  arrow::ArrayVector columns_;
};

/// Reads values of one field out of packed rows, in place. `row` has a valid checksum.
/// Fixed-width: the address of the value's bytes, or null for a null or a field that the layout lacks.
const std::byte* PackedFixed(const PackedLayout& layout, const PackedLayout::Slot& slot,
                             std::span<const std::byte> row);
/// Variable-width: its bytes, or nothing for a null. Bounds are checked against the row.
std::optional<std::string_view> PackedVariable(const PackedLayout& layout, const PackedLayout::Slot& slot,
                                               std::span<const std::byte> row);
/// Appends the slot's value (or null) to a builder of ToArrow(slot.type); any type.
Result<void> AppendPacked(const PackedLayout& layout, const PackedLayout::Slot& slot, std::span<const std::byte> row,
                          arrow::ArrayBuilder& builder);

}  // namespace tidemark
