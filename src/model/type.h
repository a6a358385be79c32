// The types that a field can have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// Kinds of value. Timestamps are microseconds UTC, dates are days since 1970-01-01.
enum class TypeKind : std::uint8_t {
  kBool,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kString,
  kBinary,
  kTimestamp,
  kDate,
  kDecimal,  // decimal128: precision 1..38, scale 0..precision
  kList,     // one child, "item"
  kStruct,   // named children
  kMap,      // two children, "key" (never null) and "value"
};

struct NamedType;

/// The children of a type: a vector whose own members are defined where NamedType is complete, which a
/// default member initializer of DataType needs.
class NamedTypes : public std::vector<NamedType> {
 public:
  NamedTypes();
  NamedTypes(std::vector<NamedType> types);  // NOLINT(google-explicit-constructor): it is that vector
  NamedTypes(std::initializer_list<NamedType> types);
  NamedTypes(const NamedTypes& other);
  NamedTypes(NamedTypes&& other) noexcept;
  NamedTypes& operator=(const NamedTypes& other);
  NamedTypes& operator=(NamedTypes&& other) noexcept;
  ~NamedTypes();
};

/// How many types may lie within each other, the outermost counted: `list<int64>` is two deep.
inline constexpr std::size_t kTypeDepthMax = 32;

/// A type, nested ones included: a value with value equality. As text: `int64`, `decimal(10, 2)`,
/// `list<float64>`, `struct<a: int64, b: list<string>>`, `map<string, int64>`; names with anything but
/// letters, digits and `_` are quoted with back-ticks.
struct DataType {
  TypeKind kind = TypeKind::kInt64;
  int precision = 0;  // decimal only
  int scale = 0;      // decimal only
  NamedTypes children = {};

  static DataType Decimal(int precision, int scale);
  static DataType List(DataType item);
  static DataType Struct(std::vector<NamedType> members);
  static DataType Map(DataType key, DataType value);

  bool operator==(const DataType& other) const;
  bool is_nested() const;
  std::string ToString() const;

  /// Reads the form above; also Feast's names (`Int64`, `Array(Float32)`, `UnixTimestamp`, `Bytes`), those of
  /// older schema files (`int`, `integer` = int64, `float` = float64, `double`, `boolean`, `bytes`) in any
  /// case. A quoted name writes a back-tick twice; a struct has at least one member and no two of one name;
  /// types nest at most kTypeDepthMax deep. kInvalidArgument with the position of what cannot be read.
  static Result<DataType> Parse(std::string_view text);
};

struct NamedType {
  std::string name;
  DataType type;
  bool operator==(const NamedType&) const = default;
};

/// True for what a join key may be: string, int32, int64, bytes (binary), bool, timestamp.
bool CanBeJoinKey(const DataType& type);

}  // namespace tidemark
