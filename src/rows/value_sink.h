// Where values that come in binary forms are put: a column, or the children of a nested one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark {

/// Takes values of one type. Every function is false for a value that the type cannot have without loss;
/// nothing was appended then, but that of a nested value a part may have been.
class ValueSink {
 public:
  ValueSink() = default;
  ValueSink(const ValueSink&) = delete;
  ValueSink& operator=(const ValueSink&) = delete;
  virtual ~ValueSink() = default;

  virtual bool PutNull() = 0;
  virtual bool PutBool(bool /*value*/) { return false; }
  /// An integer; where a timestamp is wanted, of microseconds.
  virtual bool PutInt(std::int64_t /*value*/) { return false; }
  virtual bool PutFloat(double /*value*/) { return false; }
  /// UTF-8; where a timestamp is wanted, ISO-8601.
  virtual bool PutText(std::string_view /*value*/) { return false; }
  virtual bool PutBytes(std::string_view /*value*/) { return false; }
  virtual bool PutMicros(std::int64_t /*us*/) { return false; }
  virtual bool PutDays(std::int32_t /*days*/) { return false; }
  /// A decimal as a two's complement number, the greatest byte first, of units of 10^-scale.
  virtual bool PutDecimal(std::string_view /*big_endian*/, std::int32_t /*scale*/) { return false; }

  /// Begins a list, struct or map, whose values are put into its children then: to a list any number of
  /// items, to a struct one value for each member, to a map a key and a value for each entry.
  virtual bool Begin() { return false; }
  /// The items; a struct's members, as their type has them; a map's keys (0) and values (1).
  virtual ValueSink* child(std::size_t /*number*/) { return nullptr; }
};

}  // namespace tidemark
