// Checks names, shows them safely in messages, and finds the one that was probably meant.
#include "model/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace tidemark {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kQuotedBytesMax = 512;

constexpr std::array<std::string_view, 5> kSystemColumns{"write_time", "api_invocation_time", "is_deleted",
                                                         "expires_at", "origin"};

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

// The first code point of `text`, which is not empty. Overlong forms and surrogates are not UTF-8.
CodePoint Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  std::uint32_t value = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3F);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kLeast[bytes] || value > 0x10FFFF || surrogate) return {};
  return {value, bytes};
}

// A terminal or a log would act on these, or show nothing or the wrong order: controls, zero-width and
// direction marks, line separators, byte-order mark.
bool IsHidden(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0xAD ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

// The character at the front of `text` with its number, since many look like another.
std::string ShowCharacter(std::string_view text) {
  const CodePoint code = Decode(text);
  if (code.bytes == 0)
    return fmt::format("byte 0x{:02X}, which is not UTF-8", static_cast<unsigned char>(text[0]));
  if (code.value == ' ') return "a space";
  if (IsHidden(code.value)) return fmt::format("U+{:04X}", code.value);
  if (code.bytes == 1) return fmt::format("'{}'", text[0]);
  return fmt::format("'{}' (U+{:04X})", text.substr(0, code.bytes), code.value);
}

// Edits (insert, remove, replace, swap neighbours) that turn `a` into `b`.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

Result<void> CheckName(std::string_view what, std::string_view name) {
  const auto wrong = [&](std::string_view problem) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} name {} {}", what, Quoted(name), problem));
  };
  constexpr std::string_view kRule = "a name has letters, digits, '_' and '-' of ASCII only";
  if (name.empty()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("a {} name is empty; {}", what, kRule));
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (IsNameCharacter(name[i])) continue;
    return wrong(fmt::format("has {} at byte {}; {}", ShowCharacter(name.substr(i)), i + 1, kRule));
  }
  if (name.front() == '-') return wrong("starts with '-'; start it with a letter, a digit or '_'");
  if (name.starts_with("__")) return wrong("starts with two underscores; such names are Tidemark's own");
  if (name.size() > kNameBytesMax) {
    return wrong(fmt::format("has {} characters; at most {} are allowed", name.size(), kNameBytesMax));
  }
  return {};
}

Result<void> CheckFieldName(std::string_view name) {
  TM_TRY(CheckName("field", name));
  if (std::ranges::find(kSystemColumns, FoldName(name)) == kSystemColumns.end()) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("field name {} is that of a system column; give the field another name", Quoted(name)));
}

Result<void> CheckFieldMapping(const std::map<std::string, std::string>& mapping) {
  std::map<std::string, std::string> taken;  // names, case folded, each with what has it
  for (const auto& [column, name] : mapping) {
    if (column.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("field_mapping maps a column without a name to {}", Quoted(name)));
    }
    TM_TRY_IN(CheckName("field", name), fmt::format("field_mapping of column {}", Quoted(column)));
    const std::string what = fmt::format("column {} mapped to {}", Quoted(column), Quoted(name));
    const auto [at, added] = taken.try_emplace(FoldName(name), what);
    if (added) continue;
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("field_mapping: {} and {} have one name (names that differ only in case are the "
                            "same)",
                            at->second, what));
  }
  return {};
}

std::string FoldName(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::string Quoted(std::string_view text) {
  std::string out = "'";
  std::size_t at = 0;
  while (at < text.size()) {
    if (at >= kQuotedBytesMax) {
      out += "...";
      break;
    }
    const CodePoint code = Decode(text.substr(at));
    if (code.bytes == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(text[at]));
    } else if (code.value == '\n') {
      out += "\\n";
    } else if (code.value == '\t') {
      out += "\\t";
    } else if (code.value == '\'' || code.value == '\\') {
      out += '\\';
      out += text[at];
    } else if (IsHidden(code.value)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:04X}}}", code.value);
    } else {
      out += text.substr(at, code.bytes);
    }
    at += std::max<std::size_t>(code.bytes, 1);
  }
  return out + '\'';
}

std::string Suggest(std::string_view wanted, const std::vector<std::string>& known) {
  if (wanted.size() > kNameBytesMax) return {};
  const std::string folded = FoldName(wanted);
  // One edit is forgiven in a short name and one in three characters of a longer one; what has nothing in
  // common with the name is no suggestion.
  std::size_t least = std::max<std::size_t>(folded.size() / 3, 1) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& name : known) {
    const std::size_t apart =
        name.size() > folded.size() ? name.size() - folded.size() : folded.size() - name.size();
    if (apart >= least) continue;
    const std::size_t distance = EditDistance(folded, FoldName(name));
    if (distance >= least || distance >= std::max<std::size_t>(folded.size(), 1)) continue;
    least = distance;
    nearest = &name;
  }
  return nearest == nullptr ? std::string() : fmt::format(" (did you mean '{}'?)", *nearest);
}

}  // namespace tidemark
