// Properties are looked up in the description that clients get, so that all of it can be searched.
#include "server/sagemaker/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "model/name.h"
#include "model/time.h"
#include "server/sagemaker/values.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::size_t kFiltersMax = 20;

/// All values that a property has: through objects by name, through lists by every element, and through
/// lists of {"Key", "Value"} by key.
void Collect(const Json& json, std::string_view name, std::vector<const Json*>& values) {
  if (json.is_array()) {
    for (const Json& each : json) {
      const Json* key = each.member("Key");
      if (key != nullptr && key->is_string() && key->text() == name && each.contains("Value")) {
        values.push_back(each.member("Value"));
      } else {
        Collect(each, name, values);
      }
    }
    return;
  }
  if (const Json* found = json.member(name); found != nullptr) {
    if (found->is_array()) {
      for (const Json& each : *found)
        values.push_back(&each);
    } else {
      values.push_back(found);
    }
  }
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return;
  if (const Json* found = json.member(name.substr(0, dot)); found != nullptr)
    Collect(*found, name.substr(dot + 1), values);
}

std::optional<double> NumberOf(const std::string& text) {
  if (const auto number = ReadFractional(text)) return number;
  if (const auto us = ParseTimestampUs(text)) return static_cast<double>(*us) / 1e6;
  return std::nullopt;
}

/// -1, 0, 1; nothing if they cannot be compared.
std::optional<int> Compare(const Json& value, const std::string& wanted) {
  if (value.is_number()) {
    const auto number = NumberOf(wanted);
    if (!number) return std::nullopt;
    const auto mine = value.get<double>();
    return mine < *number ? -1 : mine > *number ? 1 : 0;
  }
  if (value.is_boolean()) return (value.get<bool>() ? "true" : "false") == FoldName(wanted) ? 0 : 1;
  if (!value.is_string()) return std::nullopt;
  const int order = value.text().compare(wanted);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool Is(const SearchFilter& filter, const Json& value) {
  if (filter.op == "Contains")
    return value.is_string() && FoldName(value.text()).contains(FoldName(filter.value));
  if (filter.op == "In") {
    std::string_view rest = filter.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      if (Compare(value, std::string(rest.substr(0, comma))) == 0) return true;
      if (comma == std::string_view::npos) return false;
      rest.remove_prefix(comma + 1);
    }
  }
  const auto order = Compare(value, filter.value);
  if (!order) return false;
  if (filter.op == "GreaterThan") return *order > 0;
  if (filter.op == "GreaterThanOrEqualTo") return *order >= 0;
  if (filter.op == "LessThan") return *order < 0;
  if (filter.op == "LessThanOrEqualTo") return *order <= 0;
  return *order == 0;
}

bool MatchesFilter(const SearchFilter& filter, const Json& description) {
  std::vector<const Json*> values;
  Collect(description, filter.name, values);
  if (filter.op == "Exists") return !values.empty();
  if (filter.op == "NotExists") return values.empty();
  const bool is_one = std::ranges::any_of(values, [&](const Json* value) { return Is(filter, *value); });
  return filter.op == "NotEquals" ? !is_one : is_one;
}

bool MatchesJson(const SearchExpression& expression, const Json& description) {
  const std::size_t parts = expression.filters.size() + expression.expressions.size();
  std::size_t matching = 0;
  for (const SearchFilter& filter : expression.filters)
    matching += MatchesFilter(filter, description) ? 1 : 0;
  for (const SearchExpression& each : expression.expressions)
    matching += MatchesJson(each, description) ? 1 : 0;
  return expression.is_any && parts > 0 ? matching > 0 : matching == parts;
}

}  // namespace

Answer<SearchExpression> ReadSearchExpression(const Fields& fields) {
  SearchExpression expression;
  if (fields.Has("NestedFilters"))
    return Refuse(Why::kInvalid, "SearchExpression.NestedFilters: feature groups have no nested resources");
  TM_ASSIGN(const auto op, fields.Choice("Operator", {"And", "Or"}));
  expression.is_any = op.value_or("And") == "Or";
  TM_ASSIGN(const auto filters, fields.Objects("Filters"));
  TM_ASSIGN(const auto expressions, fields.Objects("SubExpressions"));
  if (filters.size() > kFiltersMax || expressions.size() > kFiltersMax) {
    return Refuse(Why::kInvalid,
                  fmt::format("SearchExpression has {} filters and {} expressions; it may have "
                              "{} of each",
                              filters.size(), expressions.size(), kFiltersMax));
  }
  for (const Fields& each : filters) {
    SearchFilter filter;
    TM_ASSIGN(filter.name, each.RequiredText("Name"));
    TM_ASSIGN(
        const auto given,
        each.Choice("Operator", {"Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan",
                                 "LessThanOrEqualTo", "Contains", "Exists", "NotExists", "In"}));
    filter.op = given.value_or("Equals");
    TM_ASSIGN(const auto value, each.Text("Value", 1'024));
    filter.value = value.value_or("");
    expression.filters.push_back(std::move(filter));
  }
  for (const Fields& each : expressions) {
    TM_ASSIGN(SearchExpression inner, ReadSearchExpression(each));
    expression.expressions.push_back(std::move(inner));
  }
  return expression;
}

bool Matches(const SearchExpression& expression, std::string_view description) {
  const auto json = ParseJson(description);
  return json && MatchesJson(expression, *json);
}

}  // namespace tidemark::sagemaker
