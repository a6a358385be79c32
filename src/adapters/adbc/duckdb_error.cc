// DuckDB's kinds of errors, told by their first words.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "adapters/adbc/duckdb_error_internal.h"
#include "adapters/adbc/duckdb_text_internal.h"
#include "base/json.h"
#include "model/name.h"

namespace tidemark {
namespace {

// "Binder Error: text\n\nLINE 1: ...\n   ^" in its parts.
struct Parts {
  std::string kind;   // "Binder"
  std::string body;   // "text"
  std::string place;  // "LINE 1: ...\n   ^", empty if there is none
};

constexpr std::string_view kKindEnd = " Error: ";
constexpr std::size_t kKindBytesMax = 40;
constexpr std::string_view kNoArrowType = "Unsupported Arrow type ";
constexpr std::string_view kMissingOfOne = " does not have a column named \"";

// Of some errors DuckDB gives the parts as JSON.
std::optional<Parts> SplitJson(const std::string& message) {
  if (!message.starts_with("{\"exception_type\"")) return std::nullopt;
  const auto parsed = ParseJson(message);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto text = [&parsed](const char* name) {
    const Json* const found = parsed->member(name);
    return found != nullptr && found->is_string() ? found->text() : std::string();
  };
  return Parts{.kind = text("exception_type"), .body = text("exception_message"), .place = {}};
}

Parts Split(const std::string& message) {
  if (auto parts = SplitJson(message)) return *std::move(parts);
  Parts parts;
  std::size_t begin = 0;
  if (const auto end = message.find(kKindEnd); end != std::string::npos && end <= kKindBytesMax) {
    parts.kind = message.substr(0, end);
    begin = end + kKindEnd.size();
  }
  std::size_t end = message.size();
  if (const auto line = message.find("\n\nLINE ", begin); line != std::string::npos) {
    parts.place = message.substr(line + 2);
    end = line;
  }
  for (const std::string_view hint :
       {"\n\nPossible solutions", "\nPossible solutions", "\n\nThis can happen when",
        "\nThis can happen when", "\nPossible fixes", "\n\nSee also"}) {
    if (const auto at = message.find(hint, begin); at != std::string::npos) end = std::min(end, at);
  }
  parts.body = message.substr(begin, end - begin);
  return parts;
}

bool Has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

void EraseAll(std::string& text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
    text.erase(at, word.size());
  }
}

// The file of the query that a message speaks of.
std::optional<std::string> FileIn(const std::string& message, const std::vector<std::string>& files) {
  std::optional<std::string> longest;
  for (const std::string& file : files) {
    const bool is_named = Has(message, file) || Has(message, PatternOf(file));
    if (is_named && (!longest || longest->size() < file.size())) longest = file;
  }
  return longest;
}

// "CSV Error on Line: 3\nOriginal Line: y,abc\nError when converting column "k". Could not ..." in one line.
std::string CsvMessage(const std::string& body) {
  std::string row;
  std::string text;
  for (std::size_t begin = 0; begin < body.size();) {
    const std::size_t end = std::min(body.find('\n', begin), body.size());
    const std::string line = body.substr(begin, end - begin);
    begin = end + 1;
    static constexpr std::string_view kRow = "CSV Error on Line: ";
    if (line.starts_with(kRow)) {
      row = "row " + line.substr(kRow.size()) + ": ";
    } else if (line.starts_with("Column ") || line.starts_with("  file =")) {
      break;
    } else if (!line.empty() && !line.starts_with("Original Line:")) {
      text += (text.empty() ? "" : "; ") + line;
    }
  }
  return row + text;
}

Error ErrorOfFile(const Parts& parts, const std::string& file) {
  std::error_code failed;
  const std::string where = "file " + file;
  if (!std::filesystem::exists(file, failed)) {
    return {ErrorCode::kIo, "it has vanished, or cannot be reached any more", where};
  }
  if (Has(parts.body, "CSV Error") || Has(parts.body, "sniffing file")) {
    return {ErrorCode::kInvalidData, CsvMessage(parts.body), where};
  }
  if (Has(parts.body, "failed to cast column")) {
    return {ErrorCode::kTypeMismatch, parts.body.substr(parts.body.find("failed to cast column")), where};
  }
  const bool is_beyond_end = Has(parts.body, "attempted to read ");
  if ((parts.kind == "IO" && !is_beyond_end) || parts.kind == "Permission") {
    return {ErrorCode::kIo, parts.body, where};
  }
  return {ErrorCode::kCorruption, "it is damaged: " + parts.body, where};
}

// What DuckDB's reader of Parquet says of bytes that make no sense, without a word on where they are.
bool IsOfDamage(const Parts& parts) {
  static constexpr std::array<std::string_view, 8> kWords = {
      "TProtocolException", "don't know what type", "invalid TType",        "likely corrupted",
      "Out of buffer",      "Corrupted file",       "No more data to read", "Invalid Parquet file"};
  return parts.place.empty() &&
         std::ranges::any_of(kWords, [&](std::string_view word) { return Has(parts.body, word); });
}

Error ErrorOfDamage(const Parts& parts, const DuckDbQuestion& question, const FileTrial& trial) {
  std::string body = parts.body;
  while (body.ends_with('\n') || body.ends_with(' '))
    body.pop_back();
  if (question.files.size() == 1)
    return ErrorOfFile({.kind = {}, .body = body, .place = {}}, question.files.front());
  for (const std::string& file : question.files) {
    if (trial == nullptr) break;
    const auto read = trial(file);
    if (read) continue;
    if (read.error().code == ErrorCode::kCancelled) break;
    return ErrorOfFile({.kind = {}, .body = body, .place = {}}, file);
  }
  return {ErrorCode::kCorruption,
          fmt::format("one of the {} files that the query reads is damaged: {}", question.files.size(), body),
          {}};
}

std::string Megabytes(std::int64_t bytes) {
  const bool is_small = bytes < (std::int64_t{1} << 20);
  return is_small ? std::to_string(bytes) + " bytes" : std::to_string(bytes >> 20) + " MB";
}

Error ErrorOfMemory(const Parts& parts, const DuckDbQuestion& question) {
  if (Has(parts.body, "max_temp_directory_size")) {
    // The first line; the others are about a setting that nobody can change here.
    return {ErrorCode::kOutOfSpace,
            "the disk that the query spills to is full: " + parts.body.substr(0, parts.body.find('\n')),
            {}};
  }
  std::string limit = question.memory_bytes_max > 0 ? " (" + Megabytes(question.memory_bytes_max) + ")" : "";
  return {
      ErrorCode::kOutOfSpace,
      "the query needs more memory than memory_limit" + limit +
          " allows, and what it holds cannot be put aside on the disk: raise memory_limit, or let the query "
          "hold less at a time (DuckDB: " +
          parts.body + ")",
      {}};
}

// A column that is looked for in what a subquery gives, a view among them, is told without a suggestion.
bool IsMissingColumn(const Parts& parts) {
  if (parts.kind != "Binder") return false;
  const bool is_of_all = parts.body.starts_with("Referenced column ") && Has(parts.body, "not found");
  return is_of_all || Has(parts.body, kMissingOfOne);
}

std::string MissingColumn(const std::string& body, const std::vector<std::string>& columns) {
  const std::size_t at = body.find(kMissingOfOne);
  if (at == std::string::npos) return body;
  std::string table = body.substr(0, at);
  if (const auto quote = table.find('"'); quote != std::string::npos) table.erase(0, quote);
  const std::size_t begin = at + kMissingOfOne.size();
  const std::string column = body.substr(begin, body.find('"', begin) - begin);
  return fmt::format("{} has no column \"{}\"{}", table, column, Suggest(column, columns));
}

ErrorCode CodeOfKind(const Parts& parts) {
  struct KindCode {
    std::string_view kind;
    ErrorCode code;
  };
  static constexpr std::array<KindCode, 16> kCodes{{
      {"Parser", ErrorCode::kInvalidArgument},
      {"Syntax", ErrorCode::kInvalidArgument},
      {"Binder", ErrorCode::kInvalidArgument},
      {"Catalog", ErrorCode::kInvalidArgument},
      {"Parameter Not Resolved", ErrorCode::kInvalidArgument},
      {"Not implemented", ErrorCode::kUnsupported},
      {"Conversion", ErrorCode::kInvalidData},
      {"Out of Range", ErrorCode::kInvalidData},
      {"Invalid Input", ErrorCode::kInvalidData},
      {"Invalid", ErrorCode::kInvalidData},
      {"Constraint", ErrorCode::kInvalidData},
      {"Permission", ErrorCode::kPermissionDenied},
      {"IO", ErrorCode::kIo},
      {"INTERRUPT", ErrorCode::kCancelled},
      {"INTERNAL", ErrorCode::kInternal},
      {"FATAL", ErrorCode::kInternal},
  }};
  if (parts.kind == "Catalog" && parts.body.starts_with("Table with name")) return ErrorCode::kNotFound;
  if (IsMissingColumn(parts)) return ErrorCode::kNotFound;
  if (parts.kind == "IO" && (Has(parts.body, "No space left") || Has(parts.body, "Disk quota"))) {
    return ErrorCode::kOutOfSpace;
  }
  const auto found = std::ranges::find(kCodes, parts.kind, &KindCode::kind);
  return found == kCodes.end() ? ErrorCode::kInvalidArgument : found->code;
}

}  // namespace

bool IsFatal(const Error& raw) {
  return raw.message.starts_with("INTERNAL Error") || raw.message.starts_with("FATAL Error");
}

Error DuckDbErrorOf(const Error& raw, const DuckDbQuestion& question, const FileTrial& trial) {
  if (raw.code == ErrorCode::kCancelled) return raw;
  Parts parts = Split(raw.message);
  if (parts.kind == "Out of Memory") return ErrorOfMemory(parts, question);
  if (const auto file = FileIn(raw.message, question.files)) return ErrorOfFile(parts, *file);
  if (!question.files.empty() && IsOfDamage(parts)) return ErrorOfDamage(parts, question, trial);
  const ErrorCode code = parts.kind.empty() ? raw.code : CodeOfKind(parts);
  if (code == ErrorCode::kCancelled) return {code, "interrupted", {}};
  if (IsMissingColumn(parts)) parts.body = MissingColumn(parts.body, question.columns);
  if (code == ErrorCode::kUnsupported && parts.body.starts_with(kNoArrowType)) {
    const std::string type = parts.body.substr(kNoArrowType.size());
    return {
        code,
        fmt::format("a column of the result is of a type that has no counterpart here ({}): cast it, as in "
                    "CAST(... AS VARCHAR)",
                    type),
        {}};
  }
  if (code == ErrorCode::kPermissionDenied) {
    return {code, "SQL reads the catalog's tables only: " + parts.body, {}};
  }
  EraseAll(parts.body, "memory.tidemark_functions.");
  if (question.is_own_text && !parts.place.empty()) parts.body += "\n" + parts.place;
  return {code, std::move(parts.body), raw.context};
}

}  // namespace tidemark
