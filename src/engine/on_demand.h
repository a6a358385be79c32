// Features that are computed when they are asked for: what is fetched for them, in which order they are
// computed, and what comes out. The same plan serves training sets and lookups.
//
//   values:  [ fetched columns | request data | results of steps ]   numbered through
//   steps:   each the expressions of a view over some of these, with a result for each field that is needed,
//            or a Python function with a result for each of its view's fields, in an order in which what is
//            needed is there
//   outputs: as asked, each one of the values
#pragma once

#include <arrow/array.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "expression/expression.h"
#include "model/definition.h"
#include "store/function_runner.h"

namespace tidemark {

/// A column of the entity rows that an on-demand view asks for.
struct RequestColumn {
  std::string name;
  DataType type;
  std::string view;  // the on-demand view that asks first, for messages
};

struct OnDemandPlan {
  struct Step {
    std::optional<BoundExpressions> expressions = {};  // or else a function
    std::vector<std::size_t> values = {};  // for each bound column its value; of those that are not used 0
    ViewFunction function = {};
    std::vector<std::string> arguments = {};  // the function's names of its values
  };
  struct Output {
    std::string name;
    Field field;
    std::size_t value = 0;
    bool is_computed = false;
  };
  std::size_t fetched = 0;  // columns of the selection
  std::vector<RequestColumn> requests;
  std::vector<Step> steps;
  std::vector<Output> outputs;
  std::shared_ptr<FunctionRunner> functions = {};  // null: no step is a function

  bool has_functions() const { return functions != nullptr; }
};

/// The columns that the expressions of `view` may name, and that its function gets: the features of its
/// sources, then its request data. Their tables are what the view calls its sources.
/// kNotFound for a source that is not there.
Result<std::vector<ExpressionColumn>> InputsOf(const OnDemandView& view, const Catalog& catalog);

/// The expressions of some of a view's fields (their places), over the columns of InputsOf. Errors name view
/// and field.
Result<BoundExpressions> BindFields(const OnDemandView& view, std::span<const ExpressionColumn> columns,
                                    std::span<const std::size_t> fields);

/// Reads every expression of every on-demand view of `live`, which CheckDefinitions has accepted, and checks
/// it against the types of what it is computed from: errors as BoundExpression::Bind has them, with the view
/// and the field.
Result<void> CheckExpressions(const Definitions& live);

/// What the steps are computed over.
struct OnDemandInput {
  std::vector<std::shared_ptr<arrow::Array>> fetched;   // as the selection's columns
  std::vector<std::shared_ptr<arrow::Array>> requests;  // as the plan's, each of ToArrow(its type)
  std::int64_t rows = 0;
  std::int64_t first_row = 0;                      // how messages number the first one
  std::int64_t now_us = 0;                         // of a lookup
  const arrow::Int64Array* now_per_row = nullptr;  // of a training set
  std::stop_token stop = {};                       // for functions
};

/// An array for each output. Errors of an expression name its view and field, of a function its view.
Result<std::vector<std::shared_ptr<arrow::Array>>> ComputeOnDemand(const OnDemandPlan& plan,
                                                                   OnDemandInput input);

/// `column` as request data of the plan: cast without loss, nulls and all. kTypeMismatch names the column,
/// the view that asks for it and the row.
Result<std::shared_ptr<arrow::Array>> RequestValues(const RequestColumn& wanted,
                                                    const std::shared_ptr<arrow::Array>& column,
                                                    std::int64_t first_row);

}  // namespace tidemark
