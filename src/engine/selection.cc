// Resolves names against the catalog and catches features that would come out under one name.
#include "engine/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/result.h"
#include "model/feature_ref.h"
#include "model/name.h"

namespace tidemark {
namespace {

Result<std::vector<std::string>> KeyColumns(const CatalogView& view, const ViewSelection& wanted) {
  std::vector<std::string> columns;
  for (const JoinKey& key : view.join_keys) {
    const auto mapped = wanted.join_key_map.find(key.name);
    columns.push_back(mapped == wanted.join_key_map.end() ? key.name : mapped->second);
  }
  for (const auto& [from, to] : wanted.join_key_map) {
    const auto is_from = [&from](const JoinKey& key) { return key.name == from; };
    if (std::ranges::any_of(view.join_keys, is_from)) continue;
    std::vector<std::string> names;
    for (const JoinKey& key : view.join_keys)
      names.push_back(key.name);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("view '{}' has no join key '{}' to map to '{}'{}; its join keys are: {}",
                            wanted.view, from, to, Suggest(from, names), fmt::join(names, ", ")));
  }
  return columns;
}

Result<Field> FindField(const CatalogView& view, const std::string& name) {
  std::vector<std::string> names;
  for (const Field& field : view.definition.fields) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("view '{}' has no feature '{}'{}", view.definition.name, name,
                                                Suggest(name, names)));
}

bool SameView(const SelectedView& a, const SelectedView& b) {
  return a.view == b.view && a.alias == b.alias && a.key_columns == b.key_columns;
}

/// Collects the selection view by view; one view asked for in several pieces stays one view.
class Resolver {
 public:
  Resolver(const Catalog& catalog, bool full_feature_names)
      : catalog_(catalog), full_feature_names_(full_feature_names) {}

  Result<void> Add(const ViewSelection& wanted) {
    TM_ASSIGN(const CatalogView* view, catalog_.View(wanted.view));
    if (!wanted.alias.empty()) TM_TRY(CheckName("alias", wanted.alias));
    TM_ASSIGN(auto key_columns, KeyColumns(*view, wanted));
    const std::size_t at =
        FindOrAdd({view, wanted.alias.empty() ? wanted.view : wanted.alias, std::move(key_columns), {}});
    if (wanted.features.empty()) {
      for (const Field& field : view->definition.fields)
        TM_TRY(AddFeature(at, field));
    }
    for (const std::string& name : wanted.features) {
      TM_ASSIGN(const Field field, FindField(*view, name));
      TM_TRY(AddFeature(at, field));
    }
    return {};
  }

  Result<Selection> Finish() && {
    if (selection_.columns.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "no features are asked for: name some as view:feature, or a service");
    }
    return std::move(selection_);
  }

 private:
  std::size_t FindOrAdd(SelectedView view) {
    const auto found = std::ranges::find_if(
        selection_.views, [&view](const SelectedView& other) { return SameView(view, other); });
    if (found != selection_.views.end()) return static_cast<std::size_t>(found - selection_.views.begin());
    selection_.views.push_back(std::move(view));
    return selection_.views.size() - 1;
  }

  Result<void> AddFeature(std::size_t at, const Field& field) {
    SelectedView& view = selection_.views[at];
    const std::string output = OutputName(view.alias, field.name, full_feature_names_);
    const std::string origin = fmt::format("{}:{}", view.alias, field.name);
    if (const auto [taken, is_new] = outputs_.emplace(output, origin); !is_new) {
      const std::string_view hint =
          full_feature_names_ || taken->second == origin
              ? "ask for it once, or give one of the views an alias of its own"
              : "ask for full_feature_names, or give one of the views an alias of its own";
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' and '{}' would both come out as column '{}': {}", taken->second, origin,
                              output, hint));
    }
    selection_.columns.push_back({at, view.features.size()});
    view.features.push_back({field, output});
    return {};
  }

  const Catalog& catalog_;
  const bool full_feature_names_;
  Selection selection_;
  std::map<std::string, std::string> outputs_;  // output name -> the feature that has it
};

}  // namespace

Result<std::vector<ViewSelection>> SelectionsFromRefs(const std::vector<std::string>& features) {
  std::vector<ViewSelection> selections;
  for (const std::string& text : features) {
    TM_ASSIGN(const FeatureRef ref, ParseFeatureRef(text));
    ViewSelection one;
    one.view = ref.view;
    if (!ref.feature.empty()) one.features.push_back(ref.feature);
    selections.push_back(std::move(one));
  }
  return selections;
}

Result<Selection> Resolve(const Catalog& catalog, const std::vector<ViewSelection>& wanted,
                          bool full_feature_names) {
  Resolver resolver(catalog, full_feature_names);
  for (const ViewSelection& one : wanted)
    TM_TRY(resolver.Add(one));
  return std::move(resolver).Finish();
}

}  // namespace tidemark
