// The definitions that a saved dataset was made with, and a catalog of them alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/datasets/saved_dataset.h"
#include "engine/selection.h"

namespace tidemark {

/// The views of the selection with their entities, the service, and if anything is computed the on-demand
/// views.
std::vector<UsedDefinition> DefinitionsUsed(const Catalog& catalog, const Selection& selection,
                                            const std::string& service);

/// A catalog in which these definitions are all that there is, whatever the project has become.
Result<std::shared_ptr<const Catalog>> CatalogOf(const std::vector<UsedDefinition>& definitions);

}  // namespace tidemark
