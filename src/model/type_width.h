// How many bytes a value of a type takes, where its type says.
#pragma once

#include <cstdint>

#include "model/type.h"

namespace tidemark {

/// Bytes of one value of the kind as it is kept, packed or in a column of bytes; 0 for kinds of variable
/// width and nested ones.
constexpr std::uint8_t FixedWidth(TypeKind kind) {
  switch (kind) {
    case TypeKind::kDecimal:
      return 16;
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kTimestamp:
      return 8;
    case TypeKind::kInt32:
    case TypeKind::kFloat32:
    case TypeKind::kDate:
      return 4;
    case TypeKind::kBool:
      return 1;
    case TypeKind::kString:
    case TypeKind::kBinary:
    case TypeKind::kList:
    case TypeKind::kStruct:
    case TypeKind::kMap:
      return 0;
  }
  return 0;
}

}  // namespace tidemark
