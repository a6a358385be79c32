// The columns come first, then one query for the rows, which are kept in a spool.
#include "adapters/adbc/adbc_source.h"

#include <arrow/array/array_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "adapters/adbc/row_spool.h"
#include "adapters/adbc/warehouse_columns_internal.h"
#include "adapters/adbc/warehouse_query_internal.h"
#include "adapters/adbc/warehouse_session_internal.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kScanRows = 64 * 1024;
constexpr std::int64_t kUsualMemoryBytes = std::int64_t{512} << 20;
constexpr std::int64_t kSharesOfMemory = 4;

class AdbcSource final : public Source {
 public:
  AdbcSource(const BatchSource& definition, const AdbcSourceOptions& options)
      : definition_(definition), options_(options) {}

  Result<void> Open() {
    TM_ASSIGN(session_,
              WarehouseSession::Open(*definition_.warehouse, options_.driver_folders, options_.stop));
    place_ = session_->place();
    files_.push_back({.path = place_, .id = {}, .size = 0, .mtime_ns = 0});
    TM_TRY(session_->PrepareReading());
    TM_ASSIGN(const auto arriving,
              session_->SchemaOf(SchemaQuery(session_->dialect(), *definition_.warehouse)));
    ColumnPlan plan{.dialect = session_->dialect(),
                    .field_mapping = definition_.field_mapping,
                    .declared = options_.column_types,
                    .enums = [this](const std::vector<std::string>& types) { return EnumsAmong(types); }};
    TM_ASSIGN(columns_, Placed(PlanColumns(*arriving, plan)));
    arrow::FieldVector fields;
    for (const WarehouseColumn& column : columns_)
      fields.push_back(column.field);
    schema_ = arrow::schema(std::move(fields));
    return ChooseColumns();
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return files_; }

  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override {
    TM_TRY(Places(columns));
    if (files.empty()) return std::vector<Fragment>();
    const std::lock_guard lock(reading_);
    if (spool_ == nullptr) TM_TRY(ReadRows());
    return fragments_;
  }

  Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                    const BatchSink& sink) const override {
    TM_ASSIGN(const auto batch, ReadPart(fragment, columns));
    for (std::int64_t row = 0; row < batch->num_rows(); row += kScanRows) {
      if (options_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_TRY(sink(*batch->Slice(row, kScanRows), row));
    }
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override {
    TM_ASSIGN(const auto batch, ReadPart(fragment, columns));
    if (std::ssize(rows) == batch->num_rows()) return batch;
    arrow::Int64Builder indices;
    TM_TRY(FromArrowStatus(indices.AppendValues(rows.data(), std::ssize(rows))));
    TM_ASSIGN(const auto places, FromArrowResult(indices.Finish()));
    TM_ASSIGN(const auto taken,
              FromArrowResult(arrow::compute::Take(arrow::Datum(batch), arrow::Datum(places),
                                                   arrow::compute::TakeOptions::NoBoundsCheck())));
    return taken.record_batch();
  }

 private:
  Result<std::vector<std::string>> EnumsAmong(const std::vector<std::string>& types) const {
    std::vector<std::string> texts;
    for (const std::string& type : types)
      texts.push_back(QuotedText(session_->dialect(), type));
    TM_ASSIGN(
        const auto table,
        session_->Ask(fmt::format(
            "SELECT name FROM (SELECT unnest(ARRAY[typname::text, 'unnamed<oid:' || oid || '>']) AS name "
            "FROM pg_type WHERE typtype = 'e') AS enums WHERE name IN ({})",
            fmt::join(texts, ", "))));
    std::vector<std::string> enums;
    for (const auto& chunk : table->column(0)->chunks()) {
      const auto& names = static_cast<const arrow::StringArray&>(*chunk);
      for (std::int64_t row = 0; row < names.length(); ++row)
        enums.push_back(names.GetString(row));
    }
    return enums;
  }

  template <typename T>
  Result<T> Placed(Result<T> result) const {
    if (!result) return std::unexpected(std::move(result).error().In("warehouse " + place_));
    return result;
  }

  /// Those that are read: the needed ones, as far as they are there. What is missing, whoever asks will say.
  Result<void> ChooseColumns() {
    for (std::size_t at = 0; at < columns_.size(); ++at) {
      const std::string& name = columns_[at].field->name();
      const auto& needed = options_.needs.columns;
      const bool is_needed =
          needed ? std::ranges::find(*needed, name) != needed->end() : !columns_[at].is_unreadable;
      if (is_needed && columns_[at].is_unreadable) return Unreadable(columns_[at]);
      if (is_needed) selected_.push_back(at);
    }
    return {};
  }

  std::unexpected<Error> Unreadable(const WarehouseColumn& column) const {
    Error error{ErrorCode::kTypeMismatch,
                fmt::format("column '{}' cannot be read: {}", column.field->name(),
                            column.field->metadata()->Get(std::string(kColumnHint)).ValueOr("")),
                {}};
    return std::unexpected(std::move(error).In("warehouse " + place_));
  }

  Result<void> ReadRows() const {
    arrow::FieldVector fields;
    for (const std::size_t at : selected_)
      fields.push_back(columns_[at].field);
    const std::int64_t memory =
        options_.memory_bytes_max == 0 ? kUsualMemoryBytes : options_.memory_bytes_max / kSharesOfMemory;
    auto schema = arrow::schema(std::move(fields));
    auto spool = std::make_unique<RowSpool>(schema, memory, options_.spill);
    std::vector<std::size_t> selected = selected_;
    if (selected.empty() && !columns_.empty()) selected.push_back(0);  // rows must be counted by something
    TM_ASSIGN(const auto reader, session_->Query(RowsQuery(session_->dialect(), definition_, columns_,
                                                           selected, options_.needs)));
    std::int64_t rows = 0;
    while (true) {
      TM_ASSIGN(const auto batch, session_->Next(*reader));
      if (batch == nullptr) break;
      arrow::ArrayVector columns;
      for (std::size_t i = 0; i < selected_.size(); ++i) {
        TM_ASSIGN(auto column,
                  Placed(ReadColumn(columns_[selected_[i]], batch->column(static_cast<int>(i)), rows)));
        columns.push_back(std::move(column));
      }
      TM_TRY(spool->Add(arrow::RecordBatch::Make(schema, batch->num_rows(), std::move(columns))));
      rows += batch->num_rows();
    }
    TM_TRY(spool->Finish());
    return Describe(std::move(spool));
  }

  Result<void> Describe(std::unique_ptr<RowSpool> spool) const {
    RowLocation next = 0;
    for (std::size_t part = 0; part < spool->parts(); ++part) {
      Fragment fragment;
      fragment.part = static_cast<int>(part);
      fragment.first_location = next;
      fragment.rows = spool->rows(part);
      next += static_cast<RowLocation>(fragment.rows);
      fragments_.push_back(std::move(fragment));
    }
    if (fragments_.empty()) {  // no rows are a fragment too, for whoever looks at the first
      fragments_.emplace_back();
      fragments_.back().rows = 0;
    }
    spool_ = std::move(spool);
    session_.reset();  // the server is not needed any more
    return {};
  }

  /// Places of columns among the selected ones.
  Result<std::vector<int>> Places(const std::vector<std::string>& columns) const {
    std::vector<int> places;
    for (const std::string& name : columns) {
      const auto at = std::ranges::find_if(
          selected_, [&](std::size_t each) { return columns_[each].field->name() == name; });
      if (at != selected_.end()) {
        places.push_back(static_cast<int>(at - selected_.begin()));
        continue;
      }
      const auto unreadable = std::ranges::find_if(columns_, [&](const WarehouseColumn& column) {
        return column.field->name() == name && column.is_unreadable;
      });
      if (unreadable != columns_.end()) return Unreadable(*unreadable);
      const auto names = schema_->field_names();
      return Fail(ErrorCode::kNotFound, fmt::format("{} has no column '{}'{}; its columns are: {}", place_,
                                                    name, Suggest(name, names), fmt::join(names, ", ")));
    }
    return places;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> ReadPart(const Fragment& fragment,
                                                       const std::vector<std::string>& columns) const {
    TM_ASSIGN(const std::vector<int> places, Places(columns));
    arrow::FieldVector fields;
    for (const int place : places)
      fields.push_back(columns_[selected_[static_cast<std::size_t>(place)]].field);
    arrow::ArrayVector arrays;
    if (fragment.rows > 0) {
      TM_ASSIGN(arrays, Placed(spool_->Read(static_cast<std::size_t>(fragment.part), places)));
    } else {
      for (const auto& field : fields) {
        TM_ASSIGN(auto empty, FromArrowResult(arrow::MakeArrayOfNull(field->type(), 0)));
        arrays.push_back(std::move(empty));
      }
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), fragment.rows, std::move(arrays));
  }

  const BatchSource definition_;
  const AdbcSourceOptions options_;
  std::string place_;
  std::vector<WarehouseColumn> columns_;
  std::vector<std::size_t> selected_;  // indices into columns_
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<SourceFile> files_;

  mutable std::mutex reading_;                         // held while the rows are read, which happens once
  mutable std::unique_ptr<WarehouseSession> session_;  // until then
  mutable std::unique_ptr<RowSpool> spool_;
  mutable std::vector<Fragment> fragments_;
};

}  // namespace

Result<std::unique_ptr<Source>> OpenAdbcSource(const BatchSource& definition,
                                               const AdbcSourceOptions& options) {
  auto source = std::make_unique<AdbcSource>(definition, options);
  TM_TRY(source->Open());
  return source;
}

}  // namespace tidemark
