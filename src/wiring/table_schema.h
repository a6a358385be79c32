// Schemas of feature tables as older products write them, as definitions.
#pragma once

#include <string_view>

#include "engine/catalog.h"
#include "model/definition.h"
#include "tidemark/tables.h"

namespace tidemark {

/// Reads {"name", "entities": [..], "schema": [{"name", "type"}, ..]}. An entity that `catalog` has with that
/// one join key is used as it is. kInvalidArgument for another form, kNotFound for a time column that is not
/// among the schema, kAlreadyExists if `catalog` has a view of the name.
Result<Definitions> DefinitionsOfSchema(std::string_view schema, const CreateTableOptions& options,
                                        const Catalog& catalog);

}  // namespace tidemark
