// DuckDB writes some of its types as others than it streams them: sums of integers as floats, for one.
#include "adapters/adbc/copy_types_internal.h"

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "adapters/adbc/duckdb_text_internal.h"
#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

struct TypePair {
  std::string_view from;
  std::string_view to;
};

// Whole words outside of quotes; longer ones first where one begins another.
constexpr std::array<TypePair, 12> kTypes{{
    {"UHUGEINT", "DECIMAL(38,0)"},
    {"HUGEINT", "DECIMAL(38,0)"},
    {"UTINYINT", "INTEGER"},
    {"USMALLINT", "INTEGER"},
    {"UINTEGER", "BIGINT"},
    {"TINYINT", "INTEGER"},
    {"SMALLINT", "INTEGER"},
    {"TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"},
    {"TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"},
    {"TIMESTAMP_S", "TIMESTAMP WITH TIME ZONE"},
    {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"},
    {"UUID", "VARCHAR"},
}};
constexpr std::string_view kZoned = "TIMESTAMP WITH TIME ZONE";
constexpr std::string_view kZonedTime = "TIME WITH TIME ZONE";
constexpr std::string_view kEnum = "ENUM(";

bool IsWordChar(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// The end of what begins with a quote at `begin`.
std::size_t QuoteEnd(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  std::size_t at = begin + 1;
  while (at < text.size()) {
    if (text[at] == quote) {
      if (at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
    ++at;
  }
  return text.size();
}

// The end of ENUM('a', 'b') that begins at `begin`.
std::size_t EnumEnd(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  while (at < text.size() && text[at] != ')')
    at = text[at] == '\'' ? QuoteEnd(text, at) : at + 1;
  return std::min(at + 1, text.size());
}

// What DuckDB would write into Parquet as bytes that nothing reads back, or not at all.
constexpr std::array<std::string_view, 7> kUnwritable{"INTERVAL", "UNION",    "BIT",     "BIGNUM",
                                                      "VARIANT",  "GEOMETRY", kZonedTime};

std::string WordType(std::string_view word) {
  if (word.starts_with(kEnum)) return "VARCHAR";
  for (const TypePair& pair : kTypes) {
    if (word == pair.from) return std::string(pair.to);
  }
  return std::string(word);
}

// A piece of a type's text.
struct TypePart {
  std::string_view text;
  bool is_type = false;  // a type's name, and not brackets, numbers or a field's name
};

// The end of the type's name that begins at `begin`.
std::size_t TypeEnd(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin);
  for (const std::string_view name : {kZoned, kZonedTime}) {
    if (rest.starts_with(name)) return begin + name.size();
  }
  if (rest.starts_with(kEnum)) return EnumEnd(text, begin);
  std::size_t end = begin;
  while (end < text.size() && IsWordChar(text[end]))
    ++end;
  return end;
}

// A field's name is quoted if it must be, and may be a type's too: STRUCT(UUID UUID).
std::vector<TypePart> PartsOf(std::string_view text) {
  std::vector<TypePart> parts;
  std::vector<bool> has_names;  // of each open bracket
  bool is_name_next = false;
  std::string_view last;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    std::size_t end = at + 1;
    bool is_type = false;
    if (c == '"' || c == '\'') {
      end = QuoteEnd(text, at);
      is_name_next = false;
    } else if (is_name_next && c != ' ') {
      end = std::min(text.find(' ', at), text.size());
      is_name_next = false;
    } else if (IsWordChar(c)) {
      end = TypeEnd(text, at);
      is_type = true;
      last = text.substr(at, end - at);
    } else if (c == '(') {
      has_names.push_back(last == "STRUCT" || last == "UNION");
      is_name_next = has_names.back();
    } else if (c == ')' && !has_names.empty()) {
      has_names.pop_back();
    } else if (c == ',') {
      is_name_next = !has_names.empty() && has_names.back();
    }
    parts.push_back({text.substr(at, end - at), is_type});
    at = end;
  }
  return parts;
}

}  // namespace

Result<std::vector<CopyColumn>> ReadCopyColumns(arrow::RecordBatchReader& described) {
  std::vector<CopyColumn> columns;
  std::set<std::string> names;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TM_TRY(FromArrowStatus(described.ReadNext(&batch)));
    if (batch == nullptr) return columns;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      TM_ASSIGN(const auto name, FromArrowResult(batch->column(0)->GetScalar(row)));
      TM_ASSIGN(const auto type, FromArrowResult(batch->column(1)->GetScalar(row)));
      columns.push_back({name->ToString(), type->ToString()});
      if (!names.insert(FoldName(columns.back().name)).second) {
        return Fail(ErrorCode::kInvalidArgument, "two columns of the result are called '" +
                                                     columns.back().name + "': give one another name (AS)");
      }
    }
  }
}

std::string CopyType(const std::string& type) {
  std::string written;
  for (const TypePart& part : PartsOf(type))
    written += part.is_type ? WordType(part.text) : std::string(part.text);
  return written;
}

Result<void> CheckCopyTypes(const std::vector<CopyColumn>& columns) {
  for (const CopyColumn& column : columns) {
    for (const TypePart& part : PartsOf(column.type)) {
      if (!part.is_type || std::ranges::find(kUnwritable, part.text) == kUnwritable.end()) continue;
      const std::string_view instead = part.text == "INTERVAL" ? ", or epoch({}) for its seconds" : "";
      const std::string name = QuotedName(column.name);
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("column '{}' of the result is {}, which a Parquet file cannot hold: cast it, as "
                      "in CAST({} AS VARCHAR){}",
                      column.name, column.type, name, fmt::format(fmt::runtime(instead), name)));
    }
  }
  return {};
}

std::string CopySelect(const std::string& query, const std::vector<CopyColumn>& columns) {
  std::string select;
  std::string names;
  bool is_cast = false;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string name = "c" + std::to_string(i);
    const std::string type = CopyType(columns[i].type);
    const bool is_same = type == columns[i].type;
    is_cast = is_cast || !is_same;
    const std::string_view comma = i == 0 ? "" : ", ";
    const std::string value = is_same ? name : fmt::format("CAST({} AS {})", name, type);
    select += fmt::format("{}{} AS {}", comma, value, QuotedName(columns[i].name));
    names += fmt::format("{}{}", comma, name);
  }
  if (!is_cast) return query;
  return "SELECT " + select + " FROM (" + query + ") AS q(" + names + ")";
}

}  // namespace tidemark
