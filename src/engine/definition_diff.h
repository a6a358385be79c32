// What differs between two versions of a definition, in lines that a user reads before agreeing to them.
#pragma once

#include <string>
#include <vector>

#include "model/definition.h"

namespace tidemark {

/// "ttl: 1d -> 2d", "field rating: added (float64)", ... in the order of the definition's members. Names are
/// not compared: a rename is told apart from a change by who calls this.
std::vector<std::string> Differences(const Entity& before, const Entity& after);
/// Fields are the same when they have the same id; `after` has its ids.
std::vector<std::string> Differences(const FeatureView& before, const FeatureView& after);
std::vector<std::string> Differences(const OnDemandView& before, const OnDemandView& after);
std::vector<std::string> Differences(const FeatureService& before, const FeatureService& after);

/// What a new definition holds, as the lines of its plan.
std::vector<std::string> Summary(const Entity& entity);
std::vector<std::string> Summary(const FeatureView& view);
std::vector<std::string> Summary(const OnDemandView& view);
std::vector<std::string> Summary(const FeatureService& service);

}  // namespace tidemark
