// Columns are computed for all rows at once; where that fails, halves are tried until the rows are found for
// which it does.
#include "engine/stream_transform.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "model/feature_table.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

std::string PlaceOfExpression(std::string_view column) {
  return fmt::format("expression of {}", column);
}

/// The event time as the user has it.
const std::string& EventField(const FeatureView& view) {
  return view.source ? view.source->timestamp_field : view.table.timestamp_field;
}

DataType EventType(const FeatureView& view) {
  return view.source ? DataType{.kind = TypeKind::kTimestamp} : view.table.timestamp_type;
}

Result<std::vector<ExpressionColumn>> ColumnsOfMessages(const FeatureView& view,
                                                        std::span<const JoinKey> keys) {
  const StreamTransformation& transformation = *view.transformation;
  std::vector<ExpressionColumn> columns;
  const auto add = [&](const std::string& name, const DataType& type) {
    if (!transformation.expressions.contains(name))
      columns.push_back({.table = {}, .name = name, .type = type});
  };
  for (const JoinKey& key : keys) {
    if (!key.type) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the type of join key {} is not known, and messages are read by it: state it",
                              Quoted(key.name)));
    }
    add(key.name, *key.type);
  }
  add(EventField(view), EventType(view));
  const std::string& created =
      view.source ? view.source->created_timestamp_column : view.table.created_timestamp_column;
  if (!created.empty()) add(created, {.kind = TypeKind::kTimestamp});
  for (const Field& field : view.fields)
    add(field.name, field.type);
  for (const Field& input : transformation.inputs)
    columns.push_back({.table = {}, .name = input.name, .type = input.type});
  return columns;
}

using RowNumbers = std::vector<std::int64_t>;

std::shared_ptr<arrow::Array> NumbersArray(const RowNumbers& rows) {
  return std::make_shared<arrow::Int64Array>(std::ssize(rows), arrow::Buffer::Wrap(rows));
}

Result<std::shared_ptr<arrow::Array>> TakenRows(const std::shared_ptr<arrow::Array>& column,
                                                const std::shared_ptr<arrow::Array>& rows) {
  TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(column, rows)));
  return taken.make_array();
}

}  // namespace

/// One run over the rows of some messages.
class TransformRun {
 public:
  TransformRun(const StreamTransform& transform, const TransformInput& input)
      : transform_(transform), input_(input), count_(input.rows->num_rows()) {}

  Result<TransformedRows> Run() {
    TM_TRY(FindColumns());
    Divide();
    values_.resize(transform_.computed_.size());
    TM_TRY(Compute(true));
    TM_TRY(LeaveOut());
    TM_TRY(Compute(false));
    return Assemble();
  }

 private:
  enum class Fate : std::uint8_t { kRow, kDeletion, kTombstone, kLeftOut, kRejected };

  Result<void> FindColumns() {
    for (const ExpressionColumn& column : transform_.columns_) {
      auto found = input_.rows->GetColumnByName(column.name);
      if (found == nullptr) {
        return Fail(ErrorCode::kInternal,
                    fmt::format("messages were decoded without column {}", Quoted(column.name)));
      }
      columns_.push_back(std::move(found));
    }
    return {};
  }

  void Divide() {
    const auto flags = std::dynamic_pointer_cast<arrow::BooleanArray>(
        input_.rows->GetColumnByName(system_column::kIsDeleted));
    for (std::int64_t row = 0; row < count_; ++row) {
      const bool is_flagged = flags != nullptr && flags->IsValid(row) && flags->Value(row);
      const bool is_tombstone = input_.is_tombstone[static_cast<std::size_t>(row)];
      fates_.push_back(is_tombstone ? Fate::kTombstone : is_flagged ? Fate::kDeletion : Fate::kRow);
    }
  }

  Result<void> Compute(bool is_for_filter) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const StreamTransform::Computed& computed = transform_.computed_[i];
      if (computed.is_for_filter != is_for_filter) continue;
      TM_ASSIGN(values_[i], Evaluate(computed.expression, columns_, computed.is_event_time,
                                     PlaceOfExpression(computed.name)));
    }
    return {};
  }

  Result<void> LeaveOut() {
    if (!transform_.filter_) return {};
    arrow::ArrayVector columns = columns_;
    for (const std::size_t computed : transform_.filter_computed_)
      columns.push_back(values_[computed]);
    TM_ASSIGN(const auto held, Evaluate(*transform_.filter_, columns, false, "filter"));
    const auto& holds = static_cast<const arrow::BooleanArray&>(*held);
    for (std::int64_t row = 0; row < count_; ++row) {
      Fate& fate = fates_[static_cast<std::size_t>(row)];
      if (fate != Fate::kRow || (holds.IsValid(row) && holds.Value(row))) continue;
      fate = Fate::kLeftOut;
      ++done_.left_out;
    }
    return {};
  }

  /// A value for each row; null for rows that it is not computed for.
  Result<std::shared_ptr<arrow::Array>> Evaluate(const BoundExpression& expression,
                                                 const arrow::ArrayVector& columns, bool is_of_deletions,
                                                 const std::string& place) {
    RowNumbers rows;
    for (std::int64_t row = 0; row < count_; ++row) {
      const Fate fate = fates_[static_cast<std::size_t>(row)];
      if (fate == Fate::kRow || (is_of_deletions && fate == Fate::kDeletion)) rows.push_back(row);
    }
    const bool is_all = std::ssize(rows) == count_;
    arrow::ArrayVector used(columns.size());
    for (const std::size_t column : expression.columns_used()) {
      used[column] = columns[column];
      if (!is_all) {
        TM_ASSIGN(used[column], TakenRows(columns[column], NumbersArray(rows)));
      }
    }
    std::shared_ptr<arrow::Array> arrivals = input_.arrivals;
    if (!is_all) {
      TM_ASSIGN(arrivals, TakenRows(input_.arrivals, NumbersArray(rows)));
    }
    arrow::ArrayVector parts;
    TM_TRY(EvaluateRange({expression, used, *arrivals, rows, place}, 0, std::ssize(rows), parts));
    if (parts.empty()) return FromArrowResult(arrow::MakeArrayOfNull(ToArrow(expression.type()), count_));
    TM_ASSIGN(auto values, FromArrowResult(arrow::Concatenate(parts)));
    return is_all ? std::move(values) : Scattered(values, rows);
  }

  struct Evaluation {
    const BoundExpression& expression;
    const arrow::ArrayVector& columns;
    const arrow::Array& arrivals;
    const RowNumbers& rows;
    const std::string& place;
  };

  Result<void> EvaluateRange(const Evaluation& of, std::int64_t begin, std::int64_t count,
                             arrow::ArrayVector& parts) {
    if (count == 0) return {};
    const auto arrivals = std::static_pointer_cast<arrow::Int64Array>(of.arrivals.Slice(begin, count));
    arrow::ArrayVector columns(of.columns.size());
    for (const std::size_t column : of.expression.columns_used())
      columns[column] = of.columns[column]->Slice(begin, count);
    auto values = of.expression.Evaluate(
        {.columns = columns, .count = count, .first_row = 0, .now_us = 0, .now_per_row = arrivals.get()});
    if (values) {
      parts.push_back(*std::move(values));
      return {};
    }
    if (values.error().code != ErrorCode::kInvalidData) return std::unexpected(std::move(values).error());
    if (count > 1) {
      TM_TRY(EvaluateRange(of, begin, count / 2, parts));
      return EvaluateRange(of, begin + count / 2, count - count / 2, parts);
    }
    const auto row = static_cast<std::size_t>(of.rows[static_cast<std::size_t>(begin)]);
    fates_[row] = Fate::kRejected;
    const std::string& problem = values.error().message;  // its other lines show the expression
    done_.problems.push_back({row, fmt::format("{}: {}", of.place, problem.substr(0, problem.find('\n')))});
    TM_ASSIGN(auto none, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(of.expression.type()), 1)));
    parts.push_back(std::move(none));
    return {};
  }

  /// Values of `rows` among all.
  Result<std::shared_ptr<arrow::Array>> Scattered(const std::shared_ptr<arrow::Array>& values,
                                                  const RowNumbers& rows) const {
    arrow::Int64Builder places;
    TM_TRY(FromArrowStatus(places.Reserve(count_)));
    std::size_t next = 0;
    for (std::int64_t row = 0; row < count_; ++row) {
      if (next < rows.size() && rows[next] == row) {
        places.UnsafeAppend(static_cast<std::int64_t>(next++));
      } else {
        places.UnsafeAppendNull();
      }
    }
    TM_ASSIGN(const auto indices, FromArrowResult(places.Finish()));
    return TakenRows(values, indices);
  }

  Result<TransformedRows> Assemble() {
    arrow::FieldVector fields;
    arrow::ArrayVector columns;
    const auto is_kept = [&](const std::string& name) {
      return std::ranges::find(transform_.dropped_, name) == transform_.dropped_.end();
    };
    for (int i = 0; i < input_.rows->num_columns(); ++i) {
      if (!is_kept(input_.rows->column_name(i))) continue;
      fields.push_back(input_.rows->schema()->field(i));
      columns.push_back(input_.rows->column(i));
    }
    for (std::size_t i = 0; i < values_.size(); ++i) {
      fields.push_back(arrow::field(transform_.computed_[i].name, values_[i]->type()));
      columns.push_back(values_[i]);
    }
    RowNumbers rows;
    for (std::int64_t row = 0; row < count_; ++row) {
      const Fate fate = fates_[static_cast<std::size_t>(row)];
      if (fate == Fate::kLeftOut || fate == Fate::kRejected) continue;
      rows.push_back(row);
      done_.places.push_back(static_cast<std::size_t>(row));
    }
    done_.rows = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), count_, std::move(columns));
    if (std::ssize(rows) < count_) {
      TM_ASSIGN(const arrow::Datum taken,
                FromArrowResult(arrow::compute::Take(done_.rows, NumbersArray(rows))));
      done_.rows = taken.record_batch();
    }
    std::ranges::sort(done_.problems, {}, &TransformProblem::row);
    return std::move(done_);
  }

  const StreamTransform& transform_;
  const TransformInput& input_;
  const std::int64_t count_;
  arrow::ArrayVector columns_;  // of messages, as they were bound
  arrow::ArrayVector values_;   // of what is computed
  std::vector<Fate> fates_;     // of each row
  TransformedRows done_;
};

Result<StreamTransform> StreamTransform::Bind(const FeatureView& view, std::span<const JoinKey> keys) {
  const StreamTransformation& transformation = *view.transformation;
  StreamTransform bound;
  TM_ASSIGN(bound.columns_, ColumnsOfMessages(view, keys));
  for (const Field& input : transformation.inputs)
    bound.dropped_.push_back(input.name);
  const auto is_of_messages = [&](const std::string& name) {
    return std::ranges::find(bound.columns_, name, &ExpressionColumn::name) != bound.columns_.end();
  };
  std::vector<ExpressionColumn> known = bound.columns_;
  for (const auto& [name, text] : transformation.expressions) {
    const bool is_event_time = name == EventField(view);
    const auto field = std::ranges::find(view.fields, name, &Field::name);
    if (!is_event_time && field == view.fields.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{}: the view has no such feature", PlaceOfExpression(name)));
    }
    const DataType type = is_event_time ? EventType(view) : field->type;
    auto expression = BoundExpression::Bind(text, bound.columns_, type);
    if (!expression) return std::unexpected(std::move(expression).error().In(PlaceOfExpression(name)));
    if (!is_of_messages(name)) {
      bound.filter_computed_.push_back(bound.computed_.size());
      known.push_back({.table = {}, .name = name, .type = type});
    }
    bound.computed_.push_back({name, *std::move(expression), is_event_time, false});
  }
  if (transformation.filter.empty()) return bound;
  auto filter = BoundExpression::Bind(transformation.filter, known, DataType{.kind = TypeKind::kBool});
  if (!filter) return std::unexpected(std::move(filter).error().In("filter"));
  bound.filter_ = *std::move(filter);
  for (const std::size_t used : bound.filter_->columns_used()) {
    if (used < bound.columns_.size()) continue;
    bound.computed_[bound.filter_computed_[used - bound.columns_.size()]].is_for_filter = true;
  }
  return bound;
}

bool StreamTransform::is_computed(std::string_view column) const {
  return std::ranges::find(computed_, column, &Computed::name) != computed_.end();
}

Result<TransformedRows> StreamTransform::Run(const TransformInput& input) const {
  return TransformRun(*this, input).Run();
}

Result<void> CheckStreamTransforms(const Definitions& live) {
  for (const FeatureView& view : live.views) {
    if (!view.transformation) continue;
    std::vector<JoinKey> keys;
    for (const std::string& name : view.entities) {
      const auto entity = std::ranges::find(live.entities, name, &Entity::name);
      if (entity != live.entities.end())
        keys.insert(keys.end(), entity->join_keys.begin(), entity->join_keys.end());
    }
    TM_TRY_IN(StreamTransform::Bind(view, keys), fmt::format("feature view {}: transformation", view.name));
  }
  return {};
}

}  // namespace tidemark
