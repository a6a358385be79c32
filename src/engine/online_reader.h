// Prepares and answers online lookups: keys to bytes, packed rows to values, the rule applied at the moment
// now.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/selection.h"
#include "store/online_store.h"
#include "store/registry.h"
#include "tidemark/online.h"

namespace tidemark {

struct OnlineReaderParts {
  std::shared_ptr<const Catalog> catalog;  // what `selection` was resolved against
  Selection selection;
  std::string project;
  std::shared_ptr<OnlineStore> online;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<Clock> clock;
};

/// kTypeMismatch if two views take one column of the entity rows as keys of different types.
Result<std::shared_ptr<const OnlineReader>> MakeOnlineReader(OnlineReaderParts parts);

}  // namespace tidemark
