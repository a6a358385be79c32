// Join keys that a view lists among its fields, as Feast's repositories do.
#pragma once

#include "base/result.h"
#include "engine/catalog.h"
#include "model/definition.h"

namespace tidemark {

/// The definitions with such fields taken out of their views: a field of a join key's name is that column,
/// states its type, and is no feature. An entity that is not stated and whose key gets a type by this is
/// stated then. kTypeMismatch if the type cannot be a key's, or differs from the one that the entity, or
/// another view, states.
Result<Definitions> WithoutKeyFields(Definitions definitions, const Catalog& catalog);

}  // namespace tidemark
