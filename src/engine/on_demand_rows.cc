// Training sets with computed features, batch by batch.
#include "engine/on_demand_rows.h"

#include <arrow/builder.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/parallel.h"
#include "engine/entity_rows.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "tidemark/status.h"

namespace tidemark {
namespace {

/// Computed values are there, or null.
Result<std::shared_ptr<arrow::Array>> ComputedStatuses(const arrow::Array& values) {
  arrow::StringBuilder builder;
  for (std::int64_t row = 0; row < values.length(); ++row) {
    const Status status = values.IsNull(row) ? Status::kNullValue : Status::kPresent;
    TM_TRY(FromArrowStatus(builder.Append(StatusName(status))));
  }
  return FromArrowResult(builder.Finish());
}

class ComputedRows final : public arrow::RecordBatchReader {
 public:
  ComputedRows(std::shared_ptr<arrow::RecordBatchReader> read, std::shared_ptr<const OnDemandPlan> plan,
               OnDemandRowsOptions options)
      : read_(std::move(read)),
        plan_(std::move(plan)),
        options_(std::move(options)),
        next_row_(options_.first_row) {}

  Result<void> Open() {
    const int each = options_.include_status ? 2 : 1;
    given_ = read_->schema()->num_fields() - static_cast<int>(plan_->fetched) * each;
    arrow::FieldVector fields;
    for (int i = 0; i < given_; ++i)
      fields.push_back(read_->schema()->field(i));
    for (const OnDemandPlan::Output& output : plan_->outputs) {
      fields.push_back(arrow::field(output.name, ToArrow(output.field.type)));
      if (options_.include_status) fields.push_back(arrow::field(output.name + "__status", arrow::utf8()));
    }
    schema_ = arrow::schema(std::move(fields), read_->schema()->metadata());
    TM_ASSIGN(event_column_, FindEventColumn(*arrow::schema(Given()), options_.event_column));
    return {};
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    while (ready_.empty()) {
      std::shared_ptr<arrow::RecordBatch> read;
      ARROW_RETURN_NOT_OK(read_->ReadNext(&read));
      if (read == nullptr) return arrow::Status::OK();
      if (auto computed = ComputeAll(read); !computed) return ToStatus(computed.error());
      next_row_ += read->num_rows();
    }
    *batch = std::move(ready_.front());
    ready_.pop_front();
    return arrow::Status::OK();
  }

  arrow::Status Close() override { return read_->Close(); }

 private:
  arrow::FieldVector Given() const {
    const arrow::FieldVector& all = read_->schema()->fields();
    return {all.begin(), all.begin() + given_};
  }

  /// A large batch is computed in parts, which come out as batches of their own.
  Result<void> ComputeAll(const std::shared_ptr<arrow::RecordBatch>& read) {
    constexpr std::int64_t kPartRowsMin = 8'192;
    constexpr std::int64_t kCallRowsMax = 16'384;  // the time of a function's call is limited
    const std::int64_t rows = read->num_rows();
    const std::int64_t parts_max = std::max<std::int64_t>(1, static_cast<std::int64_t>(options_.threads));
    const std::int64_t parts = plan_->has_functions()
                                   ? std::max<std::int64_t>(1, (rows + kCallRowsMax - 1) / kCallRowsMax)
                                   : std::clamp<std::int64_t>(rows / kPartRowsMin, 1, parts_max);
    const std::int64_t part_rows = (rows + parts - 1) / parts;
    std::vector<std::shared_ptr<arrow::RecordBatch>> made(static_cast<std::size_t>(parts));
    const auto compute = [&](std::size_t i, std::size_t /*thread*/) -> Result<void> {
      const std::int64_t begin = static_cast<std::int64_t>(i) * part_rows;
      TM_ASSIGN(made[i], Compute(*read->Slice(begin, part_rows), next_row_ + begin));
      return {};
    };
    TM_TRY(ParallelFor(made.size(), options_.threads, options_.stop, compute));
    ready_.insert(ready_.end(), made.begin(), made.end());
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Compute(const arrow::RecordBatch& read,
                                                      std::int64_t first_row) const {
    const int each = options_.include_status ? 2 : 1;
    OnDemandInput input;
    input.rows = read.num_rows();
    input.first_row = first_row;
    for (std::size_t i = 0; i < plan_->fetched; ++i)
      input.fetched.push_back(read.column(given_ + static_cast<int>(i) * each));
    for (const RequestColumn& wanted : plan_->requests) {
      TM_ASSIGN(auto values, RequestValues(wanted, read.GetColumnByName(wanted.name), first_row));
      input.requests.push_back(std::move(values));
    }
    TM_ASSIGN(const auto times,
              TimesToMicros(*read.GetColumnByName(event_column_), event_column_, first_row));
    input.now_per_row = times.get();
    input.stop = options_.stop;
    TM_ASSIGN(const auto outputs, ComputeOnDemand(*plan_, std::move(input)));
    arrow::ArrayVector columns;
    for (int i = 0; i < given_; ++i)
      columns.push_back(read.column(i));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      columns.push_back(outputs[i]);
      if (!options_.include_status) continue;
      const OnDemandPlan::Output& output = plan_->outputs[i];
      if (output.is_computed) {
        TM_ASSIGN(auto statuses, ComputedStatuses(*outputs[i]));
        columns.push_back(std::move(statuses));
      } else {
        columns.push_back(read.column(given_ + static_cast<int>(output.value) * each + 1));
      }
    }
    return arrow::RecordBatch::Make(schema_, read.num_rows(), std::move(columns));
  }

  const std::shared_ptr<arrow::RecordBatchReader> read_;
  const std::shared_ptr<const OnDemandPlan> plan_;
  const OnDemandRowsOptions options_;
  std::shared_ptr<arrow::Schema> schema_;
  int given_ = 0;  // columns of the entity rows
  std::string event_column_;
  std::deque<std::shared_ptr<arrow::RecordBatch>> ready_;  // computed and not yet given out
  std::int64_t next_row_;
};

}  // namespace

Result<void> CheckRequestColumns(const OnDemandPlan& plan, const arrow::Schema& entity_rows) {
  for (const RequestColumn& wanted : plan.requests) {
    if (entity_rows.GetAllFieldIndices(wanted.name).size() == 1) continue;
    return Fail(
        ErrorCode::kNotFound,
        fmt::format(
            "on-demand feature view '{}' needs request data '{}' ({}): give the entity rows a column of "
            "that name{}",
            wanted.view, wanted.name, wanted.type.ToString(),
            Suggest(wanted.name, entity_rows.field_names())));
  }
  for (const OnDemandPlan::Output& output : plan.outputs) {
    if (entity_rows.GetFieldIndex(output.name) < 0) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "'{}' is the name of a column of the entity rows and of a column asked for: drop or rename "
            "one, or ask for full_feature_names",
            output.name));
  }
  return {};
}

Result<std::shared_ptr<arrow::RecordBatchReader>> WithComputed(std::shared_ptr<arrow::RecordBatchReader> read,
                                                               std::shared_ptr<const OnDemandPlan> plan,
                                                               OnDemandRowsOptions options) {
  auto computed = std::make_shared<ComputedRows>(std::move(read), std::move(plan), std::move(options));
  TM_TRY(computed->Open());
  return computed;
}

}  // namespace tidemark
