// References to features: `view:feature` and `view` (all of its features).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

struct FeatureRef {
  std::string view;
  std::string feature;  // empty: all features of the view
  bool operator==(const FeatureRef&) const = default;
};

/// kInvalidArgument for an empty part or more than one colon.
Result<FeatureRef> ParseFeatureRef(std::string_view text);

/// The column that a feature comes out as: `feature`, or `view__feature` with full names.
std::string OutputName(std::string_view view, std::string_view feature, bool full_feature_names);

}  // namespace tidemark
