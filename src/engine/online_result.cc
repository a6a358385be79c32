// The public side of OnlineResult, and its way out as an Arrow record batch.
#include "engine/online_result.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <numeric>

#include "base/result.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// A validity bitmap of the rows that are kPresent.
Result<std::shared_ptr<arrow::Buffer>> Validity(const OnlineResult& result, std::size_t column,
                                                std::int64_t* nulls) {
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> bits,
            FromArrowResult(arrow::AllocateEmptyBitmap(static_cast<std::int64_t>(result.rows()))));
  *nulls = 0;
  for (std::size_t row = 0; row < result.rows(); ++row) {
    const bool present = result.status(column, row) == Status::kPresent;
    arrow::bit_util::SetBitTo(bits->mutable_data(), static_cast<std::int64_t>(row), present);
    *nulls += present ? 0 : 1;
  }
  return bits;
}

Result<std::shared_ptr<arrow::Array>> BoolArray(const OnlineResult& result, std::size_t column) {
  arrow::BooleanBuilder builder;
  const auto* values = result.Fixed<std::uint8_t>(column);
  for (std::size_t row = 0; row < result.rows(); ++row) {
    const bool present = result.status(column, row) == Status::kPresent;
    TM_TRY(FromArrowStatus(present ? builder.Append(values[row] != 0) : builder.AppendNull()));
  }
  return FromArrowResult(builder.Finish());
}

Result<std::shared_ptr<arrow::Array>> FixedArray(const OnlineResult& result, std::size_t column,
                                                 const ResultColumn& shape) {
  if (shape.type.kind == TypeKind::kBool) return BoolArray(result, column);
  std::int64_t nulls = 0;
  TM_ASSIGN(const auto valid, Validity(result, column, &nulls));
  const auto bytes = static_cast<std::int64_t>(result.rows() * shape.width);
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> values, FromArrowResult(arrow::AllocateBuffer(bytes)));
  std::copy_n(reinterpret_cast<const std::uint8_t*>(result.fixed(column)), bytes, values->mutable_data());
  return arrow::MakeArray(arrow::ArrayData::Make(
      ToArrow(shape.type), static_cast<std::int64_t>(result.rows()), {valid, values}, nulls));
}

Result<std::shared_ptr<arrow::Array>> TextArray(const OnlineResult& result, std::size_t column,
                                                const ResultColumn& shape) {
  arrow::BinaryBuilder builder;
  for (std::size_t row = 0; row < result.rows(); ++row) {
    const bool present = result.status(column, row) == Status::kPresent;
    TM_TRY(FromArrowStatus(present ? builder.Append(result.text(column, row)) : builder.AppendNull()));
  }
  TM_ASSIGN(const auto made, FromArrowResult(builder.Finish()));
  return FromArrowResult(made->View(ToArrow(shape.type)));
}

Result<std::shared_ptr<arrow::Array>> StatusArray(const OnlineResult& result, std::size_t column) {
  arrow::StringBuilder builder;
  for (std::size_t row = 0; row < result.rows(); ++row) {
    TM_TRY(FromArrowStatus(builder.Append(StatusName(result.status(column, row)))));
  }
  return FromArrowResult(builder.Finish());
}

Result<std::shared_ptr<arrow::Array>> EventArray(const OnlineResult& result, std::size_t column) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                  arrow::default_memory_pool());
  for (std::size_t row = 0; row < result.rows(); ++row) {
    const bool found = result.status(column, row) != Status::kNotFound;
    TM_TRY(FromArrowStatus(found ? builder.Append(result.event_time_us(column, row)) : builder.AppendNull()));
  }
  return FromArrowResult(builder.Finish());
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> ArrayOfColumn(OnlineResult& result, std::size_t at) {
  const ResultColumn& column = result.impl().shape->columns[at];
  switch (column.form) {
    case ValueForm::kFixed:
      return FixedArray(result, at, column);
    case ValueForm::kText:
      return TextArray(result, at, column);
    case ValueForm::kNested:
      break;
  }
  return result.impl().nested_done[column.place];
}

const std::vector<ColumnInfo>& OnlineReader::requests() const {
  static const std::vector<ColumnInfo> kNone;
  return kNone;
}

Result<void> OnlineReader::ReadWith(std::span<const KeyColumn> keys, std::size_t rows, ArrowSchema* schema,
                                    ArrowArray* batch, OnlineResult& result) const {
  TM_TRY(FromArrowResult(arrow::ImportRecordBatch(batch, schema)));  // which releases it
  return Read(keys, rows, result);
}

std::shared_ptr<const ResultShape> ResultShape::Make(std::vector<ResultColumn> columns, std::size_t views) {
  auto shape = std::make_shared<ResultShape>();
  shape->views = views;
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&columns](std::size_t i) { return columns[i].width; });
  for (const std::size_t i : order) {
    columns[i].fixed_base = shape->fixed_width;
    shape->fixed_width += columns[i].width;
  }
  for (ResultColumn& column : columns) {
    if (column.form == ValueForm::kText) column.place = shape->texts++;
    if (column.form == ValueForm::kNested) column.place = shape->nesteds++;
  }
  shape->columns = std::move(columns);
  return shape;
}

void OnlineResult::Impl::Reset(std::shared_ptr<const ResultShape> wanted, std::size_t row_count) {
  if (shape != wanted) {
    shape = std::move(wanted);
    texts.assign(shape->texts, {});
    nested.clear();
    nested_done.clear();
  }
  rows = row_count;
  fixed.assign(shape->fixed_width * rows, std::byte{0});
  statuses.assign(shape->columns.size() * rows, Status::kNotFound);
  stored.assign(shape->views * rows, {});
  events.assign(shape->views * rows, 0);
  for (Text& text : texts) {
    text.bytes.clear();
    text.ends.clear();
  }
  if (shape->nesteds == 0) return;
  nested.clear();
  nested_done.clear();
  for (const ResultColumn& column : shape->columns) {
    if (column.form != ValueForm::kNested) continue;
    nested.push_back(
        arrow::MakeBuilder(tidemark::ToArrow(column.type)).ValueOrDie());  // fails for no type of ours
  }
}

void OnlineResult::Impl::Clear() {
  shape.reset();
  rows = 0;
}

OnlineResult::OnlineResult() : impl_(std::make_unique<Impl>()) {}
OnlineResult::~OnlineResult() = default;
OnlineResult::OnlineResult(OnlineResult&&) noexcept = default;
OnlineResult& OnlineResult::operator=(OnlineResult&&) noexcept = default;

std::size_t OnlineResult::rows() const {
  return impl_->rows;
}
std::size_t OnlineResult::columns() const {
  return impl_->shape == nullptr ? 0 : impl_->shape->columns.size();
}
ValueForm OnlineResult::form(std::size_t column) const {
  return impl_->shape->columns[column].form;
}

Status OnlineResult::status(std::size_t column, std::size_t row) const {
  return impl_->StatusAt(column, row);
}

std::int64_t OnlineResult::event_time_us(std::size_t column, std::size_t row) const {
  return impl_->EventAt(impl_->shape->columns[column].view, row);
}

StoredRow OnlineResult::stored_row(std::size_t column, std::size_t row) const {
  return impl_->StoredAt(impl_->shape->columns[column].view, row);
}

const Status* OnlineResult::statuses(std::size_t column) const {
  return &impl_->StatusAt(column, 0);
}

const std::int64_t* OnlineResult::event_times_us(std::size_t column) const {
  return &impl_->EventAt(impl_->shape->columns[column].view, 0);
}

const std::byte* OnlineResult::fixed(std::size_t column) const {
  return impl_->FixedAt(impl_->shape->columns[column], 0);
}

std::string_view OnlineResult::text(std::size_t column, std::size_t row) const {
  const Impl::Text& text = impl_->texts[impl_->shape->columns[column].place];
  const std::size_t begin = row == 0 ? 0 : text.ends[row - 1];
  return std::string_view(text.bytes).substr(begin, text.ends[row] - begin);
}

Result<void> OnlineResult::ToArrow(bool statuses, bool event_times, ArrowSchema* schema,
                                   ArrowArray* batch) const {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  const auto add = [&](const std::string& name, Result<std::shared_ptr<arrow::Array>> array) -> Result<void> {
    if (!array) return std::unexpected(std::move(array).error());
    fields.push_back(arrow::field(name, (*array)->type()));
    arrays.push_back(std::move(array).value());
    return {};
  };
  for (std::size_t i = 0; i < columns(); ++i) {
    const ResultColumn& column = impl_->shape->columns[i];
    switch (column.form) {
      case ValueForm::kFixed:
        TM_TRY(add(column.name, FixedArray(*this, i, column)));
        break;
      case ValueForm::kText:
        TM_TRY(add(column.name, TextArray(*this, i, column)));
        break;
      case ValueForm::kNested:
        TM_TRY(add(column.name, impl_->nested_done[column.place]));
        break;
    }
    if (statuses) TM_TRY(add(column.name + "__status", StatusArray(*this, i)));
    if (event_times) TM_TRY(add(column.name + "__event_timestamp", EventArray(*this, i)));
  }
  const auto made =
      arrow::RecordBatch::Make(arrow::schema(fields), static_cast<std::int64_t>(rows()), arrays);
  return FromArrowStatus(arrow::ExportRecordBatch(*made, batch, schema));
}

}  // namespace tidemark
