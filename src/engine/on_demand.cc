// Binds expressions against the features that they name, and computes a plan's steps.
#include "engine/on_demand.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>

#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

std::vector<std::size_t> AllFieldsOf(const OnDemandView& view) {
  std::vector<std::size_t> fields(view.fields.size());
  std::iota(fields.begin(), fields.end(), std::size_t{0});
  return fields;
}

/// The fields of a source by its name; null if there is none.
using FieldsOf = std::function<const std::vector<Field>*(const std::string& view)>;

Result<std::vector<ExpressionColumn>> Inputs(const OnDemandView& view, const FieldsOf& fields_of) {
  std::vector<ExpressionColumn> columns;
  for (const OnDemandSource& source : view.sources) {
    const std::vector<Field>* fields = fields_of(source.view);
    if (fields == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("on-demand feature view {} is computed from {}, which is not there",
                              Quoted(view.name), Quoted(source.view)));
    }
    if (source.features.empty()) {
      for (const Field& field : *fields)
        columns.push_back({.table = source.shown(), .name = field.name, .type = field.type});
    }
    for (const std::string& name : source.features) {
      const auto field = std::ranges::find(*fields, name, &Field::name);
      if (field != fields->end())
        columns.push_back({.table = source.shown(), .name = name, .type = field->type});
    }
  }
  for (const RequestSource& request : view.requests) {
    for (const Field& field : request.fields)
      columns.push_back({.table = request.name, .name = field.name, .type = field.type});
  }
  return columns;
}

/// What a function makes of no rows is known without it.
Result<arrow::ArrayVector> RunFunction(FunctionRunner& runner, const OnDemandPlan::Step& step,
                                       const arrow::ArrayVector& values, const OnDemandInput& input) {
  if (input.rows == 0) {
    arrow::ArrayVector none;
    for (const Field& field : step.function.fields) {
      TM_ASSIGN(none.emplace_back(), FromArrowResult(arrow::MakeEmptyArray(ToArrow(field.type))));
    }
    return none;
  }
  arrow::FieldVector fields;
  arrow::ArrayVector arguments;
  for (std::size_t i = 0; i < step.arguments.size(); ++i) {
    const auto& value = values[step.values[i]];
    fields.push_back(arrow::field(step.arguments[i], value->type()));
    arguments.push_back(value);
  }
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema(std::move(fields)), input.rows, std::move(arguments));
  return runner.Run(step.function, *batch, input.stop);
}

}  // namespace

Result<std::vector<ExpressionColumn>> InputsOf(const OnDemandView& view, const Catalog& catalog) {
  return Inputs(view, [&](const std::string& name) -> const std::vector<Field>* {
    if (const OnDemandView* other = catalog.OnDemand(name)) return &other->fields;
    const auto found = catalog.views().find(name);
    return found == catalog.views().end() ? nullptr : &found->second.definition.fields;
  });
}

Result<BoundExpressions> BindFields(const OnDemandView& view, std::span<const ExpressionColumn> columns,
                                    std::span<const std::size_t> fields) {
  std::vector<StatedExpression> texts;
  for (const std::size_t field : fields) {
    texts.push_back(
        {.text = view.expressions.at(field),
         .wanted = view.fields[field].type,
         .place = fmt::format("on-demand feature view {}: field {}", view.name, view.fields[field].name)});
  }
  return BoundExpressions::Bind(texts, columns);
}

Result<void> CheckExpressions(const Definitions& live) {
  const FieldsOf fields_of = [&](const std::string& name) -> const std::vector<Field>* {
    const auto computed = std::ranges::find(live.on_demand, name, &OnDemandView::name);
    if (computed != live.on_demand.end()) return &computed->fields;
    const auto stored = std::ranges::find(live.views, name, &FeatureView::name);
    return stored == live.views.end() ? nullptr : &stored->fields;
  };
  for (const OnDemandView& view : live.on_demand) {
    TM_ASSIGN(const std::vector<ExpressionColumn> columns, Inputs(view, fields_of));
    if (view.mode == OnDemandMode::kSql) TM_TRY(BindFields(view, columns, AllFieldsOf(view)));
  }
  return {};
}

Result<std::vector<std::shared_ptr<arrow::Array>>> ComputeOnDemand(const OnDemandPlan& plan,
                                                                   OnDemandInput input) {
  std::vector<std::shared_ptr<arrow::Array>> values = std::move(input.fetched);
  values.insert(values.end(), input.requests.begin(), input.requests.end());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const OnDemandPlan::Step& step : plan.steps) {
    if (!step.expressions) {
      TM_ASSIGN(auto made, RunFunction(*plan.functions, step, values, input));
      std::ranges::move(made, std::back_inserter(values));
      continue;
    }
    columns.assign(step.values.size(), nullptr);
    for (const std::size_t used : step.expressions->columns_used())
      columns[used] = values[step.values[used]];
    TM_ASSIGN(auto made, step.expressions->Evaluate({.columns = columns,
                                                     .count = input.rows,
                                                     .first_row = input.first_row,
                                                     .now_us = input.now_us,
                                                     .now_per_row = input.now_per_row}));
    std::ranges::move(made, std::back_inserter(values));
  }
  std::vector<std::shared_ptr<arrow::Array>> outputs;
  outputs.reserve(plan.outputs.size());
  for (const OnDemandPlan::Output& output : plan.outputs)
    outputs.push_back(values[output.value]);
  return outputs;
}

Result<std::shared_ptr<arrow::Array>> RequestValues(const RequestColumn& wanted,
                                                    const std::shared_ptr<arrow::Array>& column,
                                                    std::int64_t first_row) {
  const std::string place = fmt::format("on-demand feature view {}: request data", wanted.view);
  if (column->type_id() == arrow::Type::NA) {
    return FromArrowResult(arrow::MakeArrayOfNull(ToArrow(wanted.type), column->length()));
  }
  auto cast = CastColumn(column, wanted.type, wanted.name, first_row);
  if (!cast) return std::unexpected(std::move(cast).error().In(place));
  return cast;
}

}  // namespace tidemark
