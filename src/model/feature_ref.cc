// Reads references to features, and names the columns they come out as.
#include "model/feature_ref.h"

#include <fmt/format.h>

#include "model/name.h"

namespace tidemark {

Result<FeatureRef> ParseFeatureRef(std::string_view text) {
  const auto wrong = [&](std::string_view problem) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("feature reference {} {}; write view:feature, or view for all of its features",
                            Quoted(text), problem));
  };
  const std::size_t colon = text.find(':');
  FeatureRef ref;
  ref.view = text.substr(0, colon);
  if (ref.view.empty()) return wrong("names no view");
  if (colon == std::string_view::npos) return ref;
  ref.feature = text.substr(colon + 1);
  if (ref.feature.empty()) return wrong("names no feature after its colon");
  if (ref.feature.find(':') != std::string::npos) return wrong("has more than one colon");
  return ref;
}

std::string OutputName(std::string_view view, std::string_view feature, bool full_feature_names) {
  if (!full_feature_names) return std::string(feature);
  return fmt::format("{}__{}", view, feature);
}

}  // namespace tidemark
