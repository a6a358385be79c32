// Writes the answer of a lookup as a Feast server writes it.
#pragma once

#include <string>

#include "server/feast/entity_columns.h"
#include "server/feast/prepared_lookup.h"
#include "server/feast/refusal.h"
#include "tidemark/online.h"

namespace tidemark::server::feast {

/// {"results":[{"values":[..],"statuses":[..],"event_timestamps":[..]},..],
///  "metadata":{"feature_names":[..]}}
/// with the join keys that were given, in the order of the request, then the features. Appends to `out`.
Answer<void> WriteAnswer(const PreparedLookup& lookup, const Entities& entities, const OnlineResult& result,
                         bool with_versions, std::string& out);

}  // namespace tidemark::server::feast
