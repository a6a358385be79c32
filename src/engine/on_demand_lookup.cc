// Lookups with computed features: what is stored is read into a result of its own, the expressions are
// evaluated over its columns, and the answer is laid out as any other.
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "engine/on_demand_rows.h"
#include "engine/online_result.h"
#include "model/name.h"
#include "model/type_width.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

ValueForm FormOfOutput(const DataType& type) {
  if (type.kind == TypeKind::kString || type.kind == TypeKind::kBinary) return ValueForm::kText;
  return type.is_nested() ? ValueForm::kNested : ValueForm::kFixed;
}

class ComputingReader final : public OnlineReader {
 public:
  ComputingReader(std::shared_ptr<const OnlineReader> stored, std::shared_ptr<const OnDemandPlan> plan,
                  std::shared_ptr<Clock> clock)
      : stored_(std::move(stored)), plan_(std::move(plan)), clock_(std::move(clock)) {
    for (const OnDemandPlan::Output& output : plan_->outputs)
      features_.push_back({output.name, output.field.type.ToString()});
    for (const RequestColumn& request : plan_->requests)
      requests_.push_back({request.name, request.type.ToString()});
  }

  const std::vector<ColumnInfo>& keys() const override { return stored_->keys(); }
  const std::vector<ColumnInfo>& features() const override { return features_; }
  const std::vector<ColumnInfo>& requests() const override { return requests_; }
  bool waits() const override { return plan_->has_functions(); }
  Result<bool> IsCurrent(std::int64_t max_age_ms) const override { return stored_->IsCurrent(max_age_ms); }

  Result<void> Read(std::span<const KeyColumn> keys, std::size_t rows, OnlineResult& result) const override {
    if (plan_->requests.empty()) return Answer(keys, rows, {}, result);
    return MissingRequest(plan_->requests.front());
  }

  Result<void> ReadWith(std::span<const KeyColumn> keys, std::size_t rows, ArrowSchema* schema,
                        ArrowArray* batch, OnlineResult& result) const override {
    TM_ASSIGN(const auto data, FromArrowResult(arrow::ImportRecordBatch(batch, schema)));
    std::vector<std::shared_ptr<arrow::Array>> requests;
    for (const RequestColumn& wanted : plan_->requests) {
      const auto column = data->GetColumnByName(wanted.name);
      if (column == nullptr) return MissingRequest(wanted);
      if (column->length() != static_cast<std::int64_t>(rows)) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("request data '{}' has {} values for {} entities", wanted.name,
                                column->length(), rows));
      }
      TM_ASSIGN(auto values, RequestValues(wanted, column, 0));
      requests.push_back(std::move(values));
    }
    return Answer(keys, rows, std::move(requests), result);
  }

 private:
  static std::unexpected<Error> MissingRequest(const RequestColumn& wanted) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("on-demand feature view '{}' needs request data '{}' ({}): give it with the entity rows",
                    wanted.view, wanted.name, wanted.type.ToString()));
  }

  Result<void> Answer(std::span<const KeyColumn> keys, std::size_t rows,
                      std::vector<std::shared_ptr<arrow::Array>> requests, OnlineResult& result) const {
    OnlineResult::Impl& out = result.impl();
    if (!out.fetched) out.fetched = std::make_unique<OnlineResult>();
    OnlineResult& fetched = *out.fetched;
    const std::int64_t now_us = clock_->now_us();
    TM_TRY(stored_->Read(keys, rows, fetched));
    OnDemandInput input{.fetched = {},
                        .requests = std::move(requests),
                        .rows = static_cast<std::int64_t>(rows),
                        .first_row = 0,
                        .now_us = now_us};
    for (std::size_t i = 0; i < plan_->fetched; ++i) {
      TM_ASSIGN(auto column, ArrayOfColumn(fetched, i));
      input.fetched.push_back(std::move(column));
    }
    TM_ASSIGN(const auto values, ComputeOnDemand(*plan_, std::move(input)));
    return LayOut(values, now_us, fetched.impl(), out);
  }

  /// Columns of the answer: stored ones belong to the views that they were read of, computed ones to one
  /// more.
  static std::shared_ptr<const ResultShape> ShapeOf(const OnDemandPlan& plan, const ResultShape& fetched) {
    std::vector<ResultColumn> columns;
    for (const OnDemandPlan::Output& output : plan.outputs) {
      ResultColumn column;
      column.name = output.name;
      column.type = output.field.type;
      column.form = FormOfOutput(column.type);
      column.width = FixedWidth(column.type.kind);
      column.view = output.is_computed ? fetched.views : fetched.columns[output.value].view;
      columns.push_back(std::move(column));
    }
    return ResultShape::Make(std::move(columns), fetched.views + 1);
  }

  Result<void> LayOut(const std::vector<std::shared_ptr<arrow::Array>>& values, std::int64_t now_us,
                      OnlineResult::Impl& fetched, OnlineResult::Impl& out) const {
    const auto shape = ShapeFor(*fetched.shape);
    out.Reset(shape, fetched.rows);
    std::ranges::copy(fetched.stored, out.stored.begin());
    std::ranges::copy(fetched.events, out.events.begin());
    std::fill(out.events.begin() + static_cast<std::ptrdiff_t>(fetched.events.size()), out.events.end(),
              now_us);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const OnDemandPlan::Output& output = plan_->outputs[i];
      for (std::size_t row = 0; row < out.rows; ++row) {
        const bool is_null = values[i]->IsNull(static_cast<std::int64_t>(row));
        out.StatusAt(i, row) = output.is_computed ? (is_null ? Status::kNullValue : Status::kPresent)
                                                  : fetched.StatusAt(output.value, row);
      }
      TM_TRY(LayOutColumn(shape->columns[i], *values[i], out));
      if (shape->columns[i].form == ValueForm::kNested) out.nested_done.push_back(values[i]);
    }
    return {};
  }

  static Result<void> LayOutColumn(const ResultColumn& column, const arrow::Array& values,
                                   OnlineResult::Impl& out) {
    if (column.form == ValueForm::kText) {
      const auto& texts = static_cast<const arrow::BinaryArray&>(values);
      OnlineResult::Impl::Text& text = out.texts[column.place];
      for (std::int64_t row = 0; row < values.length(); ++row) {
        if (values.IsValid(row)) text.bytes += texts.GetView(row);
        text.ends.push_back(text.bytes.size());
      }
    } else if (column.type.kind == TypeKind::kBool) {
      const auto& bools = static_cast<const arrow::BooleanArray&>(values);
      for (std::int64_t row = 0; row < values.length(); ++row) {
        *out.FixedAt(column, static_cast<std::size_t>(row)) =
            values.IsValid(row) && bools.Value(row) ? std::byte{1} : std::byte{0};
      }
    } else if (column.form == ValueForm::kFixed) {
      const std::uint8_t* bytes =
          values.data()->buffers[1]->data() + values.offset() * static_cast<std::int64_t>(column.width);
      for (std::int64_t row = 0; row < values.length(); ++row) {
        if (values.IsNull(row)) continue;
        const auto at = static_cast<std::size_t>(row);
        std::memcpy(out.FixedAt(column, at), bytes + at * column.width, column.width);
      }
    }
    return {};
  }

  /// The shape is known once something was read; every result then shares it.
  std::shared_ptr<const ResultShape> ShapeFor(const ResultShape& fetched) const {
    std::call_once(shaped_, [&] { shape_ = ShapeOf(*plan_, fetched); });
    return shape_;
  }

  const std::shared_ptr<const OnlineReader> stored_;
  const std::shared_ptr<const OnDemandPlan> plan_;
  const std::shared_ptr<Clock> clock_;
  std::vector<ColumnInfo> features_;
  std::vector<ColumnInfo> requests_;
  mutable std::once_flag shaped_;
  mutable std::shared_ptr<const ResultShape> shape_;
};

}  // namespace

std::shared_ptr<const OnlineReader> MakeComputingReader(std::shared_ptr<const OnlineReader> stored,
                                                        std::shared_ptr<const OnDemandPlan> plan,
                                                        std::shared_ptr<Clock> clock) {
  return std::make_shared<ComputingReader>(std::move(stored), std::move(plan), std::move(clock));
}

}  // namespace tidemark
