// Where the schemas of messages are kept by number.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace tidemark {

/// Used by one thread at a time.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;

  /// The text of an Avro schema. kNotFound for a number that the registry does not have; kUnsupported for a
  /// schema that is no Avro, or refers to others; kIo if the registry cannot be asked for now, also because
  /// it refuses who asks.
  virtual Result<std::string> AvroSchema(std::int32_t number) = 0;
};

/// Opens a registry, without asking it. kInvalidArgument for an address that is none, or that names an
/// environment variable which is not set.
using SchemaRegistryOpener = std::function<Result<std::unique_ptr<SchemaRegistry>>(const std::string& url)>;

}  // namespace tidemark
