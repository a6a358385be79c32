// The form that values have between the nodes of an expression: a run of rows, flat.
//
//   data   one value a row: std::uint8_t (bool, 0 or 1), std::int32_t (int32, date), std::int64_t (int64,
//          timestamp), float, double, Decimal, std::string_view (string, binary), Interval; unused for kArray
//   valid  one byte a row, 1 where there is a value; null if there is one in every row
//   array  for lists, structs and maps: the run as an Arrow array, beside `valid`
//
// Where there is no value, `data` holds something that may be computed with and means nothing.
#pragma once

#include <arrow/array.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "model/type.h"

namespace tidemark::expression_internal {

/// Rows of a run: all that an expression works on at a time stays in the processor's cache.
inline constexpr std::int64_t kRunRows = 1024;

enum class Lane : std::uint8_t {
  kBool,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kDecimal,
  kText,
  kInterval,
  kArray
};

/// Counts units of 10^-scale of its type.
using Decimal = __int128;

/// A length of time as SQL has it: months and days have no fixed length.
struct Interval {
  std::int32_t months = 0;
  std::int32_t days = 0;
  std::int64_t us = 0;
};

/// What a node gives: a type of the model, or one of two that only expressions have.
struct ValueType {
  enum class Kind : std::uint8_t { kPlain, kNull, kInterval };
  Kind kind = Kind::kPlain;
  DataType type = {.kind = TypeKind::kBool};

  bool is_null() const { return kind == Kind::kNull; }
  bool is(TypeKind plain) const { return kind == Kind::kPlain && type.kind == plain; }
  bool is_integer() const { return is(TypeKind::kInt32) || is(TypeKind::kInt64); }
  bool is_float() const { return is(TypeKind::kFloat32) || is(TypeKind::kFloat64); }
  bool is_number() const { return is_integer() || is_float(); }
  bool is_time() const { return is(TypeKind::kDate) || is(TypeKind::kTimestamp); }
  bool operator==(const ValueType&) const = default;
  std::string ToString() const;
  Lane lane() const;
};

struct Vector {
  void* data = nullptr;
  std::uint8_t* valid = nullptr;
  std::shared_ptr<arrow::Array> array = {};

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  bool is_valid(std::int64_t row) const { return valid == nullptr || valid[row] != 0; }
};

/// Bytes that texts of one run point into; they stay where they are until Reset.
class TextArena {
 public:
  char* Allocate(std::size_t bytes);
  void Reset();

 private:
  static constexpr std::size_t kBlockBytes = 32'768;
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // that is being filled
  std::size_t used_ = 0;   // of it
};

/// Memory of one node, kept from run to run.
struct Slot {
  Vector shared;  // of a node whose values others take: those of this run
  std::unique_ptr<std::byte[]> data;
  std::unique_ptr<std::uint8_t[]> valid;
  std::unique_ptr<std::uint8_t[]> rest;   // of a choice: rows that no branch has taken
  std::unique_ptr<std::uint8_t[]> taken;  // of a choice: rows that the present branch takes
  std::shared_ptr<arrow::Array> kept;     // that values of this run point into
  TextArena texts;
};

/// Bytes that a value of the lane takes; 0 for arrays.
std::size_t LaneBytes(Lane lane);

/// Bits [offset, offset + count) of Arrow's bitmaps as bytes of 0 and 1, and back: `bits` begin at a whole
/// byte, and what is behind the last one in its byte becomes 0.
void UnpackBits(const std::uint8_t* bits, std::int64_t offset, std::int64_t count, std::uint8_t* bytes);
void PackBits(const std::uint8_t* bytes, std::int64_t count, std::uint8_t* bits);

}  // namespace tidemark::expression_internal
