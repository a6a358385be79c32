// Filters batch by batch.
#include "server/flight/narrowed_rows.h"

#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <utility>

#include "server/flight/status.h"

namespace tidemark::server::flight {
namespace {

constexpr const char* kDeleted = "is_deleted";

class NarrowedRows final : public arrow::RecordBatchReader {
 public:
  NarrowedRows(std::shared_ptr<arrow::RecordBatchReader> rows, Narrowing narrowing)
      : rows_(std::move(rows)), narrowing_(std::move(narrowing)) {}

  Result<void> Open() {
    arrow::FieldVector fields;
    for (const std::string& column : narrowing_.columns) {
      const int index = rows_->schema()->GetFieldIndex(column);
      if (index < 0) return Fail(ErrorCode::kNotFound, fmt::format("there is no column '{}'", column));
      columns_.push_back(index);
      fields.push_back(rows_->schema()->field(index));
    }
    schema_ = arrow::schema(std::move(fields));
    return {};
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(rows_->ReadNext(batch));
    if (*batch == nullptr) return arrow::Status::OK();
    if (narrowing_.drop_deleted && (*batch)->schema()->GetFieldIndex(kDeleted) >= 0) {
      ARROW_ASSIGN_OR_RAISE(const arrow::Datum kept,
                            arrow::compute::Invert((*batch)->GetColumnByName(kDeleted)));
      ARROW_RETURN_NOT_OK(Keep(kept, batch));
    }
    if (narrowing_.from_us) {
      const auto times = (*batch)->GetColumnByName(narrowing_.time_column);
      const auto from = std::make_shared<arrow::TimestampScalar>(*narrowing_.from_us, times->type());
      ARROW_ASSIGN_OR_RAISE(const arrow::Datum kept,
                            arrow::compute::CallFunction("greater_equal", {times, arrow::Datum(from)}));
      ARROW_RETURN_NOT_OK(Keep(kept, batch));
    }
    return (*batch)->SelectColumns(columns_).Value(batch);
  }

 private:
  static arrow::Status Keep(const arrow::Datum& kept, std::shared_ptr<arrow::RecordBatch>* batch) {
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum rows, arrow::compute::Filter(*batch, kept));
    *batch = rows.record_batch();
    return arrow::Status::OK();
  }

  const std::shared_ptr<arrow::RecordBatchReader> rows_;
  const Narrowing narrowing_;
  std::vector<int> columns_;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> Narrow(std::shared_ptr<arrow::RecordBatchReader> rows,
                                                         Narrowing narrowing) {
  TM_TRY(FromArrow(arrow::compute::Initialize()));
  if (narrowing.from_us) {
    const auto field = rows->schema()->GetFieldByName(narrowing.time_column);
    const bool is_us =
        field != nullptr && field->type()->id() == arrow::Type::TIMESTAMP &&
        static_cast<const arrow::TimestampType&>(*field->type()).unit() == arrow::TimeUnit::MICRO;
    if (!is_us)
      return Fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' has no times", narrowing.time_column));
  }
  auto narrowed = std::make_shared<NarrowedRows>(std::move(rows), std::move(narrowing));
  TM_TRY(narrowed->Open());
  return narrowed;
}

}  // namespace tidemark::server::flight
