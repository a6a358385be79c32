// One pass over the text, with a stack of its own: depth costs memory of the heap, and never of the stack.
#include "rows/json_place.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <system_error>
#include <vector>

namespace tidemark::json {
namespace {

constexpr std::size_t kShownKeyBytesMax = 64;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

/// What a number's text is, from `at` on; `end` stays where it is if there is none.
struct NumberText {
  std::size_t end = 0;
  bool is_number = false;
  bool is_integer = false;
};
NumberText ReadNumber(std::string_view text, std::size_t at) {
  const auto digits = [&](std::size_t from) {
    while (from < text.size() && IsDigit(text[from]))
      ++from;
    return from;
  };
  NumberText number{.end = at};
  std::size_t i = at < text.size() && text[at] == '-' ? at + 1 : at;
  const std::size_t whole = digits(i);
  if (whole == i || (text[i] == '0' && whole > i + 1)) return number;
  number = {.end = whole, .is_number = true, .is_integer = true};
  i = whole;
  if (i < text.size() && text[i] == '.') {
    const std::size_t fraction = digits(i + 1);
    number = {.end = fraction, .is_number = fraction > i + 1};
    i = fraction;
  }
  if (number.is_number && i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    const std::size_t exponent = digits(i);
    number = {.end = exponent, .is_number = exponent > i};
  }
  return number;
}

/// Whether a number is not beyond the largest double. One that is smaller than the smallest is zero.
bool FitsInDouble(std::string_view number) {
  double value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc{}) return true;
  if (number.starts_with('-')) number.remove_prefix(1);
  const std::size_t exponent = number.find_first_of("eE");
  if (exponent != std::string_view::npos) return number.substr(exponent + 1).starts_with('-');
  return number.starts_with('0');
}

/// How long the character of UTF-8 at the front of `text` is; 0 if it is none.
std::size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto is_continued = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first < 0xE0U) return is_continued(1) ? 2 : 0;
  if (first >= 0xE0U && first < 0xF0U) {
    if (!is_continued(1) || !is_continued(2)) return 0;
    const bool is_short = first == 0xE0U && byte(1) < 0xA0U;
    const bool is_surrogate = first == 0xEDU && byte(1) >= 0xA0U;
    return is_short || is_surrogate ? 0 : 3;
  }
  if (first >= 0xF0U && first < 0xF5U) {
    if (!is_continued(1) || !is_continued(2) || !is_continued(3)) return 0;
    const bool is_short = first == 0xF0U && byte(1) < 0x90U;
    const bool is_beyond = first == 0xF4U && byte(1) >= 0x90U;
    return is_short || is_beyond ? 0 : 4;
  }
  return 0;
}

/// The value of four hexadecimal digits at the front of `text`, or -1.
int FourDigits(std::string_view text) {
  if (text.size() < 4) return -1;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
  return error == std::errc{} && end == text.data() + 4 ? static_cast<int>(value) : -1;
}

/// How long the escape at the front of `text` is; 0 if it is none. Surrogates come in pairs.
std::size_t EscapeBytes(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] != 'u') return std::string_view("\"\\/bfnrt").contains(text[1]) ? 2 : 0;
  const int unit = FourDigits(text.substr(2));
  if (unit < 0) return 0;
  if (unit < 0xD800 || unit > 0xDFFF) return 6;
  if (unit > 0xDBFF || text.size() < 12 || text.substr(6, 2) != "\\u") return 0;
  const int low = FourDigits(text.substr(8));
  return low >= 0xDC00 && low <= 0xDFFF ? 12 : 0;
}

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

  /// False at the first problem, which `at` and `Pointer` are of.
  bool Run() {
    do {
      if (!Value()) return false;
      if (!AfterValue()) return false;
    } while (!levels_.empty());
    return at_ == text_.size();
  }
  std::size_t at() const { return at_; }
  std::string Pointer() const {
    std::string pointer;
    for (const Level& level : levels_) {
      pointer.push_back('/');
      if (!level.is_object) {
        pointer.append(std::to_string(level.index));
        continue;
      }
      for (const char c : level.key.substr(0, kShownKeyBytesMax)) {
        if (c == '~' || c == '/') pointer.append(c == '~' ? "~0" : "~1");
        if (c != '~' && c != '/') pointer.push_back(c);
      }
    }
    return pointer;
  }
  /// Ends of integers that do not fit in 64 bits.
  const std::vector<std::size_t>& large_integers() const { return large_integers_; }

 private:
  struct Level {
    bool is_object = false;
    std::size_t index = 0;      // of the array's item
    std::string_view key = {};  // of the object's member, as it is written
  };

  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_]))
      ++at_;
  }
  bool Next(char c) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  /// Reads a value; of a container that is not empty, what is in front of its first value.
  bool Value() {
    while (true) {
      SkipSpace();
      if (at_ == text_.size()) return false;
      const char c = text_[at_];
      if (c != '{' && c != '[') return Scalar(c);
      if (levels_.size() == depth_max_) return false;
      ++at_;
      if (Next(c == '{' ? '}' : ']')) return true;
      levels_.push_back({.is_object = c == '{'});
      if (c == '{' && !Key()) return false;
    }
  }

  bool Key() {
    SkipSpace();
    levels_.back().key = {};
    const std::size_t begin = at_ + 1;
    if (at_ == text_.size() || text_[at_] != '"' || !Text()) return false;
    levels_.back().key = text_.substr(begin, at_ - begin - 1);
    return Next(':');
  }

  bool Scalar(char c) {
    if (c == '"') return Text();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return true;
    }
    const NumberText number = ReadNumber(text_, at_);
    const std::string_view token = text_.substr(at_, number.end - at_);
    if (!number.is_number || !FitsInDouble(token)) return false;
    at_ = number.end;
    if (number.is_integer && IsLarge(token)) large_integers_.push_back(at_);
    return true;
  }

  static bool IsLarge(std::string_view token) {
    std::int64_t whole = 0;
    if (std::from_chars(token.data(), token.data() + token.size(), whole).ec == std::errc{}) return false;
    std::uint64_t natural = 0;
    return std::from_chars(token.data(), token.data() + token.size(), natural).ec != std::errc{};
  }

  bool Text() {
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != '"') {
      const auto c = static_cast<unsigned char>(text_[i]);
      const std::size_t bytes = c == '\\' ? EscapeBytes(text_.substr(i)) : CharacterBytes(text_.substr(i));
      if (c < 0x20U || bytes == 0) {
        at_ = i;
        return false;
      }
      i += bytes;
    }
    if (i >= text_.size()) return false;  // it began at at_, and does not end
    at_ = i + 1;
    return true;
  }

  /// Closes what ends here, and reads up to the next value.
  bool AfterValue() {
    SkipSpace();
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (Next(',')) {
        ++level.index;
        return !level.is_object || Key();
      }
      if (!Next(level.is_object ? '}' : ']')) return false;
      levels_.pop_back();
      SkipSpace();
    }
    return true;
  }

  const std::string_view text_;
  const std::size_t depth_max_;
  std::size_t at_ = 0;
  std::vector<Level> levels_;
  std::vector<std::size_t> large_integers_;
};

}  // namespace

std::string ProblemPlace::Told() const {
  return pointer.empty() ? fmt::format("at byte {}", byte) : fmt::format("at byte {}, in {}", byte, pointer);
}

std::optional<ProblemPlace> FindProblem(std::string_view text, std::size_t depth_max) {
  Scanner scanner(text, depth_max);
  if (scanner.Run()) return std::nullopt;
  return ProblemPlace{.byte = scanner.at(), .pointer = scanner.Pointer()};
}

std::optional<std::string> WithLargeIntegersAsFloats(std::string_view text) {
  Scanner scanner(text, text.size() + 1);
  if (!scanner.Run() || scanner.large_integers().empty()) return std::nullopt;
  std::string changed;
  changed.reserve(text.size() + 2 * scanner.large_integers().size());
  std::size_t begin = 0;
  for (const std::size_t end : scanner.large_integers()) {
    changed.append(text.substr(begin, end - begin)).append("e0");
    begin = end;
  }
  return changed.append(text.substr(begin));
}

}  // namespace tidemark::json
