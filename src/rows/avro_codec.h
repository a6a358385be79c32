// Avro's binary encoding (Avro 1.11 specification, "Binary Encoding"): values without any tag, in the order
// of the schema. Integers are zigzag varints; bytes and strings a length and the bytes; arrays and maps
// blocks of a count and the items, ended by a count of 0; a union the number of its branch, then the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "rows/avro_schema.h"

namespace tidemark {

/// Appends encoded values to a text.
class AvroEncoder {
 public:
  void Int(std::int64_t value);  // int and long are encoded alike
  void Boolean(bool value) { bytes_.push_back(value ? '\1' : '\0'); }
  void Float(float value);
  void Double(double value);
  void Bytes(std::string_view value);  // and string
  void Branch(std::size_t number) { Int(static_cast<std::int64_t>(number)); }
  /// What is encoded already, or a fixed.
  void Raw(std::string_view bytes) { bytes_ += bytes; }

  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads encoded values. Every function is kCorruption where the bytes end, or are no such value.
class AvroDecoder {
 public:
  explicit AvroDecoder(std::string_view bytes) : rest_(bytes) {}

  Result<std::int64_t> Int();
  Result<std::int64_t> Int32();  // within the range of an int
  Result<bool> Boolean();
  Result<std::string_view> Bytes();
  Result<std::string_view> Fixed(std::size_t size);
  /// Calls `item` for each item of an array (or entry of a map).
  Result<void> Array(FunctionRef<Result<void>()> item);
  /// The branch of a union that follows; `type` itself if it is no union.
  Result<const AvroType*> Branch(const AvroType& type);
  /// Passes over a value of `type`.
  Result<void> Skip(const AvroType& type);

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace tidemark
