// One table of names, read in both directions.
#include "server/rows/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace tidemark::server {
namespace {

struct Spelling {
  std::string_view content_type;
  RowFormat format;
};

// The first of each format is the one that we write.
constexpr std::array<Spelling, 13> kSpellings{{
    {"application/json", RowFormat::kJson},
    {"application/x-ndjson", RowFormat::kNdjson},
    {"text/csv", RowFormat::kCsv},
    {"application/vnd.apache.arrow.stream", RowFormat::kArrow},
    {"application/vnd.apache.parquet", RowFormat::kParquet},
    {"application/ndjson", RowFormat::kNdjson},
    {"application/jsonl", RowFormat::kNdjson},
    {"application/jsonlines", RowFormat::kNdjson},
    {"application/x-jsonlines", RowFormat::kNdjson},
    {"application/csv", RowFormat::kCsv},
    {"application/x-parquet", RowFormat::kParquet},
    {"application/parquet", RowFormat::kParquet},
    {"text/json", RowFormat::kJson},
}};

struct ShortName {
  std::string_view name;
  RowFormat format;
};
constexpr std::array<ShortName, 5> kShortNames{{
    {"json", RowFormat::kJson},
    {"ndjson", RowFormat::kNdjson},
    {"csv", RowFormat::kCsv},
    {"arrow", RowFormat::kArrow},
    {"parquet", RowFormat::kParquet},
}};

constexpr std::string_view kKnown =
    "application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream and "
    "application/vnd.apache.parquet";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// Takes the part before the next `separator` outside quotes off the front of `rest`.
std::string_view TakePart(std::string_view& rest, char separator) {
  bool is_quoted = false;
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    if (rest[end] == '"') is_quoted = !is_quoted;
    if (rest[end] == separator && !is_quoted) break;
  }
  const std::string_view part = Trimmed(rest.substr(0, end));
  rest = end == rest.size() ? std::string_view{} : rest.substr(end + 1);
  return part;
}

double QualityOf(std::string_view range) {
  const auto text = HeaderParameter(range, "q");
  double quality = 1;
  if (text) std::from_chars(text->data(), text->data() + text->size(), quality);
  return quality;
}

const Spelling* Spelt(std::string_view type) {
  const auto* const found = std::ranges::find_if(
      kSpellings, [&](const Spelling& spelling) { return EqualInAnyCase(spelling.content_type, type); });
  return found == kSpellings.end() ? nullptr : found;
}

/// The format that a range of Accept stands for: "*/*" and "application/*" are JSON.
std::optional<RowFormat> FormatOfRange(std::string_view type) {
  if (type == "*/*" || EqualInAnyCase(type, "application/*")) return RowFormat::kJson;
  if (EqualInAnyCase(type, "text/*")) return RowFormat::kCsv;
  if (const Spelling* spelling = Spelt(type)) return spelling->format;
  return std::nullopt;
}

}  // namespace

bool EqualInAnyCase(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(one, other, [&](char a, char b) { return lower(a) == lower(b); });
}

std::string_view WithoutParameters(std::string_view value) {
  return TakePart(value, ';');
}

std::optional<std::string_view> HeaderParameter(std::string_view value, std::string_view name) {
  TakePart(value, ';');
  while (!value.empty()) {
    std::string_view parameter = TakePart(value, ';');
    if (!EqualInAnyCase(TakePart(parameter, '='), name)) continue;
    parameter = Trimmed(parameter);
    if (parameter.size() >= 2 && parameter.front() == '"' && parameter.back() == '"')
      parameter = parameter.substr(1, parameter.size() - 2);
    return parameter;
  }
  return std::nullopt;
}

std::string_view ContentTypeOf(RowFormat format) {
  return std::ranges::find(kSpellings, format, &Spelling::format)->content_type;
}

Result<RowFormat> FormatOfContentType(std::string_view content_type) {
  const std::string_view type = WithoutParameters(content_type);
  if (type.empty()) return RowFormat::kJson;
  if (const Spelling* spelling = Spelt(type)) return spelling->format;
  return std::unexpected(Error{.code = ErrorCode::kUnsupported,
                               .message = fmt::format("rows do not come as {}: send {}", type, kKnown),
                               .context = "Content-Type"});
}

Result<RowFormat> FormatOfName(std::string_view name) {
  for (const ShortName& known : kShortNames) {
    if (known.name == name) return known.format;
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("format is '{}', and not one of json, ndjson, csv, arrow and parquet", name));
}

Result<RowFormat> WantedFormat(const http::Request& request) {
  if (const auto name = request.Query("format")) return FormatOfName(*name);
  const std::string_view accept = request.Header("accept").value_or("");
  if (Trimmed(accept).empty()) return RowFormat::kJson;
  std::optional<RowFormat> best;
  double best_quality = 0;
  for (std::string_view rest = accept; !rest.empty();) {
    const std::string_view range = TakePart(rest, ',');
    const auto format = FormatOfRange(WithoutParameters(range));
    const double quality = QualityOf(range);
    if (!format || quality <= best_quality) continue;
    best = format;
    best_quality = quality;
  }
  if (best) return *best;
  return Fail(ErrorCode::kUnsupported,
              fmt::format("no answer comes as {}: accept one of {}", accept, kKnown));
}

}  // namespace tidemark::server
