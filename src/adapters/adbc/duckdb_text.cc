// Quoting, type names, and places in a text.
#include <algorithm>

#include "adapters/adbc/duckdb_text_internal.h"

namespace tidemark {
namespace {

std::string Quoted(std::string_view text, char quote) {
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == quote) quoted += quote;
    quoted += c;
  }
  return quoted + quote;
}

// Of a line, as many bytes before the place as are shown.
constexpr std::size_t kBeforeMax = 80;
constexpr std::size_t kLineMax = 160;

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string QuotedName(std::string_view name) {
  return Quoted(name, '"');
}

std::string QuotedText(std::string_view text) {
  return Quoted(text, '\'');
}

std::string PatternOf(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[') {
      pattern += std::string("[") + c + "]";
    } else {
      pattern += c;
    }
  }
  return pattern;
}

std::string DuckDbType(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return "BOOLEAN";
    case TypeKind::kInt32:
      return "INTEGER";
    case TypeKind::kInt64:
      return "BIGINT";
    case TypeKind::kFloat32:
      return "FLOAT";
    case TypeKind::kFloat64:
      return "DOUBLE";
    case TypeKind::kString:
      return "VARCHAR";
    case TypeKind::kBinary:
      return "BLOB";
    case TypeKind::kTimestamp:
      return "TIMESTAMP WITH TIME ZONE";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kDecimal:
      return "DECIMAL(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
    case TypeKind::kList:
      return DuckDbType(type.children[0].type) + "[]";
    case TypeKind::kMap:
      return "MAP(" + DuckDbType(type.children[0].type) + ", " + DuckDbType(type.children[1].type) + ")";
    case TypeKind::kStruct:
      break;
  }
  std::string members;
  for (const NamedType& child : type.children) {
    members += (members.empty() ? "" : ", ") + QuotedName(child.name) + " " + DuckDbType(child.type);
  }
  return "STRUCT(" + members + ")";
}

std::string PlaceIn(std::string_view text, std::size_t position) {
  position = std::min(position, text.size());
  const std::size_t before = text.substr(0, position).rfind('\n');
  std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find('\n', position), text.size());
  const auto line_number = 1 + std::ranges::count(text.substr(0, begin), '\n');
  std::string head = "LINE " + std::to_string(line_number) + ": ";
  if (position - begin > kBeforeMax) {
    begin = position - kBeforeMax;
    while (begin < position && IsContinuation(text[begin]))
      ++begin;
    head += "...";
  }
  std::size_t line_bytes = std::min(end - begin, kLineMax);
  while (begin + line_bytes < end && IsContinuation(text[begin + line_bytes]))
    ++line_bytes;
  std::string line(text.substr(begin, line_bytes));
  std::ranges::replace(line, '\t', ' ');
  std::ranges::replace(line, '\r', ' ');
  const auto columns =
      std::ranges::count_if(text.substr(begin, position - begin), [](char c) { return !IsContinuation(c); });
  return head + line + "\n" + std::string(head.size() + static_cast<std::size_t>(columns), ' ') + "^";
}

}  // namespace tidemark
