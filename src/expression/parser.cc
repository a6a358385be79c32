// Tokens to a tree. Loosest first, as PostgreSQL and DuckDB bind them:
//
//   or | and | not | is ... | = <> < <= > >= | [not] between, in, like, ilike | || | + - | * / // % | ^ ** |
//   - + (signs) | [n] | :: | .member
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "expression/expression.h"
#include "expression/syntax_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

// Words that are part of the grammar, so never a column's name without quotes.
constexpr std::array<std::string_view, 18> kReserved{"and",   "or",   "not",   "is",      "null",     "true",
                                                     "false", "case", "when",  "then",    "else",     "end",
                                                     "in",    "like", "ilike", "between", "distinct", "from"};
bool IsReserved(std::string_view word) {
  return std::ranges::find(kReserved, word) != kReserved.end();
}

constexpr std::size_t kListMax = 1000;
constexpr int kNodesMax = 20'000;
constexpr int kChainedMax = 4'000;

int CountNodes(const Syntax& node) {
  int count = 1;
  for (const Syntax& arg : node.args)
    count += CountNodes(arg);
  return count;
}

Syntax CallOf(std::size_t at, std::string name, std::vector<Syntax> args) {
  return {.kind = SyntaxKind::kCall, .at = at, .text = std::move(name), .args = std::move(args)};
}

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::vector<Token> tokens)
      : text_(text), tokens_(std::move(tokens)) {}

  Result<Syntax> Whole() {
    if (Peek().kind == TokenKind::kEnd) return Wrong("the expression is empty");
    TM_ASSIGN(Syntax whole, Any());
    if (Peek().kind != TokenKind::kEnd) return Wrong(fmt::format("did not expect {} here", Shown()));
    return whole;
  }

 private:
  const Token& Peek(std::size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  std::size_t At() const { return Peek().at; }
  std::string Shown() const {
    return Peek().kind == TokenKind::kEnd ? "the end of the expression" : Quoted(Peek().text);
  }
  std::unexpected<Error> Wrong(std::string_view problem) const {
    return FailAt(ErrorCode::kInvalidArgument, text_, At(), problem);
  }

  bool IsSymbol(std::string_view symbol) const {
    return Peek().kind == TokenKind::kSymbol && Peek().text == symbol;
  }
  bool IsWord(std::string_view word, std::size_t ahead = 0) const {
    return Peek(ahead).kind == TokenKind::kWord && FoldName(Peek(ahead).text) == word;
  }
  bool TakeSymbol(std::string_view symbol) {
    if (!IsSymbol(symbol)) return false;
    ++next_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    if (!IsWord(word)) return false;
    ++next_;
    return true;
  }
  Result<void> ExpectSymbol(std::string_view symbol) {
    if (TakeSymbol(symbol)) return {};
    return Wrong(fmt::format("expected '{}' but found {}", symbol, Shown()));
  }
  Result<void> ExpectWord(std::string_view word) {
    if (TakeWord(word)) return {};
    return Wrong(fmt::format("expected {} but found {}", word, Shown()));
  }

  Result<Syntax> Any() {
    if (++depth_ > kExpressionDepthMax) {
      return Wrong(fmt::format("the expression nests more than {} deep", kExpressionDepthMax));
    }
    auto found = Or();
    --depth_;
    return found;
  }

  Result<Syntax> Or() {
    TM_ASSIGN(Syntax first, And());
    if (!IsWord("or")) return first;
    Syntax all = CallOf(At(), "or", {});
    all.args.push_back(std::move(first));
    while (TakeWord("or")) {
      TM_ASSIGN(Syntax next, And());
      all.args.push_back(std::move(next));
    }
    return all;
  }

  Result<Syntax> And() {
    TM_ASSIGN(Syntax first, Not());
    if (!IsWord("and")) return first;
    Syntax all = CallOf(At(), "and", {});
    all.args.push_back(std::move(first));
    while (TakeWord("and")) {
      TM_ASSIGN(Syntax next, Not());
      all.args.push_back(std::move(next));
    }
    return all;
  }

  Result<Syntax> Not() {
    std::vector<std::size_t> places;
    while (IsWord("not")) {
      places.push_back(At());
      ++next_;
    }
    TM_ASSIGN(Syntax inner, Is());
    // Two that follow each other undo themselves, but for the check that what they negate is a bool.
    if (places.size() > 2) places.resize(places.size() % 2 == 0 ? 2 : 1);
    for (auto at = places.rbegin(); at != places.rend(); ++at)
      inner = Unary(*at, "not", std::move(inner));
    return inner;
  }

  static Syntax Unary(std::size_t at, std::string name, Syntax inner) {
    std::vector<Syntax> args;
    args.push_back(std::move(inner));
    return CallOf(at, std::move(name), std::move(args));
  }
  static Syntax Binary(std::size_t at, std::string name, Syntax left, Syntax right) {
    std::vector<Syntax> args;
    args.push_back(std::move(left));
    args.push_back(std::move(right));
    return CallOf(at, std::move(name), std::move(args));
  }

  Result<Syntax> Is() {
    TM_ASSIGN(Syntax left, Comparison());
    while (IsWord("is")) {
      const std::size_t at = At();
      ++next_;
      const bool negated = TakeWord("not");
      if (TakeWord("null")) {
        left = Unary(at, negated ? "is not null" : "is null", std::move(left));
      } else if (TakeWord("true")) {
        left = Binary(at, negated ? "is distinct" : "is not distinct", std::move(left),
                      {.kind = SyntaxKind::kBool, .at = at, .text = "true"});
      } else if (TakeWord("false")) {
        left = Binary(at, negated ? "is distinct" : "is not distinct", std::move(left),
                      {.kind = SyntaxKind::kBool, .at = at, .text = "false"});
      } else if (TakeWord("distinct")) {
        TM_TRY(ExpectWord("from"));
        TM_ASSIGN(Syntax right, Comparison());
        left = Binary(at, negated ? "is not distinct" : "is distinct", std::move(left), std::move(right));
      } else {
        return Wrong(fmt::format("expected null, true, false or distinct from, but found {}", Shown()));
      }
    }
    return left;
  }

  Result<Syntax> Comparison() {
    TM_ASSIGN(Syntax left, Range());
    for (const std::string_view symbol : {"=", "==", "<>", "!=", "<=", ">=", "<", ">"}) {
      if (!IsSymbol(symbol)) continue;
      const std::size_t at = At();
      ++next_;
      TM_ASSIGN(Syntax right, Range());
      const std::string name = symbol == "==" ? "=" : symbol == "!=" ? "<>" : std::string(symbol);
      return Binary(at, name, std::move(left), std::move(right));
    }
    return left;
  }

  // BETWEEN, IN and LIKE are said by simpler calls.
  Result<Syntax> Range() {
    TM_ASSIGN(Syntax left, Concatenation());
    const std::size_t at = At();
    const bool negated =
        IsWord("not") && (IsWord("between", 1) || IsWord("in", 1) || IsWord("like", 1) || IsWord("ilike", 1));
    if (negated) ++next_;
    Syntax found;
    if (TakeWord("between")) {
      TM_ASSIGN(Syntax low, Concatenation());
      TM_TRY(ExpectWord("and"));
      TM_ASSIGN(Syntax high, Concatenation());
      TM_TRY(Repeatable(left, 2));
      Syntax above = Binary(at, ">=", left, std::move(low));
      found = Binary(at, "and", std::move(above), Binary(at, "<=", std::move(left), std::move(high)));
    } else if (TakeWord("in")) {
      TM_ASSIGN(found, In(at, left));
    } else if (IsWord("like") || IsWord("ilike")) {
      std::string name = FoldName(Peek().text);
      ++next_;
      TM_ASSIGN(Syntax pattern, Concatenation());
      found = Binary(at, std::move(name), std::move(left), std::move(pattern));
    } else {
      return left;
    }
    return negated ? Unary(at, "not", std::move(found)) : std::move(found);
  }

  // What is written once and evaluated several times stays within a bound.
  Result<void> Repeatable(const Syntax& node, std::size_t times) {
    repeated_ += CountNodes(node) * static_cast<int>(times);
    if (repeated_ > kNodesMax) return Wrong("the expression is too large: compute parts of it as fields");
    return {};
  }

  Result<Syntax> In(std::size_t at, const Syntax& left) {
    TM_TRY(ExpectSymbol("("));
    TM_ASSIGN(std::vector<Syntax> values, List(")"));
    if (values.empty()) return Wrong("the list of IN is empty");
    TM_TRY(Repeatable(left, values.size()));
    Syntax any = CallOf(at, "or", {});
    for (Syntax& value : values)
      any.args.push_back(Binary(at, "=", left, std::move(value)));
    if (any.args.size() == 1) return std::move(any.args.front());
    return any;
  }

  // Values up to the closing symbol, which is taken.
  Result<std::vector<Syntax>> List(std::string_view close) {
    std::vector<Syntax> values;
    if (TakeSymbol(close)) return values;
    do {
      if (values.size() == kListMax) return Wrong(fmt::format("a list has at most {} values", kListMax));
      TM_ASSIGN(Syntax value, Any());
      values.push_back(std::move(value));
    } while (TakeSymbol(","));
    TM_TRY(ExpectSymbol(close));
    return values;
  }

  using Level = Result<Syntax> (ExpressionParser::*)();

  Result<Syntax> LeftToRight(std::initializer_list<std::string_view> symbols, Level tighter) {
    TM_ASSIGN(Syntax left, (this->*tighter)());
    while (Peek().kind == TokenKind::kSymbol && std::ranges::find(symbols, Peek().text) != symbols.end()) {
      if (++chained_ > kChainedMax) return Wrong("too many operators: compute parts of it as fields");
      const std::size_t at = At();
      const std::string name = Peek().text == "**" ? "^" : Peek().text;
      ++next_;
      TM_ASSIGN(Syntax right, (this->*tighter)());
      left = Binary(at, name, std::move(left), std::move(right));
    }
    return left;
  }

  Result<Syntax> Concatenation() { return LeftToRight({"||"}, &ExpressionParser::Sum); }
  Result<Syntax> Sum() { return LeftToRight({"+", "-"}, &ExpressionParser::Product); }
  Result<Syntax> Product() { return LeftToRight({"*", "/", "//", "%"}, &ExpressionParser::Power); }
  Result<Syntax> Power() { return LeftToRight({"^", "**"}, &ExpressionParser::Signed); }

  Result<Syntax> Signed() {
    const std::size_t at = At();
    if (!IsSymbol("-") && !IsSymbol("+")) return Postfix();
    if (++depth_ > kExpressionDepthMax) return Wrong("too many signs in a row");
    const bool minus = IsSymbol("-");
    ++next_;
    auto inner = Signed();
    --depth_;
    if (!inner || !minus) return inner;
    if (inner->kind == SyntaxKind::kNumber && !inner->text.starts_with('-')) {
      inner->text.insert(0, "-");
      inner->at = at;
      return inner;
    }
    return Unary(at, "negate", *std::move(inner));
  }

  Result<Syntax> Postfix() {
    TM_ASSIGN(Syntax left, Primary());
    while (true) {
      if (++chained_ > kChainedMax) return Wrong("too many operators: compute parts of it as fields");
      const std::size_t at = At();
      if (TakeSymbol("::")) {
        Syntax cast{.kind = SyntaxKind::kCast, .at = at};
        TM_ASSIGN(cast.type_name, TypeName());
        cast.args.push_back(std::move(left));
        left = std::move(cast);
      } else if (TakeSymbol("[")) {
        TM_ASSIGN(Syntax index, Any());
        TM_TRY(ExpectSymbol("]"));
        left = Binary(at, "[]", std::move(left), std::move(index));
      } else if (TakeSymbol(".")) {
        if (Peek().kind != TokenKind::kWord && Peek().kind != TokenKind::kQuoted) {
          return Wrong("expected the name of a member after '.'");
        }
        Syntax member{.kind = SyntaxKind::kText, .at = At(), .text = Peek().text};
        ++next_;
        left = Binary(at, "struct_extract", std::move(left), std::move(member));
      } else {
        return left;
      }
    }
  }

  Result<Syntax> Primary() {
    const Token& token = Peek();
    const std::size_t at = token.at;
    switch (token.kind) {
      case TokenKind::kNumber:
        ++next_;
        return Syntax{.kind = SyntaxKind::kNumber, .at = at, .text = token.text};
      case TokenKind::kText:
        ++next_;
        return Syntax{.kind = SyntaxKind::kText, .at = at, .text = token.text};
      case TokenKind::kQuoted:
        return Column();
      case TokenKind::kWord:
        return Word();
      default:
        break;
    }
    if (!TakeSymbol("(")) return Wrong(fmt::format("expected a value but found {}", Shown()));
    TM_ASSIGN(Syntax inner, Any());
    TM_TRY(ExpectSymbol(")"));
    return inner;
  }

  Result<Syntax> Word() {
    const std::size_t at = At();
    const std::string word = FoldName(Peek().text);
    if (word == "null" || word == "true" || word == "false") {
      ++next_;
      return Syntax{.kind = word == "null" ? SyntaxKind::kNull : SyntaxKind::kBool, .at = at, .text = word};
    }
    if (word == "case") return Case();
    if (IsReserved(word)) {
      return Wrong(fmt::format("expected a value but found {}; a column of that name stands in double quotes",
                               Shown()));
    }
    const Token& after = Peek(1);
    const bool is_call = after.kind == TokenKind::kSymbol && after.text == "(";
    if (is_call && (word == "cast" || word == "try_cast")) return Cast(word == "try_cast");
    if (is_call && word == "extract") return Extract();
    if (is_call) {
      next_ += 2;
      TM_ASSIGN(std::vector<Syntax> args, List(")"));
      return Call(at, word, std::move(args));
    }
    if (word == "current_timestamp") {
      ++next_;
      return CallOf(at, "now", {});
    }
    if ((word == "date" || word == "timestamp" || word == "timestamptz") && after.kind == TokenKind::kText) {
      ++next_;
      const std::string value = Peek().text;
      ++next_;
      return Syntax{.kind = SyntaxKind::kTypedText, .at = at, .text = value, .type_name = word};
    }
    if (word == "interval" && (after.kind == TokenKind::kText || after.kind == TokenKind::kNumber)) {
      return IntervalValue();
    }
    return Column();
  }

  // Two functions are a CASE by another name.
  Result<Syntax> Call(std::size_t at, const std::string& name, std::vector<Syntax> args) {
    Syntax found{.kind = SyntaxKind::kCase, .at = at};
    if (name == "if" && args.size() == 3) {
      found.args = std::move(args);
      return found;
    }
    if (name == "nullif" && args.size() == 2) {
      TM_TRY(Repeatable(args[0], 1));
      Syntax value = args[0];
      found.args.push_back(Binary(at, "=", std::move(args[0]), std::move(args[1])));
      found.args.push_back({.kind = SyntaxKind::kNull, .at = at});
      found.args.push_back(std::move(value));
      return found;
    }
    if (name == "nullif" || name == "if") {
      return FailAt(ErrorCode::kInvalidArgument, text_, at,
                    fmt::format("{} takes {} arguments, not {}", name, name == "if" ? 3 : 2, args.size()));
    }
    return CallOf(at, name, std::move(args));
  }

  // A name; what follows a point is a column of a table or a member of a struct, which the binder tells
  // apart.
  Result<Syntax> Column() {
    Syntax column{.kind = SyntaxKind::kColumn, .at = At()};
    column.path.push_back(Peek().text);
    ++next_;
    while (IsSymbol(".") && (Peek(1).kind == TokenKind::kWord || Peek(1).kind == TokenKind::kQuoted)) {
      column.path.push_back(Peek(1).text);
      next_ += 2;
    }
    return column;
  }

  Result<Syntax> IntervalValue() {
    Syntax interval{.kind = SyntaxKind::kInterval, .at = At()};
    ++next_;
    const bool is_number = Peek().kind == TokenKind::kNumber;
    interval.text = Peek().text;
    ++next_;
    // After a text the unit may stand in it; what else could follow is an operator or a word of the grammar.
    const bool has_unit = Peek().kind == TokenKind::kWord && !IsReserved(FoldName(Peek().text));
    if (has_unit) {
      interval.type_name = FoldName(Peek().text);
      ++next_;
    } else if (is_number) {
      return Wrong("expected a unit of the interval, such as day or hour");
    }
    return interval;
  }

  Result<Syntax> Case() {
    Syntax found{.kind = SyntaxKind::kCase, .at = At()};
    ++next_;
    std::optional<Syntax> operand;
    if (!IsWord("when")) {
      TM_ASSIGN(operand, Any());
    }
    while (IsWord("when")) {
      const std::size_t at = At();
      ++next_;
      TM_ASSIGN(Syntax when, Any());
      TM_TRY(ExpectWord("then"));
      TM_ASSIGN(Syntax then, Any());
      if (operand) {
        TM_TRY(Repeatable(*operand, 1));
        when = Binary(at, "=", *operand, std::move(when));
      }
      found.args.push_back(std::move(when));
      found.args.push_back(std::move(then));
    }
    if (found.args.empty()) return Wrong(fmt::format("expected when but found {}", Shown()));
    Syntax otherwise{.kind = SyntaxKind::kNull, .at = At()};
    if (TakeWord("else")) {
      TM_ASSIGN(otherwise, Any());
    }
    found.args.push_back(std::move(otherwise));
    TM_TRY(ExpectWord("end"));
    return found;
  }

  Result<Syntax> Cast(bool is_try) {
    Syntax cast{.kind = is_try ? SyntaxKind::kTryCast : SyntaxKind::kCast, .at = At()};
    next_ += 2;
    TM_ASSIGN(Syntax value, Any());
    TM_TRY(ExpectWord("as"));
    TM_ASSIGN(cast.type_name, TypeName());
    TM_TRY(ExpectSymbol(")"));
    cast.args.push_back(std::move(value));
    return cast;
  }

  Result<Syntax> Extract() {
    const std::size_t at = At();
    next_ += 2;
    if (Peek().kind != TokenKind::kWord && Peek().kind != TokenKind::kText) {
      return Wrong(fmt::format("expected a part of a time, such as year, but found {}", Shown()));
    }
    Syntax part{.kind = SyntaxKind::kText, .at = At(), .text = FoldName(Peek().text)};
    ++next_;
    TM_TRY(ExpectWord("from"));
    TM_ASSIGN(Syntax from, Any());
    TM_TRY(ExpectSymbol(")"));
    return Binary(at, "date_part", std::move(part), std::move(from));
  }

  // One word, or `double precision`, or `decimal(p, s)`, which the binder knows or not.
  /// decimal(10, 2), decimal(10): without places; decimal alone is decimal(18, 3).
  Result<std::string> DecimalName() {
    if (!TakeSymbol("(")) return "decimal(18, 3)";
    std::string digits = Peek().text;
    std::string places = "0";
    if (Peek().kind != TokenKind::kNumber) return Wrong("expected how many digits the decimal has");
    ++next_;
    if (TakeSymbol(",")) {
      if (Peek().kind != TokenKind::kNumber) return Wrong("expected how many places the decimal has");
      places = Peek().text;
      ++next_;
    }
    TM_TRY(ExpectSymbol(")"));
    return fmt::format("decimal({}, {})", digits, places);
  }

  Result<std::string> TypeName() {
    if (Peek().kind != TokenKind::kWord) return Wrong(fmt::format("expected a type but found {}", Shown()));
    std::string name = FoldName(Peek().text);
    ++next_;
    if (name == "double" && IsWord("precision")) ++next_;
    if (name == "decimal" || name == "numeric" || name == "dec") return DecimalName();
    if (IsSymbol("(") || IsSymbol("[")) {
      return Wrong(fmt::format("there is no cast to {} with what follows in brackets", Quoted(name)));
    }
    return name;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
  int chained_ = 0;  // each can make the tree one deeper
  int repeated_ = 0;
};

}  // namespace

Result<Syntax> ParseExpression(std::string_view text) {
  if (text.size() > kExpressionBytesMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("an expression has at most {} bytes, this one has {}", kExpressionBytesMax, text.size()));
  }
  TM_ASSIGN(std::vector<Token> tokens, Tokenize(text));
  return ExpressionParser(text, std::move(tokens)).Whole();
}

}  // namespace tidemark::expression_internal
