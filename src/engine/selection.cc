// Resolves names against the catalog and catches features that would come out under one name.
#include "engine/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/result.h"
#include "engine/on_demand.h"
#include "model/definition_json.h"
#include "model/feature_ref.h"
#include "model/name.h"
#include "store/function_runner.h"

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

Result<std::size_t> FieldPlace(const OnDemandView& view, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < view.fields.size(); ++i) {
    if (view.fields[i].name == name) return i;
    names.push_back(view.fields[i].name);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("on-demand feature view '{}' has no feature '{}'{}",
                                                view.name, name, Suggest(name, names)));
}

/// Collects the selection view by view; one view asked for in several pieces stays one view.
class Resolver {
 public:
  Resolver(const Catalog& catalog, bool full_feature_names, std::shared_ptr<FunctionRunner> functions)
      : catalog_(catalog), full_feature_names_(full_feature_names), functions_(std::move(functions)) {}

  /// Before any is added: what all of them need of on-demand views.
  Result<void> Prepare(const ViewSelection& wanted) {
    const OnDemandView* view = catalog_.OnDemand(wanted.view);
    if (view == nullptr) return {};
    TM_ASSIGN(const auto fields, AskedFields(wanted, *view));
    for (const std::size_t field : fields)
      TM_TRY(Need(*view, field));
    return {};
  }

  Result<void> Add(const ViewSelection& wanted) {
    if (const OnDemandView* computed = catalog_.OnDemand(wanted.view)) return AddOnDemand(wanted, *computed);
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
    if (plan_.outputs.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "no features are asked for: name some as view:feature, or a service");
    }
    const auto is_computed = [](const OnDemandPlan::Output& output) { return output.is_computed; };
    if (std::ranges::any_of(plan_.outputs, is_computed)) NumberValues();
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

  /// The name that a feature comes out under, which no other may have.
  Result<std::string> TakeOutput(const std::string& alias, const std::string& feature) {
    std::string output = OutputName(alias, feature, full_feature_names_);
    const std::string origin = fmt::format("{}:{}", alias, feature);
    if (const auto [taken, is_new] = outputs_.emplace(output, origin); !is_new) {
      const std::string_view hint =
          full_feature_names_ || taken->second == origin
              ? "ask for it once, or give one of the views an alias of its own"
              : "ask for full_feature_names, or give one of the views an alias of its own";
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' and '{}' would both come out as column '{}': {}", taken->second, origin,
                              output, hint));
    }
    return output;
  }

  Result<void> AddFeature(std::size_t at, const Field& field) {
    SelectedView& view = selection_.views[at];
    TM_ASSIGN(const std::string output, TakeOutput(view.alias, field.name));
    values_.push_back({Value::Kind::kFetched, selection_.columns.size()});
    plan_.outputs.push_back({.name = output, .field = field});
    fetched_.emplace(std::pair(at, field.name), selection_.columns.size());
    selection_.columns.push_back({at, view.features.size()});
    view.features.push_back({field, output});
    return {};
  }

  /// A value of the plan, before it is known how many there are of each kind.
  struct Value {
    enum class Kind : std::uint8_t { kFetched, kRequest, kStep } kind;
    std::size_t place;
  };

  static Result<std::vector<std::size_t>> AskedFields(const ViewSelection& wanted, const OnDemandView& view) {
    std::vector<std::size_t> fields(wanted.features.empty() ? view.fields.size() : 0);
    std::iota(fields.begin(), fields.end(), std::size_t{0});
    for (const std::string& name : wanted.features) {
      TM_ASSIGN(fields.emplace_back(), FieldPlace(view, name));
    }
    return fields;
  }

  Result<void> AddOnDemand(const ViewSelection& wanted, const OnDemandView& view) {
    if (!wanted.alias.empty()) TM_TRY(CheckName("alias", wanted.alias));
    if (!wanted.join_key_map.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is an on-demand feature view, which has no join keys to map", view.name));
    }
    const std::string& alias = wanted.alias.empty() ? wanted.view : wanted.alias;
    TM_ASSIGN(const auto fields, AskedFields(wanted, view));
    for (const std::size_t field : fields) {
      TM_ASSIGN(const std::string output, TakeOutput(alias, view.fields[field].name));
      TM_ASSIGN(const Value value, Computed(view, field));
      values_.push_back(value);
      plan_.outputs.push_back({.name = output, .field = view.fields[field], .is_computed = true});
    }
    return {};
  }

  /// Notes that a field is asked for, and with it all that it is computed from, so that one step computes all
  /// that is needed of a view.
  Result<void> Need(const OnDemandView& view, std::size_t field) {
    std::vector<std::size_t>& needed = needed_[view.name];
    if (std::ranges::find(needed, field) != needed.end()) return {};
    const bool is_first = needed.empty();
    needed.push_back(field);
    const bool is_sql = view.mode == OnDemandMode::kSql;
    if (!is_sql && !is_first) return {};  // a function takes all of its inputs at once
    TM_ASSIGN(const std::vector<ExpressionColumn> columns, InputsOf(view, catalog_));
    std::vector<std::size_t> used(is_sql ? 0 : columns.size());
    std::iota(used.begin(), used.end(), std::size_t{0});
    if (is_sql) {
      TM_ASSIGN(const BoundExpressions bound, BindFields(view, columns, {&field, 1}));
      used = bound.columns_used();
    }
    for (const std::size_t column : used) {
      const auto source = std::ranges::find(view.sources, columns[column].table, &OnDemandSource::shown);
      const OnDemandView* other = source == view.sources.end() ? nullptr : catalog_.OnDemand(source->view);
      if (other == nullptr) continue;
      TM_ASSIGN(const std::size_t place, FieldPlace(*other, columns[column].name));
      TM_TRY(Need(*other, place));
    }
    return {};
  }

  /// The step that computes a field, and others of its view that are needed; what it needs comes before it.
  Result<Value> Computed(const OnDemandView& view, std::size_t field) {
    const std::pair id(view.name, field);
    if (const auto found = computed_.find(id); found != computed_.end())
      return Value{Value::Kind::kStep, found->second};
    if (view.mode != OnDemandMode::kSql) return ByFunction(view, field);
    const std::vector<std::size_t>& fields = needed_.at(view.name);
    TM_ASSIGN(const std::vector<ExpressionColumn> columns, InputsOf(view, catalog_));
    TM_ASSIGN(auto bound, BindFields(view, columns, fields));
    std::vector<Value> inputs(columns.size(), {Value::Kind::kFetched, 0});
    for (const std::size_t used : bound.columns_used()) {
      TM_ASSIGN(inputs[used], Input(view, columns[used]));
    }
    plan_.steps.push_back({.expressions = std::move(bound)});
    step_inputs_.push_back(std::move(inputs));
    for (const std::size_t each : fields)
      computed_.emplace(std::pair(view.name, each), results_++);
    return Value{Value::Kind::kStep, computed_.at(id)};
  }

  /// The step of a function, which computes all fields of its view from all of its inputs.
  Result<Value> ByFunction(const OnDemandView& view, std::size_t field) {
    if (functions_ == nullptr) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("on-demand feature view '{}' has mode {}: its function runs in the Python SDK, "
                              "and elsewhere only with --python-workers N",
                              view.name, OnDemandModeName(view.mode)));
    }
    TM_ASSIGN(const std::vector<ExpressionColumn> columns, InputsOf(view, catalog_));
    OnDemandPlan::Step step{.function = ViewFunction::Of(view)};
    std::vector<Value> inputs;
    for (const ExpressionColumn& column : columns) {
      const bool is_alone = std::ranges::count(columns, column.name, &ExpressionColumn::name) == 1;
      step.arguments.push_back(is_alone ? column.name : fmt::format("{}__{}", column.table, column.name));
      TM_ASSIGN(inputs.emplace_back(), Input(view, column));
    }
    plan_.functions = functions_;
    plan_.steps.push_back(std::move(step));
    step_inputs_.push_back(std::move(inputs));
    for (std::size_t i = 0; i < view.fields.size(); ++i)
      computed_.emplace(std::pair(view.name, i), results_ + i);
    results_ += view.fields.size();
    return Value{Value::Kind::kStep, results_ - view.fields.size() + field};
  }

  Result<Value> Input(const OnDemandView& view, const ExpressionColumn& column) {
    const auto source = std::ranges::find(view.sources, column.table, &OnDemandSource::shown);
    if (source == view.sources.end()) return Requested(view, column);
    if (const OnDemandView* other = catalog_.OnDemand(source->view)) {
      TM_ASSIGN(const std::size_t place, FieldPlace(*other, column.name));
      return Computed(*other, place);
    }
    TM_ASSIGN(const CatalogView* stored, catalog_.View(source->view));
    const ViewSelection selection{
        .view = source->view, .features = {}, .join_key_map = source->join_key_map, .alias = source->alias};
    TM_ASSIGN(auto key_columns, KeyColumns(*stored, selection));
    const std::size_t at = FindOrAdd({stored, column.table, std::move(key_columns), {}});
    if (const auto found = fetched_.find({at, column.name}); found != fetched_.end()) {
      return Value{Value::Kind::kFetched, found->second};
    }
    TM_ASSIGN(const Field field, FindField(*stored, column.name));
    fetched_.emplace(std::pair(at, field.name), selection_.columns.size());
    selection_.columns.push_back({at, selection_.views[at].features.size()});
    selection_.views[at].features.push_back({field, field.name});
    return Value{Value::Kind::kFetched, selection_.columns.size() - 1};
  }

  Result<Value> Requested(const OnDemandView& view, const ExpressionColumn& column) {
    for (std::size_t i = 0; i < plan_.requests.size(); ++i) {
      const RequestColumn& known = plan_.requests[i];
      if (known.name != column.name) continue;
      if (known.type == column.type) return Value{Value::Kind::kRequest, i};
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("request data '{}' is {} for on-demand feature view '{}' and {} for '{}'", column.name,
                      known.type.ToString(), known.view, column.type.ToString(), view.name));
    }
    plan_.requests.push_back({.name = column.name, .type = column.type, .view = view.name});
    return Value{Value::Kind::kRequest, plan_.requests.size() - 1};
  }

  std::size_t NumberOf(const Value& value) const {
    const std::size_t requests = selection_.columns.size();
    if (value.kind == Value::Kind::kFetched) return value.place;
    if (value.kind == Value::Kind::kRequest) return requests + value.place;
    return requests + plan_.requests.size() + value.place;
  }

  /// All that is needed is known by now. What is fetched gets names that no column of a request can have.
  void NumberValues() {
    plan_.fetched = selection_.columns.size();
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      for (const Value& input : step_inputs_[i])
        plan_.steps[i].values.push_back(NumberOf(input));
    }
    for (std::size_t i = 0; i < plan_.outputs.size(); ++i)
      plan_.outputs[i].value = NumberOf(values_[i]);
    for (std::size_t i = 0; i < selection_.columns.size(); ++i) {
      const Selection::Column& column = selection_.columns[i];
      selection_.views[column.view].features[column.feature].output_name = fmt::format("__fetched_{}", i);
    }
    selection_.on_demand = std::make_shared<const OnDemandPlan>(std::move(plan_));
  }

  const Catalog& catalog_;
  const bool full_feature_names_;
  const std::shared_ptr<FunctionRunner> functions_;
  Selection selection_;
  OnDemandPlan plan_;
  std::vector<Value> values_;                                            // of the plan's outputs
  std::vector<std::vector<Value>> step_inputs_;                          // of the plan's steps
  std::map<std::pair<std::size_t, std::string>, std::size_t> fetched_;   // view and field -> column
  std::map<std::pair<std::string, std::size_t>, std::size_t> computed_;  // on-demand view, field -> result
  std::map<std::string, std::vector<std::size_t>> needed_;               // on-demand view -> fields
  std::size_t results_ = 0;                                              // of the plan's steps
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

Result<std::vector<ViewSelection>> SelectionsOf(const Catalog& catalog, const AskedFeatures& asked) {
  const int given =
      (asked.features.empty() ? 0 : 1) + (asked.service.empty() ? 0 : 1) + (asked.selection.empty() ? 0 : 1);
  if (given != 1) {
    return Fail(ErrorCode::kInvalidArgument, "ask for a list of features or for one feature service");
  }
  if (!asked.features.empty()) return SelectionsFromRefs(asked.features);
  if (!asked.service.empty()) {
    TM_ASSIGN(const FeatureService* found, catalog.Service(asked.service));
    return found->views;
  }
  // A list that was put together for one request is a service without a name of its own.
  TM_ASSIGN(const FeatureService once,
            FeatureServiceFromJson(fmt::format(R"({{"name": "request", "features": {}}})", asked.selection)));
  return once.views;
}

Result<Selection> Resolve(const Catalog& catalog, const std::vector<ViewSelection>& wanted,
                          bool full_feature_names, std::shared_ptr<FunctionRunner> functions) {
  Resolver resolver(catalog, full_feature_names, std::move(functions));
  for (const ViewSelection& one : wanted)
    TM_TRY(resolver.Prepare(one));
  for (const ViewSelection& one : wanted)
    TM_TRY(resolver.Add(one));
  return std::move(resolver).Finish();
}

}  // namespace tidemark
