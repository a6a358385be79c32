// A parser of lines: a keyword starts a part, a table goes on until the next keyword.
#include "pit/golden_testing.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark::pit_testing {
namespace {

constexpr std::array<std::string_view, 7> kKeywords{"case", "known_by", "view",       "keys",
                                                    "ttl",  "rows",     "entity_rows"};

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The parts between separators that are not in quotes, trimmed; quotes stay.
std::vector<std::string> Split(std::string_view line, char separator) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == separator && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  for (std::string& part : out)
    part = std::string(Trim(part));
  return out;
}

std::string Unquoted(const std::string& cell) {
  return cell.size() >= 2 && cell.front() == '"' && cell.back() == '"' ? cell.substr(1, cell.size() - 2)
                                                                       : cell;
}

DataType Simple(TypeKind kind) {
  DataType out;
  out.kind = kind;
  return out;
}

// Types of the columns that every source may have.
std::optional<DataType> SystemType(std::string_view column) {
  if (column == "event_timestamp" || column == "created_timestamp" || column == "expires_at") {
    return Simple(TypeKind::kTimestamp);
  }
  if (column == "write_time" || column == "origin") return Simple(TypeKind::kInt64);
  if (column == "is_deleted") return Simple(TypeKind::kBool);
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::string_view file_name) : file_name_(file_name) {}

  Result<std::vector<GoldenCase>> Parse(std::string_view text) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      ++line_;
      line = Trim(line.substr(0, line.find('#')));
      if (!line.empty()) TM_TRY(Line(line));
    }
    TM_TRY(EndCase());
    return std::move(cases_);
  }

 private:
  std::unexpected<Error> FailHere(std::string_view what) const {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}:{}: {}", file_name_, line_, what));
  }

  Result<void> Line(std::string_view line) {
    const auto space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    const bool is_keyword =
        std::ranges::find(kKeywords, word) != kKeywords.end() && line.find('|') == line.npos;
    if (!is_keyword) return TableLine(line);
    const std::string_view rest = space == line.npos ? std::string_view() : Trim(line.substr(space));
    table_ = nullptr;
    if (word == "case") {
      TM_TRY(EndCase());
      cases_.emplace_back().place = fmt::format("{}:{}: {}", file_name_, line_, rest);
      return {};
    }
    if (cases_.empty()) return FailHere("a file starts with `case`");
    return Keyword(word, rest);
  }

  Result<void> Keyword(std::string_view word, std::string_view rest) {
    GoldenCase& current = cases_.back();
    if (word == "known_by") return KnownByLine(rest);
    if (word == "entity_rows") {
      table_ = &current.entity_rows;
      return {};
    }
    if (word == "view") {
      current.views.emplace_back().name = rest;
      return {};
    }
    if (current.views.empty()) return FailHere(fmt::format("`{}` before any view", word));
    GoldenView& view = current.views.back();
    if (word == "rows") {
      table_ = &view.rows;
    } else if (word == "ttl") {
      TM_ASSIGN(view.ttl_us, ParseDurationUs(rest));
    } else {
      for (const std::string& key : Split(rest, ',')) {
        TM_ASSIGN(auto column, TypedColumn(key));
        view.keys.push_back(std::move(column));
      }
    }
    return {};
  }

  Result<void> KnownByLine(std::string_view rest) {
    KnownBy& known_by = cases_.back().known_by;
    if (rest == "event") {
      known_by.kind = KnownBy::Kind::kEntityRow;
      return {};
    }
    const auto time = ParseTimestampUs(rest);
    if (!time) return FailHere(fmt::format("known_by `{}` is neither `event` nor a time", rest));
    known_by = {KnownBy::Kind::kTime, *time};
    return {};
  }

  Result<GoldenColumn> TypedColumn(std::string_view text) const {
    const auto space = text.find(' ');
    if (space == text.npos) return FailHere(fmt::format("column `{}` has no type", text));
    TM_ASSIGN(auto type, DataType::Parse(Trim(text.substr(space))));
    return GoldenColumn{std::string(text.substr(0, space)), std::move(type)};
  }

  Result<void> TableLine(std::string_view line) {
    if (table_ == nullptr) return FailHere("neither a keyword nor a table's line");
    const auto cells = Split(line, '|');
    if (table_->columns.empty()) {
      table_->columns = cells;
      return {};
    }
    if (cells.size() != table_->columns.size()) {
      return FailHere(fmt::format("{} cells under {} columns", cells.size(), table_->columns.size()));
    }
    auto& row = table_->rows.emplace_back();
    for (const std::string& cell : cells) {
      row.push_back(cell == "null" ? std::nullopt
                                   : std::optional(IsAnswer(row.size()) ? cell : Unquoted(cell)));
    }
    return {};
  }

  // Expected answers keep their quotes until their statuses are read.
  bool IsAnswer(std::size_t column) const {
    return table_ == &cases_.back().entity_rows && table_->columns[column].find(':') != std::string::npos;
  }

  Result<void> EndCase() {
    if (cases_.empty()) return {};
    GoldenCase& current = cases_.back();
    for (GoldenView& view : current.views)
      TM_TRY(EndView(view));
    GoldenTable& table = current.entity_rows;
    std::size_t inputs = 0;
    while (inputs < table.columns.size() && table.columns[inputs].find(':') == std::string::npos)
      ++inputs;
    for (std::size_t c = inputs; c < table.columns.size(); ++c) {
      const std::string& name = table.columns[c];
      const auto colon = name.find(':');
      if (colon == std::string::npos) return FailHere(fmt::format("`{}` after the expected answers", name));
      GoldenCase::Expected expected{name.substr(0, colon), name.substr(colon + 1), {}};
      for (const auto& row : table.rows)
        expected.answers.push_back(Answer(row[c]));
      current.expected.push_back(std::move(expected));
    }
    table.columns.resize(inputs);
    for (auto& row : table.rows)
      row.resize(inputs);
    if (current.expected.empty() || table.rows.empty()) return FailHere("the case expects nothing");
    return {};
  }

  static GoldenAnswer Answer(const std::optional<std::string>& cell) {
    if (!cell) return {Status::kNullValue, {}};
    for (const Status status : {Status::kNotFound, Status::kOutsideMaxAge}) {
      if (*cell == StatusName(status)) return {status, {}};
    }
    return {Status::kPresent, Unquoted(*cell)};
  }

  Result<void> EndView(GoldenView& view) const {
    for (std::string& column : view.rows.columns) {
      const auto is_key = [&](const GoldenColumn& key) { return key.name == column; };
      if (SystemType(column) || std::ranges::any_of(view.keys, is_key)) continue;
      TM_ASSIGN(auto feature, TypedColumn(column));
      column = feature.name;
      view.features.push_back(std::move(feature));
    }
    return {};
  }

  std::string file_name_;
  int line_ = 0;
  std::vector<GoldenCase> cases_;
  GoldenTable* table_ = nullptr;
};

// Text to a flat type; what Arrow's cast refuses is an error.
Result<std::shared_ptr<arrow::Array>> FromText(const std::shared_ptr<arrow::Array>& text,
                                               const DataType& type, std::string_view column) {
  if (type.kind == TypeKind::kString || type.kind == TypeKind::kBinary || type.kind == TypeKind::kTimestamp) {
    return CastColumn(text, type, column, 0);
  }
  TM_ASSIGN(auto cast, FromArrowResult(arrow::compute::Cast(*text, ToArrow(type))));
  return cast;
}

Result<void> AppendColumn(const GoldenTable& table, const GoldenColumn& column, arrow::FieldVector& fields,
                          arrow::ArrayVector& arrays) {
  TM_ASSIGN(auto array, table.Column(column.name, column.type));
  fields.push_back(arrow::field(column.name, array->type()));
  arrays.push_back(std::move(array));
  return {};
}

}  // namespace

std::optional<std::size_t> GoldenTable::Find(std::string_view column) const {
  const auto found = std::ranges::find(columns, column);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

Result<std::shared_ptr<arrow::Array>> GoldenTable::Column(std::string_view column,
                                                          const DataType& type) const {
  const auto index = Find(column);
  if (!index) return Fail(ErrorCode::kNotFound, fmt::format("a golden case has no column `{}`", column));
  arrow::StringBuilder builder;
  for (const auto& row : rows) {
    TM_TRY(FromArrowStatus(row[*index] ? builder.Append(*row[*index]) : builder.AppendNull()));
  }
  TM_ASSIGN(auto text, FromArrowResult(builder.Finish()));
  return FromText(text, type, column);
}

bool GoldenView::is_own_table() const {
  return rows.Find("write_time") || rows.Find("origin") || rows.Find("is_deleted") || rows.Find("expires_at");
}

Result<std::shared_ptr<arrow::RecordBatch>> GoldenView::ToBatch() const {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const GoldenColumn& key : keys)
    TM_TRY(AppendColumn(rows, key, fields, arrays));
  for (const std::string& column : rows.columns) {
    if (const auto type = SystemType(column)) TM_TRY(AppendColumn(rows, {column, *type}, fields, arrays));
  }
  for (const GoldenColumn& feature : features)
    TM_TRY(AppendColumn(rows, feature, fields, arrays));
  const auto count = static_cast<std::int64_t>(rows.rows.size());
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), count, std::move(arrays));
}

Result<std::shared_ptr<arrow::RecordBatch>> GoldenCase::EntityBatch() const {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const std::string& column : entity_rows.columns) {
    DataType type = SystemType(column).value_or(Simple(TypeKind::kString));
    for (const GoldenView& one : views) {
      for (const GoldenColumn& key : one.keys) {
        if (key.name == column) type = key.type;
      }
    }
    TM_TRY(AppendColumn(entity_rows, {column, type}, fields, arrays));
  }
  const auto count = static_cast<std::int64_t>(entity_rows.rows.size());
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), count, std::move(arrays));
}

const GoldenView& GoldenCase::view(std::string_view name) const {
  const auto found = std::ranges::find(views, name, &GoldenView::name);
  TM_CHECK(found != views.end(), "a golden case expects an answer of a view that it does not have");
  return *found;
}

Result<std::vector<GoldenCase>> ParseGolden(std::string_view text, std::string_view file_name) {
  return Parser(file_name).Parse(text);
}

Result<std::vector<GoldenCase>> ReadGoldenFolder(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<GoldenCase> out;
  for (const auto& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    TM_ASSIGN(auto cases, ParseGolden(text.str(), path.filename().string()));
    std::ranges::move(cases, std::back_inserter(out));
  }
  return out;
}

std::string GoldenText(const arrow::Array& values, std::int64_t row) {
  const auto scalar = values.GetScalar(row);
  TM_CHECK(scalar.ok(), "a value of a golden case");
  return (*scalar)->ToString();
}

}  // namespace tidemark::pit_testing
