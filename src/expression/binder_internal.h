// What the tables of functions share: making calls, and asking types of arguments.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "expression/node_internal.h"
#include "expression/syntax_internal.h"

namespace tidemark::expression_internal {

ValueType Plain(TypeKind kind);

/// The arguments of a function that is being bound, and what may be done with them.
struct Arguments {
  std::string_view text;  // of the whole expression
  std::string_view name;  // of the function
  std::size_t at = 0;
  std::vector<NodePtr> values;

  std::size_t size() const { return values.size(); }
  const ValueType& type(std::size_t place) const { return values[place]->type; }
  /// The argument becomes `to` if it does so without being told to (int32 to int64, a null to anything);
  /// kTypeMismatch names the function, and both types, at the argument.
  Result<void> Become(std::size_t place, const ValueType& to);
  /// "{name} takes {wanted}, not {type}" at that argument.
  std::unexpected<Error> Mismatch(std::size_t place, std::string_view wanted) const;
  std::unexpected<Error> Wrong(std::size_t where, std::string_view problem) const;
  /// The text of an argument that must stand in the expression: a part of a time, a pattern.
  Result<std::string> ConstantText(std::size_t place, std::string_view what) const;
  /// All arguments become the one type that holds them; that type.
  Result<ValueType> Unify(std::size_t first = 0);
  /// A call of these arguments.
  NodePtr Make(const ValueType& type, Kernel kernel, bool is_strict = true) &&;
};

struct Function {
  std::string_view name;
  std::size_t arguments_min;
  std::size_t arguments_max;
  Result<NodePtr> (*bind)(Arguments arguments);
};

inline constexpr std::size_t kManyArguments = 1000;

std::span<const Function> ArithmeticFunctions();
std::span<const Function> MathFunctions();
std::span<const Function> LogicFunctions();
std::span<const Function> TextFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> ListFunctions();

/// + and - where one side is a time or an interval.
Result<NodePtr> BindTimeSum(Arguments arguments, bool is_minus);

/// Whether one of the arguments is a decimal, and the others are what becomes one beside it: decimals,
/// integers, numbers with a point that stand in the expression, nulls.
bool HasDecimals(const Arguments& arguments);
/// +, - and * (`sign`) of such arguments.
Result<NodePtr> BindDecimals(Arguments arguments, char sign);
Kernel NegateDecimalsKernel();
/// The decimal that a number with a point is; nothing if it has too many digits.
std::optional<DataType> DecimalOfLiteral(const Node& node);
Result<Decimal> DecimalFromText(std::string_view text, const DataType& type);
/// The decimal that holds both; nothing if one is none, or it would have too many digits.
std::optional<DataType> CommonDecimal(const Node& left, const Node& right);
/// One of the two is a decimal.
Kernel DecimalCastKernel(const ValueType& from, const ValueType& to, bool is_try);

/// length() of a text, for length() of a text or a list.
Kernel TextLengthKernel();

/// A cast that was written, or that Become allows: null if there is none between these types.
Kernel CastKernel(const ValueType& from, const ValueType& to, bool is_try);
/// True if `from` becomes `to` where a function asks for it.
bool Widens(const ValueType& from, const ValueType& to);
/// The one type that both widen to; nothing if there is none.
std::optional<ValueType> Common(const Node& left, const Node& right);
/// `node` as `to`, which it must be able to become; constants are folded.
NodePtr CastTo(NodePtr node, const ValueType& to, std::string_view text);
/// The value of a call of constants in its place, or the call if it has none (an error then shows at its
/// row).
NodePtr Fold(NodePtr node, std::string_view text);
/// `3 days`, `1 month 2 hours`, or a number and its unit apart. kInvalidArgument.
Result<Interval> ParseInterval(std::string_view text, std::string_view unit);
/// The columns that the expression may name are in `columns`.
Result<NodePtr> BindSyntax(const Syntax& syntax, std::string_view text,
                           std::span<const ExpressionColumn> columns);

}  // namespace tidemark::expression_internal
