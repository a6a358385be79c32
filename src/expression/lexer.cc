// Text to tokens, and errors that point into a text.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "expression/syntax_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

constexpr std::array<std::string_view, 9> kLongSymbols{"::", "<=", ">=", "<>", "!=", "||", "//", "**", "=="};
constexpr std::string_view kShortSymbols = "+-*/%^<>=()[],.";

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigitCharacter(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> All() {
    std::vector<Token> tokens;
    while (true) {
      TM_TRY(SkipSpace());
      TM_ASSIGN(Token token, Next());
      tokens.push_back(std::move(token));
      if (tokens.back().kind == TokenKind::kEnd) return tokens;
    }
  }

 private:
  bool Is(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  Result<void> SkipSpace() {
    while (at_ < text_.size()) {
      if (std::string_view(" \t\r\n").contains(text_[at_])) {
        ++at_;
      } else if (Is("--")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (Is("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) {
          return FailAt(ErrorCode::kInvalidArgument, text_, at_, "this comment has no end");
        }
        at_ = end + 2;
      } else {
        break;
      }
    }
    return {};
  }

  Result<Token> Next() {
    const std::size_t start = at_;
    if (at_ == text_.size()) return Token{TokenKind::kEnd, "", at_};
    const char c = text_[at_];
    if (IsNameStart(c)) {
      while (at_ < text_.size() && (IsNameStart(text_[at_]) || IsDigitCharacter(text_[at_])))
        ++at_;
      return Token{TokenKind::kWord, std::string(text_.substr(start, at_ - start)), start};
    }
    if (c == '"') return InQuotes('"', TokenKind::kQuoted, "this name in quotes has no end");
    if (c == '\'') return InQuotes('\'', TokenKind::kText, "this text has no end");
    const bool is_fraction = c == '.' && at_ + 1 < text_.size() && IsDigitCharacter(text_[at_ + 1]);
    if (IsDigitCharacter(c) || is_fraction) return Number();
    for (const std::string_view symbol : kLongSymbols) {
      if (!Is(symbol)) continue;
      at_ += symbol.size();
      return Token{TokenKind::kSymbol, std::string(symbol), start};
    }
    if (!kShortSymbols.contains(c)) {
      return FailAt(ErrorCode::kInvalidArgument, text_, at_,
                    fmt::format("{} is not part of an expression", Quoted(text_.substr(at_, 1))));
    }
    ++at_;
    return Token{TokenKind::kSymbol, std::string(1, c), start};
  }

  // The quote itself is written twice.
  Result<Token> InQuotes(char quote, TokenKind kind, std::string_view problem) {
    const std::size_t start = at_++;
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != quote) {
        out += c;
      } else if (at_ < text_.size() && text_[at_] == quote) {
        out += c;
        ++at_;
      } else {
        return Token{kind, std::move(out), start};
      }
    }
    return FailAt(ErrorCode::kInvalidArgument, text_, start, problem);
  }

  void Digits() {
    while (at_ < text_.size() && IsDigitCharacter(text_[at_]))
      ++at_;
  }

  Result<Token> Number() {
    const std::size_t start = at_;
    Digits();
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      Digits();
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (at_ == text_.size() || !IsDigitCharacter(text_[at_])) {
        return FailAt(ErrorCode::kInvalidArgument, text_, start, "the exponent of this number has no digits");
      }
      Digits();
    }
    if (at_ < text_.size() && IsNameStart(text_[at_])) {
      return FailAt(ErrorCode::kInvalidArgument, text_, at_, "a number goes on with a letter");
    }
    return Token{TokenKind::kNumber, std::string(text_.substr(start, at_ - start)), start};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

std::size_t CharacterAt(std::string_view text, std::size_t at) {
  std::size_t characters = 1;
  for (std::size_t i = 0; i < std::min(at, text.size()); ++i)
    characters += IsContinuation(text[i]) ? 0 : 1;
  return characters;
}

std::unexpected<Error> FailAt(ErrorCode code, std::string_view text, std::size_t at,
                              std::string_view problem) {
  constexpr std::size_t kAround = 60;
  at = std::min(at, text.size());
  // The line that holds the place, or the part of it around.
  std::size_t begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  std::size_t end = std::min(text.find('\n', at), text.size());
  if (at - begin > kAround) begin = at - kAround;
  if (end - at > kAround) end = at + kAround;
  while (begin < at && IsContinuation(text[begin]))
    ++begin;
  while (end > at && end < text.size() && IsContinuation(text[end]))
    --end;
  std::string line(text.substr(begin, end - begin));
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return Fail(code, fmt::format("{} (character {})\n  {}\n  {:>{}}", problem, CharacterAt(text, at), line,
                                "^", CharacterAt(text.substr(begin), at - begin)));
}

Result<std::vector<Token>> Tokenize(std::string_view text) {
  return Lexer(text).All();
}

}  // namespace tidemark::expression_internal
