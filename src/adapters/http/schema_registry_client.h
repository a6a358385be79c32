// A schema registry with Confluent's API.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/schema_registry.h"

namespace tidemark::http {

/// As SchemaRegistryOpener. `url` may have who asks before its host, `${USER_NAME}:${PASSWORD}@`: names of
/// environment variables, which are read here; of the user also the name itself. Whoever asks for schemas
/// remembers them: each call of AvroSchema is a request.
Result<std::unique_ptr<SchemaRegistry>> OpenSchemaRegistry(const std::string& url);

}  // namespace tidemark::http
