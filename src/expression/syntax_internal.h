// The tree that an expression's text is read as, before anything is known of types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::expression_internal {

enum class TokenKind : std::uint8_t {
  kEnd,
  kWord,    // a bare name or keyword; `text` as written
  kQuoted,  // a name in double quotes, without them
  kText,    // a text in single quotes, without them
  kNumber,  // digits, with a point or an exponent or neither
  kSymbol,  // an operator or a bracket
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::size_t at = 0;  // byte of the expression
};

/// All tokens, kEnd last. Comments (`-- to the line's end`, `/* */`) are left out.
Result<std::vector<Token>> Tokenize(std::string_view text);

enum class SyntaxKind : std::uint8_t {
  kNull,
  kBool,       // text "true" or "false"
  kNumber,     // text as written
  kText,       // text without its quotes
  kTypedText,  // `date '2020-01-01'`: type_name, text
  kInterval,   // text "3 days", or the unit in `type_name` and the number in args[0] or `text`
  kColumn,     // path: a, or t.a, or a.member
  kCall,       // text: the function or operator, in lower case
  kCase,       // args: when, then, when, then, ..., else
  kCast,       // args[0] as type_name
  kTryCast,
};

struct Syntax {
  SyntaxKind kind = SyntaxKind::kNull;
  std::size_t at = 0;
  std::string text = {};
  std::string type_name = {};
  std::vector<std::string> path = {};
  std::vector<Syntax> args = {};
};

/// Reads a whole expression. Operators become calls: "+", "=", "and", "is null", "[]", ...
Result<Syntax> ParseExpression(std::string_view text);

/// An error at a byte of the expression: the message says the character, and shows the line with a mark
/// below.
std::unexpected<Error> FailAt(ErrorCode code, std::string_view text, std::size_t at,
                              std::string_view problem);

/// Characters up to the byte `at`, counted from 1.
std::size_t CharacterAt(std::string_view text, std::size_t at);

}  // namespace tidemark::expression_internal
