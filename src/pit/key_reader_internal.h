// Canonical key columns as the kernel reads them: one 64-bit hash per row, and for keys that are more than
// one integer the bytes that stand for the key, because a hash alone is never trusted.
//
//   no columns                 every row has the same key; hash 0
//   one int64 or bool column   the hash is MixHash(value), a bijection: equal hashes are equal keys
//   anything else              bytes: a single binary column's own; of several columns one after another
//                              int64: 8 bytes, bool: 1 byte, binary: its length in 8 bytes, then the bytes
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"

namespace tidemark::pit_internal {

enum class KeyForm : std::uint8_t { kNone, kInteger, kBytes };
enum class KeyType : std::uint8_t { kInt64, kBool, kBinary };

std::string_view KeyTypeName(KeyType type);
std::string KeyTypeNames(const std::vector<KeyType>& types);  // "int64, binary"

/// The inverse of MixHash.
std::uint64_t UnmixHash(std::uint64_t hash);

constexpr std::uint64_t IntegerHash(std::int64_t value) {
  return MixHash(static_cast<std::uint64_t>(value));
}

/// Reads keys block by block. Holds no data of its own but the block's bytes; the columns must outlive it.
class KeyReader {
 public:
  /// kInvalidArgument if a column is not canonical, has nulls, or is not `rows` long.
  static Result<KeyReader> Make(const arrow::ArrayVector& columns, std::int64_t rows);

  KeyForm form() const { return form_; }
  const std::vector<KeyType>& types() const { return types_; }

  /// The values, if the key is one int64 column; null if not.
  const std::int64_t* integers() const { return columns_.size() == 1 ? columns_[0].integers : nullptr; }

  /// Hashes of rows [begin, begin + hashes.size()); the bytes of these rows can be asked for until the next
  /// call.
  void ReadBlock(std::int64_t begin, std::span<std::uint64_t> hashes);

  /// Key bytes of the block's row `i`; only for KeyForm::kBytes.
  std::string_view bytes(std::size_t i) const {
    if (columns_.size() == 1) return columns_[0].Bytes(block_begin_ + static_cast<std::int64_t>(i));
    if (fixed_bytes_ > 0) return std::string_view(block_bytes_).substr(i * fixed_bytes_, fixed_bytes_);
    return std::string_view(block_bytes_).substr(block_ends_[i], block_ends_[i + 1] - block_ends_[i]);
  }

  /// Key bytes of any row, put into `scratch` if they do not lie together in the columns.
  std::string_view RowBytes(std::int64_t row, std::string& scratch) const;

 private:
  struct Column {
    KeyType type = KeyType::kInt64;
    const std::int64_t* integers = nullptr;
    const arrow::BooleanArray* bools = nullptr;
    const std::int32_t* ends = nullptr;        // of binary
    const std::int64_t* large_ends = nullptr;  // of large binary
    const char* data = nullptr;

    std::int64_t Integer(std::int64_t row) const {
      return integers != nullptr ? integers[row] : static_cast<std::int64_t>(bools->Value(row));
    }
    std::string_view Bytes(std::int64_t row) const {
      if (ends != nullptr) return {data + ends[row], static_cast<std::size_t>(ends[row + 1] - ends[row])};
      return {data + large_ends[row], static_cast<std::size_t>(large_ends[row + 1] - large_ends[row])};
    }
  };

  static Result<Column> MakeColumn(const arrow::Array& column, std::size_t number);
  void Encode(std::int64_t row, std::string& out) const;
  void EncodeFixed(std::size_t count);

  KeyForm form_ = KeyForm::kNone;
  std::vector<KeyType> types_;
  std::vector<Column> columns_;
  std::size_t fixed_bytes_ = 0;  // of every key of several columns, if none of them is binary
  std::int64_t block_begin_ = 0;
  std::string block_bytes_;
  std::vector<std::size_t> block_ends_;
};

/// One column of an encoded key of several columns, and what follows it.
struct KeyPart {
  std::int64_t integer = 0;  // of int64 and bool
  std::string_view bytes;    // of binary
};

/// Takes the first part of type `type` off `encoded`.
KeyPart TakeKeyPart(KeyType type, std::string_view& encoded);

/// -1, 0 or 1: two keys of `types` as `KeyReader::bytes` gives them, in the order of their values.
int CompareKeys(const std::vector<KeyType>& types, std::string_view left, std::string_view right);

}  // namespace tidemark::pit_internal
