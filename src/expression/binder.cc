// Gives every node of an expression its type and its kernel.
#include "expression/binder_internal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "model/name.h"
#include "model/time.h"
#include "pit/columns.h"

namespace tidemark::expression_internal {
namespace {

struct SqlTypeName {
  std::string_view name;
  TypeKind kind;
};

// As DuckDB calls them, with Tidemark's own names where these do not mean something else there.
constexpr std::array kSqlTypes = std::to_array<SqlTypeName>({
    {"bool", TypeKind::kBool},
    {"boolean", TypeKind::kBool},
    {"logical", TypeKind::kBool},
    {"int", TypeKind::kInt32},
    {"integer", TypeKind::kInt32},
    {"int4", TypeKind::kInt32},
    {"int32", TypeKind::kInt32},
    {"signed", TypeKind::kInt32},
    {"bigint", TypeKind::kInt64},
    {"int8", TypeKind::kInt64},
    {"int64", TypeKind::kInt64},
    {"long", TypeKind::kInt64},
    {"float", TypeKind::kFloat32},
    {"float4", TypeKind::kFloat32},
    {"real", TypeKind::kFloat32},
    {"float32", TypeKind::kFloat32},
    {"double", TypeKind::kFloat64},
    {"float8", TypeKind::kFloat64},
    {"float64", TypeKind::kFloat64},
    {"varchar", TypeKind::kString},
    {"text", TypeKind::kString},
    {"string", TypeKind::kString},
    {"char", TypeKind::kString},
    {"blob", TypeKind::kBinary},
    {"bytea", TypeKind::kBinary},
    {"binary", TypeKind::kBinary},
    {"timestamp", TypeKind::kTimestamp},
    {"datetime", TypeKind::kTimestamp},
    {"timestamptz", TypeKind::kTimestamp},
    {"date", TypeKind::kDate},
});

std::vector<std::span<const Function>> AllFunctions() {
  return {ArithmeticFunctions(), MathFunctions(), LogicFunctions(),
          TextFunctions(),       TimeFunctions(), ListFunctions()};
}

const Function* FindFunction(std::string_view name) {
  for (const auto functions : AllFunctions()) {
    for (const Function& function : functions) {
      if (function.name == name) return &function;
    }
  }
  return nullptr;
}

NodePtr ConstantNode(const ValueType& type, std::size_t at) {
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::kConstant;
  node->type = type;
  node->at = at;
  return node;
}

// The constant that row 0 of an evaluated vector is.
Constant ConstantOf(const ValueType& type, const Vector& value) {
  Constant constant;
  constant.is_null = !value.is_valid(0);
  if (constant.is_null) return constant;
  switch (type.lane()) {
    case Lane::kBool:
      constant.number = value.as<std::uint8_t>()[0];
      break;
    case Lane::kInt32:
      constant.number = value.as<std::int32_t>()[0];
      break;
    case Lane::kInt64:
      constant.number = value.as<std::int64_t>()[0];
      break;
    case Lane::kFloat32:
      constant.real = static_cast<double>(value.as<float>()[0]);
      break;
    case Lane::kFloat64:
      constant.real = value.as<double>()[0];
      break;
    case Lane::kDecimal:
      constant.decimal = value.as<Decimal>()[0];
      break;
    case Lane::kText:
      constant.text = value.as<std::string_view>()[0];
      break;
    case Lane::kInterval:
      constant.interval = value.as<Interval>()[0];
      break;
    case Lane::kArray:
      break;
  }
  return constant;
}

class Binder {
 public:
  Binder(std::string_view text, std::span<const ExpressionColumn> columns) : text_(text), columns_(columns) {}

  Result<NodePtr> Bind(const Syntax& syntax) {
    switch (syntax.kind) {
      case SyntaxKind::kNull: {
        NodePtr node = ConstantNode({.kind = ValueType::Kind::kNull}, syntax.at);
        node->constant.is_null = true;
        return node;
      }
      case SyntaxKind::kBool: {
        NodePtr node = ConstantNode(Plain(TypeKind::kBool), syntax.at);
        node->constant.number = syntax.text == "true" ? 1 : 0;
        return node;
      }
      case SyntaxKind::kNumber:
        return Number(syntax);
      case SyntaxKind::kText:
        return Text(syntax);
      case SyntaxKind::kTypedText:
        return TypedText(syntax);
      case SyntaxKind::kInterval:
        return IntervalConstant(syntax);
      case SyntaxKind::kColumn:
        return Column(syntax);
      case SyntaxKind::kCall:
        return FunctionCall(syntax);
      case SyntaxKind::kCase:
        return Case(syntax);
      case SyntaxKind::kCast:
      case SyntaxKind::kTryCast:
        return Cast(syntax);
    }
    return Fail(ErrorCode::kInternal, "a kind of syntax that has no meaning");
  }

 private:
  std::unexpected<Error> Wrong(ErrorCode code, std::size_t at, std::string_view problem) const {
    return FailAt(code, text_, at, problem);
  }

  Result<NodePtr> Number(const Syntax& syntax) const {
    if (syntax.text.find_first_of(".eE") == std::string::npos) {
      std::int64_t value = 0;
      const auto [end, error] =
          std::from_chars(syntax.text.data(), syntax.text.data() + syntax.text.size(), value);
      if (error != std::errc{}) {
        return Wrong(ErrorCode::kInvalidArgument, syntax.at, "this number is beyond int64; write it as 1e19");
      }
      const bool is_narrow = value == static_cast<std::int32_t>(value);
      NodePtr node = ConstantNode(Plain(is_narrow ? TypeKind::kInt32 : TypeKind::kInt64), syntax.at);
      node->constant.number = value;
      node->literal = Literal::kInteger;
      return node;
    }
    NodePtr node = ConstantNode(Plain(TypeKind::kFloat64), syntax.at);
    node->constant.real = std::strtod(syntax.text.c_str(), nullptr);
    if (std::isinf(node->constant.real)) {
      return Wrong(ErrorCode::kInvalidArgument, syntax.at, "this number is beyond float64");
    }
    if (syntax.text.find_first_of("eE") == std::string::npos) {
      node->literal = Literal::kPoint;
      node->constant.text = syntax.text;
    }
    return node;
  }

  static Result<NodePtr> Text(const Syntax& syntax) {
    NodePtr node = ConstantNode(Plain(TypeKind::kString), syntax.at);
    node->constant.text = syntax.text;
    node->literal = Literal::kText;
    return node;
  }

  Result<NodePtr> TypedText(const Syntax& syntax) const {
    const bool is_date = syntax.type_name == "date";
    const auto us = ParseTimestampUs(syntax.text);
    if (!us) {
      return Wrong(ErrorCode::kInvalidArgument, syntax.at,
                   fmt::format("{} is no {}; write 2024-05-01 or 2024-05-01 12:00:00", Quoted(syntax.text),
                               syntax.type_name));
    }
    NodePtr node = ConstantNode(Plain(is_date ? TypeKind::kDate : TypeKind::kTimestamp), syntax.at);
    constexpr std::int64_t kDay = 86'400'000'000;
    node->constant.number = is_date ? (*us - ((*us % kDay) + kDay) % kDay) / kDay : *us;
    return node;
  }

  Result<NodePtr> IntervalConstant(const Syntax& syntax) const {
    NodePtr node = ConstantNode({.kind = ValueType::Kind::kInterval}, syntax.at);
    auto interval = ParseInterval(syntax.text, syntax.type_name);
    if (!interval) return Wrong(ErrorCode::kInvalidArgument, syntax.at, interval.error().message);
    node->constant.interval = *interval;
    return node;
  }

  // Exact names first, then those that differ in case only.
  template <typename Matches>
  Result<std::optional<std::size_t>> Find(const Syntax& syntax, const Matches& matches) const {
    for (const bool is_folded : {false, true}) {
      std::vector<std::size_t> found;
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (matches(columns_[i], is_folded)) found.push_back(i);
      }
      if (found.size() == 1) return found.front();
      if (found.size() > 1) {
        std::vector<std::string> names;
        for (const std::size_t i : found)
          names.push_back(columns_[i].table.empty() ? columns_[i].name
                                                    : columns_[i].table + "." + columns_[i].name);
        return Wrong(ErrorCode::kInvalidArgument, syntax.at,
                     fmt::format("{} may be any of {}: write which", Quoted(syntax.path.front()),
                                 fmt::join(names, ", ")));
      }
    }
    return std::nullopt;
  }

  static bool Same(std::string_view a, std::string_view b, bool is_folded) {
    return is_folded ? FoldName(a) == FoldName(b) : a == b;
  }

  Result<NodePtr> Column(const Syntax& syntax) const {
    std::size_t taken = 1;
    TM_ASSIGN(std::optional<std::size_t> found,
              Find(syntax, [&](const ExpressionColumn& column, bool folded) {
                return Same(column.name, syntax.path[0], folded);
              }));
    if (syntax.path.size() > 1) {
      TM_ASSIGN(const auto qualified, Find(syntax, [&](const ExpressionColumn& column, bool folded) {
                  return Same(column.table, syntax.path[0], folded) &&
                         Same(column.name, syntax.path[1], folded);
                }));
      if (qualified) {
        found = qualified;
        taken = 2;
      }
    }
    if (!found) return Wrong(ErrorCode::kNotFound, syntax.at, NoColumn(syntax));
    auto node = std::make_unique<Node>();
    node->kind = Node::Kind::kColumn;
    node->column = *found;
    node->at = syntax.at;
    node->type = {.type = columns_[*found].type};
    node->array_type = ToArrow(node->type.type);
    for (std::size_t i = taken; i < syntax.path.size(); ++i) {
      Arguments member{.text = text_, .name = "struct_extract", .at = syntax.at, .values = {}};
      member.values.push_back(std::move(node));
      TM_ASSIGN(NodePtr name, Text({.kind = SyntaxKind::kText, .at = syntax.at, .text = syntax.path[i]}));
      member.values.push_back(std::move(name));
      TM_ASSIGN(node, FindFunction("struct_extract")->bind(std::move(member)));
    }
    return node;
  }

  std::string NoColumn(const Syntax& syntax) const {
    std::vector<std::string> known;
    for (const ExpressionColumn& column : columns_) {
      known.push_back(column.name);
      if (!column.table.empty()) known.push_back(column.table + "." + column.name);
    }
    const std::string wanted = fmt::format("{}", fmt::join(syntax.path, "."));
    std::string message = fmt::format("there is no column {}{}", Quoted(wanted), Suggest(wanted, known));
    if (known.size() <= 12 && !known.empty())
      message += fmt::format("; there are {}", fmt::join(known, ", "));
    return message;
  }

  Result<NodePtr> FunctionCall(const Syntax& syntax) {
    const Function* function = FindFunction(syntax.text);
    if (function == nullptr) {
      std::vector<std::string> known;
      for (const auto functions : AllFunctions()) {
        for (const Function& one : functions)
          known.emplace_back(one.name);
      }
      return Wrong(
          ErrorCode::kNotFound, syntax.at,
          fmt::format("there is no function {}{}", Quoted(syntax.text), Suggest(syntax.text, known)));
    }
    if (syntax.args.size() < function->arguments_min || syntax.args.size() > function->arguments_max) {
      const std::string wanted =
          function->arguments_min == function->arguments_max
              ? fmt::format("{}", function->arguments_min)
              : (function->arguments_max == kManyArguments
                     ? fmt::format("at least {}", function->arguments_min)
                     : fmt::format("{} to {}", function->arguments_min, function->arguments_max));
      return Wrong(ErrorCode::kInvalidArgument, syntax.at,
                   fmt::format("{} takes {} argument{}, not {}", syntax.text, wanted,
                               wanted == "1" ? "" : "s", syntax.args.size()));
    }
    Arguments arguments{.text = text_, .name = function->name, .at = syntax.at, .values = {}};
    for (const Syntax& arg : syntax.args) {
      TM_ASSIGN(NodePtr value, Bind(arg));
      arguments.values.push_back(std::move(value));
    }
    TM_ASSIGN(NodePtr node, function->bind(std::move(arguments)));
    return Fold(std::move(node), text_);
  }

  Result<NodePtr> Case(const Syntax& syntax) {
    Arguments conditions{.text = text_, .name = "when", .at = syntax.at, .values = {}};
    Arguments values{.text = text_, .name = "case", .at = syntax.at, .values = {}};
    for (std::size_t i = 0; i < syntax.args.size(); ++i) {
      TM_ASSIGN(NodePtr value, Bind(syntax.args[i]));
      const bool is_condition = i % 2 == 0 && i + 1 < syntax.args.size();
      (is_condition ? conditions : values).values.push_back(std::move(value));
    }
    for (std::size_t i = 0; i < conditions.size(); ++i)
      TM_TRY(conditions.Become(i, Plain(TypeKind::kBool)));
    TM_ASSIGN(const ValueType type, values.Unify());
    std::vector<NodePtr> args;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i < conditions.size()) args.push_back(std::move(conditions.values[i]));
      args.push_back(std::move(values.values[i]));
    }
    values.values = std::move(args);
    NodePtr node = std::move(values).Make(type, nullptr, false);
    node->kind = Node::Kind::kCase;
    return Fold(std::move(node), text_);
  }

  Result<NodePtr> Cast(const Syntax& syntax) {
    TM_ASSIGN(NodePtr value, Bind(syntax.args[0]));
    const auto known = std::ranges::find(kSqlTypes, syntax.type_name, &SqlTypeName::name);
    std::optional<DataType> decimal;
    if (syntax.type_name.starts_with("decimal(")) {
      TM_ASSIGN(decimal, DataType::Parse(syntax.type_name));
    }
    if (known == kSqlTypes.end() && !decimal) {
      std::vector<std::string> names;
      for (const SqlTypeName& type : kSqlTypes)
        names.emplace_back(type.name);
      return Wrong(
          ErrorCode::kInvalidArgument, syntax.at,
          fmt::format("there is no cast to {}{}; there are bool, int, bigint, real, double, decimal(p, s), "
                      "varchar, blob, timestamp and date",
                      Quoted(syntax.type_name), Suggest(syntax.type_name, names)));
    }
    const ValueType to = decimal ? ValueType{.type = *decimal} : Plain(known->kind);
    if (value->type == to || value->type.is_null()) return CastTo(std::move(value), to, text_);
    const Kernel kernel = CastKernel(value->type, to, syntax.kind == SyntaxKind::kTryCast);
    if (kernel == nullptr) {
      return Wrong(ErrorCode::kTypeMismatch, syntax.at,
                   fmt::format("{} cannot be cast to {}", value->type.ToString(), to.ToString()));
    }
    Arguments one{.text = text_, .name = "cast", .at = syntax.at, .values = {}};
    one.values.push_back(std::move(value));
    return Fold(std::move(one).Make(to, kernel), text_);
  }

  std::string_view text_;
  std::span<const ExpressionColumn> columns_;
};

}  // namespace

ValueType Plain(TypeKind kind) {
  return {.type = {.kind = kind}};
}

std::string ValueType::ToString() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kInterval:
      return "interval";
    case Kind::kPlain:
      return type.ToString();
  }
  return "?";
}

Lane ValueType::lane() const {
  if (kind == Kind::kInterval) return Lane::kInterval;
  if (kind == Kind::kNull) return Lane::kBool;
  switch (type.kind) {
    case TypeKind::kBool:
      return Lane::kBool;
    case TypeKind::kInt32:
    case TypeKind::kDate:
      return Lane::kInt32;
    case TypeKind::kInt64:
    case TypeKind::kTimestamp:
      return Lane::kInt64;
    case TypeKind::kFloat32:
      return Lane::kFloat32;
    case TypeKind::kFloat64:
      return Lane::kFloat64;
    case TypeKind::kString:
    case TypeKind::kBinary:
      return Lane::kText;
    case TypeKind::kDecimal:
      return Lane::kDecimal;
    case TypeKind::kList:
    case TypeKind::kStruct:
    case TypeKind::kMap:
      return Lane::kArray;
  }
  return Lane::kArray;
}

std::unexpected<Error> Arguments::Wrong(std::size_t where, std::string_view problem) const {
  return FailAt(ErrorCode::kInvalidArgument, text, where, problem);
}

std::unexpected<Error> Arguments::Mismatch(std::size_t place, std::string_view wanted) const {
  return FailAt(ErrorCode::kTypeMismatch, text, values[place]->at,
                fmt::format("{} takes {}, not {}", name, wanted, type(place).ToString()));
}

namespace {

/// A number that stands in the expression, as a decimal. False for everything else.
Result<bool> BecomeDecimal(NodePtr& value, const ValueType& to) {
  if (value->literal != Literal::kPoint && value->literal != Literal::kInteger) return false;
  if (value->literal == Literal::kPoint) {
    const auto own = DecimalOfLiteral(*value);
    if (!own || own->scale > to.type.scale) return false;
  }
  const std::string digits =
      value->literal == Literal::kPoint ? value->constant.text : fmt::format("{}", value->constant.number);
  TM_ASSIGN(const Decimal decimal, DecimalFromText(digits, to.type));
  NodePtr node = ConstantNode(to, value->at);
  node->constant.decimal = decimal;
  value = std::move(node);
  return true;
}

}  // namespace

Result<void> Arguments::Become(std::size_t place, const ValueType& to) {
  NodePtr& value = values[place];
  if (value->type == to) return {};
  const bool is_time_text = value->literal == Literal::kText && to.is_time();
  const bool is_narrow_point = value->literal == Literal::kPoint && to.is(TypeKind::kFloat32);
  if (to.is(TypeKind::kDecimal)) {
    TM_ASSIGN(const bool has_become, BecomeDecimal(value, to));
    if (has_become) return {};
  }
  if (!Widens(value->type, to) && !is_time_text && !is_narrow_point) return Mismatch(place, to.ToString());
  if (is_time_text) {
    const auto us = ParseTimestampUs(value->constant.text);
    if (!us) {
      return Wrong(value->at, fmt::format("{} is no {}; write 2024-05-01 or 2024-05-01 12:00:00",
                                          Quoted(value->constant.text), to.ToString()));
    }
  }
  value = CastTo(std::move(value), to, text);
  return {};
}

Result<std::string> Arguments::ConstantText(std::size_t place, std::string_view what) const {
  const Node& value = *values[place];
  if (value.kind == Node::Kind::kConstant && value.type.is(TypeKind::kString) && !value.constant.is_null) {
    return value.constant.text;
  }
  return Wrong(value.at, fmt::format("{} needs {} as a text in quotes here", name, what));
}

Result<ValueType> Arguments::Unify(std::size_t first) {
  // Decimals first: they tell what numbers that stand in the expression are.
  std::vector<const Node*> nodes;
  for (std::size_t i = first; i < size(); ++i)
    nodes.push_back(values[i].get());
  std::ranges::stable_partition(nodes, [](const Node* node) { return node->type.is(TypeKind::kDecimal); });
  ValueType type = nodes[0]->type;
  Literal literal = nodes[0]->literal;
  for (const Node* const node : std::span(nodes).subspan(1)) {
    Node so_far;
    so_far.type = type;
    so_far.literal = literal;
    const auto common = Common(so_far, *node);
    if (!common) {
      return FailAt(ErrorCode::kTypeMismatch, text, node->at,
                    fmt::format("{} cannot have both {} and {}: cast one of them", name, type.ToString(),
                                node->type.ToString()));
    }
    literal = literal == node->literal ? literal : Literal::kNo;
    type = *common;
  }
  for (std::size_t i = first; i < size(); ++i) {
    if (!type.is_null()) TM_TRY(Become(i, type));
  }
  return type;
}

NodePtr Arguments::Make(const ValueType& type, Kernel kernel, bool is_strict) && {
  auto node = std::make_unique<Node>();
  node->type = type;
  node->at = at;
  node->name = name;
  node->kernel = kernel;
  node->is_strict = is_strict;
  node->args = std::move(values);
  if (type.lane() == Lane::kArray) node->array_type = ToArrow(type.type);
  return node;
}

bool Widens(const ValueType& from, const ValueType& to) {
  if (from == to || from.is_null()) return true;
  if (from.is(TypeKind::kDecimal)) {
    const int whole_from = from.type.precision - from.type.scale;
    const int whole_to = to.type.precision - to.type.scale;
    return to.is_float() ||
           (to.is(TypeKind::kDecimal) && to.type.scale >= from.type.scale && whole_to >= whole_from);
  }
  if (to.is(TypeKind::kDecimal)) {
    constexpr int kInt32Digits = 10;
    constexpr int kInt64Digits = 19;
    return from.is_integer() &&
           to.type.precision - to.type.scale >= (from.is(TypeKind::kInt32) ? kInt32Digits : kInt64Digits);
  }
  if (from.is(TypeKind::kInt32)) return to.is_number();
  if (from.is(TypeKind::kInt64)) return to.is(TypeKind::kInt64) || to.is_float();
  if (from.is(TypeKind::kFloat32)) return to.is(TypeKind::kFloat64);
  if (from.is(TypeKind::kDate)) return to.is(TypeKind::kTimestamp);
  return false;
}

std::optional<ValueType> Common(const Node& left, const Node& right) {
  const auto is_narrow = [](const Node& point, const Node& other) {
    return point.literal == Literal::kPoint && other.type.is(TypeKind::kFloat32);
  };
  if (is_narrow(left, right)) return right.type;
  if (is_narrow(right, left)) return left.type;
  if (left.literal == Literal::kText && right.type.is_time()) return right.type;
  if (right.literal == Literal::kText && left.type.is_time()) return left.type;
  if (left.type.is(TypeKind::kDecimal) || right.type.is(TypeKind::kDecimal)) {
    if (const auto decimal = CommonDecimal(left, right)) return ValueType{.type = *decimal};
  }
  if (Widens(left.type, right.type)) return right.type;
  if (Widens(right.type, left.type)) return left.type;
  return std::nullopt;
}

NodePtr CastTo(NodePtr node, const ValueType& to, std::string_view text) {
  if (node->type == to) {
    node->literal = Literal::kNo;
    return node;
  }
  if (node->type.is_null()) {
    NodePtr null = ConstantNode(to, node->at);
    null->constant.is_null = true;
    if (to.lane() == Lane::kArray) null->array_type = ToArrow(to.type);
    return null;
  }
  Arguments one{.text = text, .name = "cast", .at = node->at, .values = {}};
  const Kernel kernel = CastKernel(node->type, to, false);
  one.values.push_back(std::move(node));
  return Fold(std::move(one).Make(to, kernel), text);
}

NodePtr Fold(NodePtr node, std::string_view text) {
  const bool is_flat = node->type.lane() != Lane::kArray && !node->type.is_null();
  if (!is_flat || node->kind == Node::Kind::kColumn || node->kind == Node::Kind::kNow || node->args.empty())
    return node;
  bool all_constant = true;
  for (const NodePtr& arg : node->args) {
    const bool is_constant = arg->kind == Node::Kind::kConstant;
    all_constant = all_constant && is_constant;
    if (node->kind != Node::Kind::kCall || !node->is_strict || !is_constant || !arg->constant.is_null)
      continue;
    NodePtr null = ConstantNode(node->type, node->at);
    null->constant.is_null = true;
    return null;
  }
  if (!all_constant) return node;
  std::size_t slots = 0;
  NumberSlots(*node, slots);
  Node* const root = node.get();
  Scratch scratch = MakeScratch({&root, 1}, slots);
  const ExpressionRows rows{.columns = {}, .count = 1};
  Run run(rows, scratch);
  run.set_text(text);
  run.Begin(0, 1);
  Vector value;
  if (!run.Evaluate(*node, value)) return node;
  NodePtr constant = ConstantNode(node->type, node->at);
  constant->constant = ConstantOf(node->type, value);
  return constant;
}

Result<NodePtr> BindSyntax(const Syntax& syntax, std::string_view text,
                           std::span<const ExpressionColumn> columns) {
  return Binder(text, columns).Bind(syntax);
}

}  // namespace tidemark::expression_internal
