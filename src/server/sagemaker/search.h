// The filters of Search.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/sagemaker/control_fields.h"

namespace tidemark::sagemaker {

struct SearchFilter {
  std::string name;  // of a property: `FeatureGroupName`, `FeatureDefinitions.FeatureName`, `Tags.team`
  std::string op;
  std::string value;
};

struct SearchExpression {
  std::vector<SearchFilter> filters;
  std::vector<SearchExpression> expressions;
  bool is_any = false;  // one of them is enough
};

/// Reads `{"Filters": [{"Name", "Operator", "Value"}], "SubExpressions": [...], "Operator": "And"}`.
/// kInvalid for what it does not know; NestedFilters are for resources that are none of ours.
Answer<SearchExpression> ReadSearchExpression(const Fields& fields);

/// Whether a description, JSON, is what is searched for. A property within a list matches if one of its
/// elements does; a number is compared with the filter's number, or point in time.
bool Matches(const SearchExpression& expression, std::string_view description);

}  // namespace tidemark::sagemaker
