// Escapes by a table.
#include "server/json/json_text.h"

#include <simdjson.h>

#include <array>

#include "server/json/numbers.h"

namespace tidemark::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD in UTF-8
constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Whether a byte of valid UTF-8 must be escaped.
constexpr std::array<bool, 256> MakeEscaped() {
  std::array<bool, 256> escaped{};
  for (std::size_t i = 0; i < 0x20; ++i)
    escaped.at(i) = true;
  escaped.at('"') = escaped.at('\\') = true;
  return escaped;
}
constexpr std::array<bool, 256> kEscaped = MakeEscaped();

void AppendEscape(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHexDigits[byte >> 4U]);
      out.push_back(kHexDigits[byte & 15U]);
  }
}

void AppendValid(std::string& out, std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!kEscaped[byte]) continue;
    out.append(text, begin, i - begin);
    AppendEscape(out, byte);
    begin = i + 1;
  }
  out.append(text, begin);
}

/// How many bytes the character at the front of `text` has; 0 if it is not valid.
std::size_t ValidLength(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (simdjson::validate_utf8(text.data(), length)) return length;
  }
  return 0;
}

template <typename Number>
void Append(std::string& out, Number value) {
  std::array<char, kNumberBytesMax> bytes;
  out.append(bytes.data(), static_cast<std::size_t>(PutNumber(bytes.data(), value) - bytes.data()));
}

}  // namespace

void AppendText(std::string& out, std::string_view text) {
  out.push_back('"');
  if (simdjson::validate_utf8(text.data(), text.size())) {
    AppendValid(out, text);
  } else {
    while (!text.empty()) {
      const std::size_t length = ValidLength(text);
      if (length == 0) {
        out.append(kReplacement);
        text.remove_prefix(1);
      } else {
        AppendValid(out, text.substr(0, length));
        text.remove_prefix(length);
      }
    }
  }
  out.push_back('"');
}

void AppendNumber(std::string& out, std::int64_t value) {
  Append(out, value);
}

void AppendNumber(std::string& out, std::uint64_t value) {
  Append(out, value);
}

void AppendNumber(std::string& out, double value) {
  Append(out, value);
}

}  // namespace tidemark::json
