// DuckDB writes some of its types as others than it streams them: sums of integers as floats, for one.
#include "adapters/adbc/copy_types_internal.h"

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

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

std::string WordType(std::string_view word) {
  for (const TypePair& pair : kTypes) {
    if (word == pair.from) return std::string(pair.to);
  }
  return std::string(word);
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
  for (std::size_t at = 0; at < type.size();) {
    const std::string_view rest = std::string_view(type).substr(at);
    if (type[at] == '"' || type[at] == '\'') {
      const std::size_t end = QuoteEnd(type, at);
      written += type.substr(at, end - at);
      at = end;
    } else if (rest.starts_with(kZoned)) {
      written += kZoned;
      at += kZoned.size();
    } else if (rest.starts_with("ENUM(")) {
      written += "VARCHAR";
      at = EnumEnd(type, at);
    } else if (IsWordChar(type[at])) {
      std::size_t end = at;
      while (end < type.size() && IsWordChar(type[end]))
        ++end;
      written += WordType(std::string_view(type).substr(at, end - at));
      at = end;
    } else {
      written += type[at++];
    }
  }
  return written;
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
