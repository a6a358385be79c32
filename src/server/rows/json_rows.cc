// Unknown columns are looked through once for their types; then every value is appended to its column.
#include "server/rows/json_rows.h"

#include <fmt/format.h>

#include <utility>

#include "model/feature_table.h"
#include "rows/arrow_types.h"

namespace tidemark::server {
namespace {

namespace dom = simdjson::dom;

std::string Place(std::string_view column) {
  return fmt::format("column '{}'", column);
}

Error TooManyRows(std::size_t rows_max) {
  return {.code = ErrorCode::kInvalidArgument,
          .message = fmt::format("there are more than {} rows, which is as many as a request may have "
                                 "(rows_max): send them as NDJSON or Arrow, or in parts",
                                 rows_max),
          .context = {}};
}

JsonColumn MarksColumn() {
  return {system_column::kUnfit, {.kind = TypeKind::kString}};
}

/// `unfit`, the marks of bad rows, may be null.
Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(std::vector<JsonColumn>& columns, JsonColumn* unfit,
                                                    std::int64_t rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  const auto add = [&](JsonColumn& column) -> Result<void> {
    TM_TRY(column.FillWithNulls(rows));
    fields.push_back(arrow::field(column.name(), ArrowTypeOf(column.type())));
    TM_ASSIGN(arrays.emplace_back(), column.Finish());
    return {};
  };
  for (JsonColumn& column : columns)
    TM_TRY(add(column));
  if (unfit != nullptr) TM_TRY(add(*unfit));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows, std::move(arrays));
}

/// Why rows are bad, by row: what was found first.
using BadRows = std::map<std::int64_t, std::string>;

Result<std::shared_ptr<arrow::RecordBatch>> MarkedBatchOf(std::vector<JsonColumn>& columns,
                                                          const BadRows& bad, std::int64_t rows) {
  JsonColumn unfit = MarksColumn();
  for (const auto& [row, why] : bad) {
    TM_TRY(unfit.FillWithNulls(row));
    TM_TRY(unfit.AppendText(fmt::format("row {}: {}", row, why)));
  }
  return BatchOf(columns, &unfit, rows);
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsFromColumns(const dom::object& object,
                                                            const JsonRowsOptions& options, bool* cut_times) {
  std::vector<JsonColumn> columns;
  std::optional<std::int64_t> rows;
  BadRows bad;
  for (const auto [name, value] : object) {
    for (const JsonColumn& other : columns) {
      if (other.name() == name)
        return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is given twice", Place(name)));
    }
    dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is {}, where a list of its values is wanted",
                                                           Place(name), ShownInMessage(value)));
    }
    std::optional<DataType> type;
    if (const auto known = options.types.find(name); known != options.types.end()) {
      type = known->second;
    } else {
      for (const dom::element item : array)
        TM_TRY(WidenToFit(item, Place(name), type));
    }
    JsonColumn& column = columns.emplace_back(std::string(name), Settled(type), options.policy);
    for (const dom::element item : array) {
      if (static_cast<std::size_t>(column.rows()) == options.rows_max)
        return std::unexpected(TooManyRows(options.rows_max));
      std::string why;
      if (!options.marks_bad_rows) {
        TM_TRY(column.Append(item));
      } else if (const std::int64_t row = column.rows(); !column.AppendOrPlaceholder(item, why)) {
        bad.try_emplace(row, std::move(why));
      }
    }
    if (cut_times != nullptr && column.cut_times()) *cut_times = true;
    if (rows && *rows != column.rows()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} has {} values and {} has {}: all columns must have as many",
                              Place(columns.front().name()), *rows, Place(name), column.rows()));
    }
    rows = column.rows();
  }
  if (options.marks_bad_rows) return MarkedBatchOf(columns, bad, rows.value_or(0));
  return BatchOf(columns, nullptr, rows.value_or(0));
}

}  // namespace

Result<JsonDocument> JsonDocument::Parse(std::string_view text, std::size_t depth_max) {
  JsonDocument document;
  if (const auto code = document.parser_->allocate(text.size(), depth_max); code != simdjson::SUCCESS)
    return std::unexpected(JsonErrorOf(code, text, depth_max));
  if (const auto code = ParseJsonTree(*document.parser_, text, false, document.root_);
      code != simdjson::SUCCESS) {
    return std::unexpected(JsonErrorOf(code, text, depth_max));
  }
  return document;
}

JsonObjects::JsonObjects(JsonRowsOptions options) : options_(std::move(options)), unfit_(MarksColumn()) {}

Error JsonObjects::AtRow(Error error) const {
  return std::move(error).In(fmt::format("row {}", rows_before_ + rows_));
}

Result<void> JsonObjects::Learn(dom::element object) {
  dom::object members;
  if (object.get_object().get(members) != simdjson::SUCCESS) return {};  // Add says it with the row
  for (const auto [name, value] : members) {
    if (options_.types.contains(name)) continue;
    const auto known = learnt_.find(name);
    if (known != learnt_.end()) {
      TM_TRY(WidenToFit(value, Place(name), known->second));
      continue;
    }
    std::optional<DataType> type;
    TM_TRY(WidenToFit(value, Place(name), type));
    learnt_.emplace(name, std::move(type));
  }
  return {};
}

Result<std::size_t> JsonObjects::ColumnOf(std::string_view name, std::size_t hint) {
  if (hint < columns_.size() && columns_[hint].name() == name) return hint;
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  const auto known = options_.types.find(name);
  const auto learnt = learnt_.find(name);
  if (has_begun_ || (known == options_.types.end() && learnt == learnt_.end())) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not in the rows before it, and no definition tells its type: give it in "
                            "the first row, null if it has no value there",
                            Place(name)));
  }
  const DataType type = known != options_.types.end() ? known->second : Settled(learnt->second);
  columns_.emplace_back(std::string(name), type, options_.policy);
  by_name_.emplace(name, columns_.size() - 1);
  return columns_.size() - 1;
}

Result<void> JsonObjects::Bad(Error error) {
  error = AtRow(std::move(error));
  if (!options_.marks_bad_rows) return std::unexpected(std::move(error));
  if (unfit_.rows() > rows_) return {};  // it is known to be bad
  TM_TRY(unfit_.FillWithNulls(rows_));
  return unfit_.AppendText(error.ToString());
}

Result<void> JsonObjects::AddValue(std::string_view name, dom::element value, std::size_t& hint) {
  const auto column = ColumnOf(name, hint);
  if (!column) return Bad(column.error());
  JsonColumn& into = columns_[*column];
  if (into.rows() > rows_) {
    return Bad({.code = ErrorCode::kInvalidArgument,
                .message = fmt::format("{} is given twice", Place(name)),
                .context = {}});
  }
  hint = *column + 1;
  TM_TRY(into.FillWithNulls(rows_));
  if (!options_.marks_bad_rows) return into.Append(value);
  std::string why;
  if (into.AppendOrPlaceholder(value, why)) return {};
  return Bad({.code = ErrorCode::kTypeMismatch, .message = std::move(why), .context = {}});
}

Result<void> JsonObjects::Add(dom::element object) {
  dom::object members;
  if (object.get_object().get(members) != simdjson::SUCCESS) {
    TM_TRY(Bad({.code = ErrorCode::kInvalidArgument,
                .message = fmt::format("{} is not an object of columns and values", ShownInMessage(object)),
                .context = {}}));
    ++rows_;
    return {};
  }
  std::size_t hint = 0;
  for (const auto [name, value] : members)
    TM_TRY(AddValue(name, value, hint));
  ++rows_;
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> JsonObjects::Finish() {
  if (!has_begun_) {
    // Columns that are known to come later in some objects are there from the first batch on.
    for (const auto& [name, type] : learnt_)
      TM_TRY(ColumnOf(name, columns_.size()));
    if (rows_ == 0) {
      for (const auto& [name, type] : options_.types)
        TM_TRY(ColumnOf(name, columns_.size()));
    }
    has_begun_ = true;
  }
  TM_ASSIGN(auto batch, BatchOf(columns_, options_.marks_bad_rows ? &unfit_ : nullptr, rows_));
  rows_before_ += std::exchange(rows_, 0);
  return batch;
}

bool JsonObjects::cut_times() const {
  for (const JsonColumn& column : columns_) {
    if (column.cut_times()) return true;
  }
  return false;
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsFromJson(dom::element rows, const JsonRowsOptions& options,
                                                         bool* cut_times) {
  if (dom::object object; rows.get_object().get(object) == simdjson::SUCCESS)
    return RowsFromColumns(object, options, cut_times);
  dom::array array;
  if (rows.get_array().get(array) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kInvalidArgument,
                R"(rows are {"column": [value, ..], ..} or [{"column": value, ..}, ..])");
  }
  JsonObjects objects(options);
  for (const dom::element object : array)
    TM_TRY(objects.Learn(object));
  for (const dom::element object : array) {
    if (static_cast<std::size_t>(objects.rows()) == options.rows_max)
      return std::unexpected(TooManyRows(options.rows_max));
    TM_TRY(objects.Add(object));
  }
  TM_ASSIGN(auto batch, objects.Finish());
  if (cut_times != nullptr && objects.cut_times()) *cut_times = true;
  return batch;
}

}  // namespace tidemark::server
