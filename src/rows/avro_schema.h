// Schemas of Avro (1.11 specification), of files and of messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

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

/// What values mean beyond their kind; those that are not here mean nothing more.
enum class AvroLogical : std::uint8_t {
  kNone,
  kDate,             // int: days since 1970
  kTimestampMillis,  // long, as the next two; local ones are read as UTC
  kTimestampMicros,
  kTimestampNanos,
  kDecimal,  // bytes or fixed
};

struct AvroType;

struct AvroField {
  std::string name;
  int id = -1;  // Iceberg's field-id; -1: none
  std::shared_ptr<const AvroType> type;
};

/// A type, named ones resolved. Recursive types are refused on parsing.
struct AvroType {
  AvroKind kind = AvroKind::kNull;
  AvroLogical logical = AvroLogical::kNone;
  std::int32_t scale = 0;                                 // of kDecimal
  std::size_t size = 0;                                   // kFixed: bytes; kEnum: symbols
  std::vector<std::string> symbols;                       // kEnum
  std::vector<AvroField> fields;                          // kRecord
  std::vector<std::shared_ptr<const AvroType>> branches;  // kUnion; kArray, kMap: the one item or value type
};

/// Reads a schema's JSON. kCorruption for what is no schema, kUnsupported for a recursive one.
Result<std::shared_ptr<const AvroType>> ParseAvroSchema(std::string_view json);

}  // namespace tidemark
