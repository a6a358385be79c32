// What Feast's client names, found among the project's views.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "server/catalog/definitions.h"
#include "server/flight/status.h"

namespace tidemark::server::flight {

template <typename T>
using FeastResult = std::expected<T, FeastFailure>;

/// The view of that name; FeatureViewNotFoundException.
FeastResult<const KnownView*> FeastView(const KnownDefinitions& definitions, std::string_view name);

/// The view whose batch source, stream source, path or own name is `source`. Several may share a source: then
/// one that has all `columns`. DataSourceObjectNotFoundException.
FeastResult<const KnownView*> ViewOfSource(const KnownDefinitions& definitions, std::string_view source,
                                           const std::vector<std::string>& columns);

/// References `view:feature`, `alias:feature`, `view@v2:feature` as a selection (JSON) of a request. `views`
/// and `aliases` are parallel; an empty alias is none. An alias takes along the join key map of the feature
/// service that gives the view this alias. Errors: FeatureViewNotFoundException, FeastError for what is no
/// reference.
FeastResult<std::string> SelectionOf(const KnownDefinitions& definitions,
                                     const std::vector<std::string>& views,
                                     const std::vector<std::string>& aliases,
                                     const std::vector<std::string>& references);

/// A type as Arrow writes it: "int64", "timestamp[us, tz=UTC]", "list<item: double>".
std::string ArrowTypeName(const DataType& type);

}  // namespace tidemark::server::flight
