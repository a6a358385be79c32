// Which types become others without losing a value: what a field of a stored row or a table's column may do.
#pragma once

#include "model/type.h"

namespace tidemark {

/// True if every value of `narrow` is one of `wide`: int32 and int64, float32 and float64.
inline bool IsWidened(const DataType& narrow, const DataType& wide) {
  return (narrow.kind == TypeKind::kInt32 && wide.kind == TypeKind::kInt64) ||
         (narrow.kind == TypeKind::kFloat32 && wide.kind == TypeKind::kFloat64);
}

}  // namespace tidemark
