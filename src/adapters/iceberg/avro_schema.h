// Schemas of Avro files (Avro 1.11 specification), as far as Iceberg's manifests use them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::iceberg {

enum class AvroKind : std::uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kFixed,
  kEnum,
  kRecord,
  kArray,
  kMap,
  kUnion,
};

struct AvroType;

struct AvroField {
  std::string name;
  int id = -1;  // Iceberg's field-id; -1: none
  std::shared_ptr<const AvroType> type;
};

/// A type, named ones resolved. Recursive types, which Iceberg has none of, are refused on parsing.
struct AvroType {
  AvroKind kind = AvroKind::kNull;
  std::size_t size = 0;                                   // kFixed: bytes; kEnum: symbols
  std::vector<AvroField> fields;                          // kRecord
  std::vector<std::shared_ptr<const AvroType>> branches;  // kUnion; kArray, kMap: the one item or value type
};

/// Reads a schema's JSON. kCorruption for what is no schema, kUnsupported for a recursive one.
Result<std::shared_ptr<const AvroType>> ParseAvroSchema(std::string_view json);

}  // namespace tidemark::iceberg
