// Tables that nothing was written to yet.
#pragma once

#include <algorithm>

#include "server/catalog/definitions.h"

namespace tidemark::server::semantix {

/// True while a key of the table has no type: its first rows give it one, and until then the store looks
/// nothing up. To this SDK such a table is empty.
inline bool WaitsForRows(const KnownView& view) {
  return std::ranges::any_of(view.join_keys, [](const JoinKey& key) { return !key.type; });
}

}  // namespace tidemark::server::semantix
