// Expressions as a user writes them: what they answer, and what is said of those that cannot be. That the
// answers are DuckDB's is tested beside it (adapters/adbc/expression_differential_test.cc).
#include "expression/expression.h"

#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "expression/binder_internal.h"
#include "model/time.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

using testing::HasSubstr;

constexpr TypeKind kInt32 = TypeKind::kInt32;
constexpr TypeKind kInt64 = TypeKind::kInt64;
constexpr TypeKind kFloat32 = TypeKind::kFloat32;
constexpr TypeKind kFloat64 = TypeKind::kFloat64;
constexpr TypeKind kText = TypeKind::kString;

struct Given {
  std::string name;
  DataType type;
  std::string json;
  std::string table = {};
};

const std::vector<Given>& Columns() {
  static const std::vector<Given> columns{
      {"i", {kInt32}, "[1, null, -3]"},
      {"l", {kInt64}, "[10, 9223372036854775807, null]"},
      {"f", {kFloat32}, "[1.5, -2.5, null]"},
      {"d", {kFloat64}, "[0.5, 0, -4]"},
      {"s", {kText}, R"(["Hello", "héß", null])"},
      {"ok", {TypeKind::kBool}, "[true, false, null]"},
      {"at", {TypeKind::kTimestamp}, R"(["2024-02-29 13:14:15.678901", "1969-12-31 23:59:59", null])"},
      {"day", {TypeKind::kDate}, "[19753, 0, null]"},
      {"list", DataType::List({kInt64}), "[[1, 2, null], [], null]"},
      {"vec", DataType::List({kFloat32}), "[[1, 2], [0.5, 4], [3, 3]]"},
      {"box", DataType::Struct({{"a", {kInt64}}, {"b c", {kText}}}),
       R"([{"a": 7, "b c": "x"}, {"a": null, "b c": "y"}, null])"},
      {"price", DataType::Decimal(10, 2), R"(["12.50", null, "-0.01"])"},
      {"order", {kInt64}, "[1, 2, 3]"},
      {"amount", {kInt64}, "[1, 2, 3]", "one"},
      {"amount", {kInt64}, "[10, 20, 30]", "two"},
  };
  return columns;
}

Result<BoundExpression> Bind(const std::string& text, const std::optional<DataType>& wanted = {}) {
  std::vector<ExpressionColumn> columns;
  for (const Given& given : Columns())
    columns.push_back({.table = given.table, .name = given.name, .type = given.type});
  return BoundExpression::Bind(text, columns, wanted);
}

constexpr std::int64_t kNow = 1'700'000'000'000'000;

Result<std::shared_ptr<arrow::Array>> Evaluate(const BoundExpression& expression) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const Given& given : Columns())
    columns.push_back(arrow::json::ArrayFromJSONString(ToArrow(given.type), given.json).ValueOrDie());
  return expression.Evaluate({.columns = columns, .count = 3, .now_us = kNow});
}

// The type, and the values of the three rows, as text; or the error.
std::string Answer(const std::string& text, const std::optional<DataType>& wanted = {}) {
  const auto bound = Bind(text, wanted);
  if (!bound) return bound.error().ToString();
  const auto values = Evaluate(*bound);
  if (!values) return values.error().ToString();
  std::string out = bound->type().ToString() + ":";
  for (std::int64_t row = 0; row < (*values)->length(); ++row)
    out += " " + (*(*values)->GetScalar(row))->ToString();
  return out;
}

TEST(ExpressionTest, ArithmeticHasTheTypesOfSql) {
  EXPECT_EQ(Answer("i + 1"), "int32: 2 null -2");
  EXPECT_EQ(Answer("i + order"), "int64: 2 null 0");
  EXPECT_EQ(Answer("i / 2"), "float64: 0.5 null -1.5");
  EXPECT_EQ(Answer("i // 2"), "int32: 0 null -1");
  EXPECT_EQ(Answer("i % 2"), "int32: 1 null -1");
  EXPECT_EQ(Answer("order // (order - 2)"), "int64: -1 null 3");
  EXPECT_EQ(Answer("order / (order - 2)"), "float64: -1 inf 3");
  EXPECT_EQ(Answer("f * 2"), "float32: 3 -5 null");
}

TEST(ExpressionTest, NullsAreSqls) {
  EXPECT_EQ(Answer("ok and false"), "bool: false false false");
  EXPECT_EQ(Answer("ok or null"), "bool: true null null");
  EXPECT_EQ(Answer("not ok"), "bool: false true null");
  EXPECT_EQ(Answer("i is null"), "bool: false true false");
  EXPECT_EQ(Answer("i in (1, null)"), "bool: true null null");
  EXPECT_EQ(Answer("i not between -5 and 0"), "bool: true null false");
  EXPECT_EQ(Answer("coalesce(i, l, 0)"), "int64: 1 9223372036854775807 -3");
  EXPECT_EQ(Answer("nullif(i, 1)"), "int32: null null -3");
  EXPECT_EQ(Answer("greatest(i, order)"), "int64: 1 2 3");
  EXPECT_EQ(Answer("i is distinct from null"), "bool: true false true");
}

// A branch that a row does not take cannot fail in it.
TEST(ExpressionTest, BranchesAreTakenByRow) {
  EXPECT_EQ(Answer("case when d > 0 then sqrt(d) when d = 0 then -1 end"),
            "float64: 0.7071067811865476 -1 null");
  EXPECT_EQ(Answer("case i when 1 then 'one' else 'other' end"), "string: one other other");
  EXPECT_EQ(Answer("coalesce(list_sum(list), 0)"), "int64: 3 0 0");
  EXPECT_EQ(Answer("case when ok then list end"), "list<int64>: list<item: int64>[1, 2, null] null null");
}

TEST(ExpressionTest, TextsCountCharacters) {
  EXPECT_EQ(Answer("upper(s)"), "string: HELLO HÉẞ null");
  EXPECT_EQ(Answer("length(s)"), "int64: 5 3 null");
  EXPECT_EQ(Answer("substr(s, 2, 2)"), "string: el éß null");
  EXPECT_EQ(Answer("concat(s, '-', i)"), "string: Hello-1 héß- --3");
  EXPECT_EQ(Answer("s || '!'"), "string: Hello! héß! null");
  EXPECT_EQ(Answer("regexp_matches(s, '^h')"), "bool: false true null");
  EXPECT_EQ(Answer("regexp_matches(s, '^h', 'i')"), "bool: true true null");
  EXPECT_EQ(Answer("split(s, 'l')[1]"), "string: He héß null");
  EXPECT_EQ(Answer("s like 'h_%'"), "bool: false true null");
  EXPECT_EQ(Answer("trim('  a ') || ltrim('xxb', 'x')"), "string: ab ab ab");
}

TEST(ExpressionTest, TimesAreUtc) {
  EXPECT_EQ(Answer("extract(year from at)"), "int64: 2024 1969 null");
  EXPECT_EQ(Answer("cast(date_trunc('month', at) as varchar)"),
            "string: 2024-02-01 00:00:00 1969-12-01 00:00:00 null");
  EXPECT_EQ(Answer("date_diff('day', day, at)"), "int64: 29 -1 null");
  EXPECT_EQ(Answer("cast(day + interval 1 month as varchar)"),
            "string: 2024-02-29 00:00:00 1970-02-01 00:00:00 null");
  EXPECT_EQ(Answer("extract(epoch from at - day)"), "float64: 2553255.678901 -1 null");
  EXPECT_EQ(Answer("epoch_us(now())"), "int64: 1700000000000000 1700000000000000 1700000000000000");
  EXPECT_EQ(Answer("cast(make_timestamp(1714550400123456) as varchar)"),
            "string: 2024-05-01 08:00:00.123456 2024-05-01 08:00:00.123456 2024-05-01 08:00:00.123456");
  EXPECT_EQ(Answer("epoch_us(epoch_ms(-1)) + epoch_us(epoch_ms(i))"),
            Answer("cast(i as bigint) * 1000 - 1000"));
  EXPECT_EQ(Answer("epoch_us(to_timestamp(1714550400.25e0))"),
            "int64: 1714550400250000 1714550400250000 1714550400250000");
  EXPECT_EQ(Answer("epoch_us(to_timestamp(i))"), Answer("cast(i as bigint) * 1000000"));
  for (const char* const beyond :
       {"make_timestamp(9223372036854775807)", "make_timestamp(-9223372036854775807)",
        "epoch_ms(9223372036854775)", "epoch_ms(9223372036854776)", "to_timestamp(1e13)",
        "to_timestamp('nan'::double)"})
    EXPECT_EQ(Answer(beyond).contains("beyond"), std::string_view(beyond) != "epoch_ms(9223372036854775)")
        << beyond << ": " << Answer(beyond);
  EXPECT_EQ(Answer("at > '2000-01-01'"), "bool: true false null");
  EXPECT_TRUE(Bind("now() - at > interval '30 days'")->uses_now());
}

TEST(ExpressionTest, ListsAndStructsAreRead) {
  EXPECT_EQ(Answer("length(list)"), "int64: 3 0 null");
  EXPECT_EQ(Answer("list_avg(list)"), "float64: 1.5 null null");
  EXPECT_EQ(Answer("list_dot_product(vec, vec)"), "float32: 5 16.25 18");
  EXPECT_EQ(Answer("list_contains(list, 2)"), "bool: true false null");
  EXPECT_EQ(Answer("list[-2]"), "int64: 2 null null");
  EXPECT_EQ(Answer("box.a + 1"), "int64: 8 null null");
  EXPECT_EQ(Answer("box.\"b c\""), "string: x y null");
}

TEST(ExpressionTest, CastsFailOrAreNull) {
  EXPECT_EQ(Answer("try_cast(s as int)"), "int32: null null null");
  EXPECT_EQ(Answer("d::bigint"), "int64: 0 0 -4");
  EXPECT_EQ(Answer("price::double"), "float64: 12.5 null -0.01");
  EXPECT_EQ(Answer("i", DataType{kFloat64}), "float64: 1 null -3");
  EXPECT_THAT(Answer("cast(l as int)"), HasSubstr("row 1: 9223372036854775807 cannot be cast to int32"));
  EXPECT_THAT(Answer("cast(s as double)"), HasSubstr("row 0: 'Hello' cannot be cast to float64"));
}

TEST(ExpressionTest, DecimalsStayExact) {
  EXPECT_EQ(Answer("price + price"), "decimal(11, 2): 25.00 null -0.02");
  EXPECT_EQ(Answer("price * 1.5"), "decimal(12, 3): 18.750 null -0.015");
  EXPECT_EQ(Answer("price - i"), "decimal(13, 2): 11.50 null 2.99");
  EXPECT_EQ(Answer("-price"), "decimal(10, 2): -12.50 null 0.01");
  EXPECT_EQ(Answer("price / 2"), "float64: 6.25 null -0.005");
  EXPECT_EQ(Answer("price + d"), "float64: 13 null -4.01");
  EXPECT_EQ(Answer("price > 12.49"), "bool: true null false");
  EXPECT_EQ(Answer("coalesce(price, 0.5)"), "decimal(10, 2): 12.50 0.50 -0.01");
  EXPECT_EQ(Answer("greatest(price, 1)"), "decimal(10, 2): 12.50 1.00 1.00");
  EXPECT_EQ(Answer("price::varchar"), "string: 12.50 null -0.01");
  EXPECT_EQ(Answer("price::int"), "int32: 13 null 0") << "halves away from zero";
  EXPECT_EQ(Answer("price::decimal(4, 1)"), "decimal(4, 1): 12.5 null 0.0");
  EXPECT_EQ(Answer("'1.255'::decimal(5, 2)"), "decimal(5, 2): 1.26 1.26 1.26");
  EXPECT_EQ(Answer("try_cast(s as decimal(5, 2))"), "decimal(5, 2): null null null");
  EXPECT_EQ(Answer("price", DataType::Decimal(12, 3)), "decimal(12, 3): 12.500 null -0.010");
  EXPECT_THAT(Answer("price", DataType::Decimal(10, 3)), HasSubstr("decimal(10, 3) is wanted: cast it"));
  EXPECT_THAT(Answer("1.255", DataType::Decimal(10, 2)), HasSubstr("decimal(10, 2) is wanted: cast it"));
  EXPECT_THAT(Answer("price::decimal(2, 1)"), HasSubstr("row 0: 12.50 cannot be cast to decimal(2, 1)"));
  EXPECT_THAT(Answer("price::decimal(18, 2) * 10000000000000000"),
              HasSubstr("row 0: overflow of decimal(18, 2) (12.50 * 10000000000000000)"));
  EXPECT_THAT(Answer("price % 2"), HasSubstr("% takes numbers, not decimal(10, 2)"));
  EXPECT_THAT(Answer("floor(price)"), HasSubstr("floor takes no decimal(10, 2): cast it to double"));
  EXPECT_THAT(Answer("price::decimal(39, 2)"), HasSubstr("precision"));
}

TEST(ExpressionTest, PatternsMayDifferFromRowToRow) {
  EXPECT_EQ(Answer("regexp_matches(s, substr(s, 2, 2))"), "bool: true true null");
  EXPECT_EQ(Answer("regexp_matches(s, case when i = 1 then '^h' else 'x' end, 'i')"),
            "bool: true false null");
  EXPECT_THAT(Answer("regexp_matches(s, s || '(')"), HasSubstr("row 0: the pattern 'Hello(' cannot be read"));
}

TEST(ExpressionTest, ColumnsAreFoundByTable) {
  EXPECT_EQ(Answer("one.amount + two.amount"), "int64: 11 22 33");
  EXPECT_EQ(Answer("ORDER"), "int64: 1 2 3") << "a name in another case";
  EXPECT_EQ(Answer("amount"),
            "'amount' may be any of one.amount, two.amount: write which (character 1)\n  amount\n  ^");
  EXPECT_EQ(Bind("two.amount * 2 + order")->columns_used(), (std::vector<std::size_t>{12, 14}));
}

// Every error points at the character, and tells both types where types are the matter.
TEST(ExpressionTest, ErrorsPointAtTheCharacter) {
  EXPECT_EQ(Answer("i + s"), "+ takes numbers, not string (character 5)\n  i + s\n      ^");
  EXPECT_EQ(Answer("é + 1"), "there is no column 'é' (character 1)\n  é + 1\n  ^");
  EXPECT_THAT(Answer("lowr(s)"),
              HasSubstr("there is no function 'lowr' (did you mean 'lower'?) (character 1)"));
  EXPECT_THAT(Answer("lower(s, s)"), HasSubstr("lower takes 1 argument, not 2"));
  EXPECT_THAT(Answer("lower(i)"), HasSubstr("lower takes string, not int32 (character 7)"));
  EXPECT_THAT(Answer("case when ok then 1 else 'x' end"),
              HasSubstr("case cannot have both int32 and string: cast one of them (character 26)"));
  EXPECT_THAT(Answer("i = 'x'"), HasSubstr("= cannot have both int32 and string"));
  EXPECT_THAT(Answer("d + 1", DataType{kInt64}),
              HasSubstr("the expression gives float64, but int64 is wanted: cast it"));
  EXPECT_THAT(Answer("i +"), HasSubstr("expected a value but found the end of the expression (character 4)"));
  EXPECT_THAT(Answer("(i"), HasSubstr("expected ')' but found the end"));
  EXPECT_THAT(Answer("i i"), HasSubstr("did not expect 'i' here (character 3)"));
  EXPECT_THAT(Answer("'abc"), HasSubstr("this text has no end (character 1)"));
  EXPECT_THAT(Answer("i @ 2"), HasSubstr("'@' is not part of an expression"));
  EXPECT_THAT(Answer("box.zz"), HasSubstr("has no member 'zz'"));
  EXPECT_THAT(Answer("regexp_matches(s, '(')"), HasSubstr("the pattern cannot be read"));
  EXPECT_THAT(Answer("date_trunc('moonth', at)"), HasSubstr("did you mean 'month'?"));
  EXPECT_THAT(Answer("at > 'soon'"), HasSubstr("'soon' is no timestamp"));
  EXPECT_THAT(Answer("99999999999999999999"), HasSubstr("beyond int64"));
  EXPECT_THAT(Answer("null"), HasSubstr("the type of this null is not known"));
  EXPECT_THAT(Answer(""), HasSubstr("the expression is empty"));
  EXPECT_THAT(Answer("'\xEF'"), HasSubstr("the expression is not UTF-8"));
}

TEST(ExpressionTest, ValuesWithoutAResultNameTheRow) {
  EXPECT_EQ(
      Answer("l + 1"),
      "row 1: overflow in addition of int64 (9223372036854775807 + 1); cast to a wider type (character 3)\n"
      "  l + 1\n    ^");
  EXPECT_THAT(Answer("ln(d)"), HasSubstr("row 1: there is no logarithm of zero"));
  EXPECT_THAT(Answer("sqrt(d)"), HasSubstr("row 2: there is no square root of a negative number"));
}

// No text makes the reader run out of stack or memory.
TEST(ExpressionTest, SizeIsBounded) {
  EXPECT_THAT(Answer(std::string(10'000, '(')), HasSubstr("nests more than 100 deep"));
  std::string signs = "1";
  for (int i = 0; i < 200; ++i)
    signs = "- " + signs;
  EXPECT_THAT(Answer(signs), HasSubstr("too many signs in a row"));
  EXPECT_THAT(Answer(std::string(70'000, ' ')), HasSubstr("at most 65536 bytes"));
}

// Runs are put together whole: more rows than one run holds, texts and nulls among them.
TEST(ExpressionTest, ManyRowsGoInRuns) {
  constexpr std::int64_t kRows = 5000;
  arrow::Int64Builder numbers;
  for (std::int64_t i = 0; i < kRows; ++i)
    ASSERT_TRUE((i % 7 == 0 ? numbers.AppendNull() : numbers.Append(i)).ok());
  const std::vector<std::shared_ptr<arrow::Array>> columns{numbers.Finish().ValueOrDie()};
  const std::vector<ExpressionColumn> names{{.table = "", .name = "n", .type = {kInt64}}};
  const auto texts = BoundExpression::Bind("'n' || n", names).value();
  const auto even = BoundExpression::Bind("n % 2 = 0", names).value();
  const auto lists = BoundExpression::Bind("split(n::varchar, '1')", names).value();
  const auto worker = [&] {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const auto text = texts.Evaluate({.columns = columns, .count = kRows}).value();
      const auto flag = even.Evaluate({.columns = columns, .count = kRows}).value();
      const auto list = lists.Evaluate({.columns = columns, .count = kRows}).value();
      ASSERT_TRUE(text->ValidateFull().ok() && flag->ValidateFull().ok() && list->ValidateFull().ok());
      ASSERT_EQ(text->null_count(), 715);
      ASSERT_EQ(static_cast<const arrow::StringArray&>(*text).GetView(4999), "n4999");
      ASSERT_FALSE(static_cast<const arrow::BooleanArray&>(*flag).Value(4999));
      ASSERT_TRUE(static_cast<const arrow::BooleanArray&>(*flag).Value(4998));
    }
  };
  std::thread other(worker);
  worker();
  other.join();
}

// Nested values of later runs are slices of their column; each row keeps its own.
TEST(ExpressionTest, NestedValuesGoInRuns) {
  constexpr std::int64_t kRows = 3000;
  const auto items = std::make_shared<arrow::Int64Builder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), items);
  for (std::int64_t i = 0; i < kRows; ++i) {
    ASSERT_TRUE(i % 5 == 0 ? lists.AppendNull().ok() : lists.Append().ok());
    if (i % 5 == 0) continue;
    ASSERT_TRUE(items->Append(i).ok());
  }
  const auto column = lists.Finish().ValueOrDie();
  const std::vector<std::shared_ptr<arrow::Array>> columns{column};
  const std::vector<ExpressionColumn> names{{.table = "", .name = "list", .type = DataType::List({kInt64})}};
  const auto same = BoundExpression::Bind("case when list[1] >= 0 then list else list end", names).value();
  EXPECT_TRUE((*same.Evaluate({.columns = columns, .count = kRows}))->Equals(column));
  const auto first = BoundExpression::Bind("coalesce(list, list)[1]", names).value();
  const auto values = first.Evaluate({.columns = columns, .count = kRows}).value();
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*values).Value(2999), 2999);
  EXPECT_EQ(values->null_count(), 600);
}

// Values that programs may have kept: a hash is the same on every machine and in every release. Numbers of
// one value have one hash, whatever their width.
TEST(ExpressionTest, HashesStayTheSame) {
  EXPECT_EQ(Answer("hash(i)"), "int64: -7995527694508729151 -7046029254386353131 -621772950581698083");
  EXPECT_EQ(Answer("hash(s)"), "int64: 4098904537042482710 -5740014173646132307 -7046029254386353131");
  EXPECT_EQ(Answer("hash(d)"), "int64: 7527646918773101600 6238072747940578789 -3363716699378392276");
  EXPECT_EQ(Answer("hash(ok, day, at)"),
            "int64: -8563063136066174781 -2269323177386444818 -8917359999665622779");
  EXPECT_EQ(Answer("hash(i) = hash(i::bigint)"), "bool: true true true");
  EXPECT_EQ(Answer("hash(f) = hash(f::double)"), "bool: true true true");
  EXPECT_EQ(Answer("hash(-0e0) = hash(0e0)"), "bool: true true true");
}

// Slots that the nodes of these expressions take, after those that are the same were found.
std::size_t SlotsOf(const std::vector<std::string>& texts) {
  std::vector<ExpressionColumn> columns;
  for (const Given& given : Columns())
    columns.push_back({.table = given.table, .name = given.name, .type = given.type});
  std::vector<expression_internal::NodePtr> trees;
  std::vector<expression_internal::Node*> roots;
  for (const std::string& text : texts) {
    const auto syntax = expression_internal::ParseExpression(text).value();
    trees.push_back(expression_internal::BindSyntax(syntax, text, columns).value());
    roots.push_back(trees.back().get());
  }
  return expression_internal::ShareNodes(roots);
}

// What expressions have in common is computed once; in a branch, only if it was computed for all rows before.
TEST(ExpressionTest, CommonPartsAreComputedOnce) {
  EXPECT_EQ(SlotsOf({"exp(d)"}), 2U);
  EXPECT_EQ(SlotsOf({"exp(d) + exp(d)"}), 3U);
  EXPECT_EQ(SlotsOf({"exp(d)", "exp(d)", "exp(d) + d"}), 3U);
  EXPECT_EQ(SlotsOf({"exp(d)", "exp(f)", "ln(d)"}), 6U);  // f is cast
  EXPECT_EQ(SlotsOf({"round(d, 1) + round(d, 2)"}), 6U);  // constants are not shared
  EXPECT_EQ(SlotsOf({"extract(year from at) + extract(month from at)"}), 4U);
  EXPECT_EQ(SlotsOf({"CASE WHEN ok THEN exp(d) ELSE exp(d) END"}), 6U);
  EXPECT_EQ(SlotsOf({"CASE WHEN exp(d) > 1 THEN exp(d) ELSE -exp(d) END"}), 6U);
  EXPECT_EQ(SlotsOf({"coalesce(exp(d), d, exp(d))"}), 3U);
  EXPECT_EQ(SlotsOf({"CASE WHEN ok THEN exp(d) ELSE 0e0 END + exp(d)"}), 8U);
}

// Together they answer what they answer alone: branches, nulls, texts and nested values among them.
TEST(ExpressionTest, TogetherAsAlone) {
  const std::vector<std::string> texts{"CASE WHEN d > 0 THEN ln(d) WHEN d = 0 THEN exp(d) ELSE abs(d) END",
                                       "CASE WHEN ok THEN abs(d) ELSE exp(d) END + exp(d)",
                                       "coalesce(f, abs(d), exp(d)) * abs(d)",
                                       "upper(s) || '-' || upper(s)",
                                       "upper(s)",
                                       "list",
                                       "CASE WHEN ok THEN list ELSE split(s, 'l')::bigint[] END",
                                       "list[1] + length(list)",
                                       "d",
                                       "d",
                                       "ok AND d > 0 OR i IS NULL",
                                       "NOT (ok AND d > 0)",
                                       "CASE WHEN d > 0 THEN 1 WHEN ok THEN 2 END",
                                       "epoch_us(now()) + l % 7"};
  std::vector<ExpressionColumn> columns;
  std::vector<std::shared_ptr<arrow::Array>> values;
  for (const Given& given : Columns()) {
    columns.push_back({.table = given.table, .name = given.name, .type = given.type});
    values.push_back(arrow::json::ArrayFromJSONString(ToArrow(given.type), given.json).ValueOrDie());
  }
  std::vector<StatedExpression> wanted;
  std::vector<std::shared_ptr<arrow::Array>> alone;
  for (const std::string& text : texts) {
    const auto bound = Bind(text);
    if (!bound) continue;  // a cast that there is not
    wanted.push_back({.text = text});
    alone.push_back(Evaluate(*bound).value());
  }
  const auto together = BoundExpressions::Bind(wanted, columns).value();
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto answers = together.Evaluate({.columns = values, .count = 3, .now_us = kNow}).value();
    ASSERT_EQ(answers.size(), alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i)
      EXPECT_TRUE(answers[i]->Equals(alone[i])) << wanted[i].text << answers[i]->ToString();
  }
  const auto none = together.Evaluate({.columns = values, .count = 0}).value();
  EXPECT_EQ(none.size(), alone.size());
}

// The error of one among several says which; rows that take no branch with it raise none.
TEST(ExpressionTest, TheOneThatFailsIsNamed) {
  const std::vector<ExpressionColumn> columns{{"", "d", {kFloat64}}};
  const std::vector<std::shared_ptr<arrow::Array>> values{
      arrow::json::ArrayFromJSONString(arrow::float64(), "[1, -4]").ValueOrDie()};
  const auto answer = [&](const std::vector<StatedExpression>& texts) -> std::string {
    const auto bound = BoundExpressions::Bind(texts, columns);
    if (!bound) return bound.error().ToString();
    const auto made = bound->Evaluate({.columns = values, .count = 2});
    return made ? (*made)[0]->ToString() : made.error().ToString();
  };
  const StatedExpression safe{.text = "CASE WHEN d > 0 THEN ln(d) ELSE 0e0 END", .place = "field a"};
  EXPECT_THAT(answer({safe, safe}), HasSubstr("0"));
  EXPECT_THAT(answer({safe, {.text = "1 + ln(d)", .place = "field b"}}),
              testing::AllOf(HasSubstr("field b"), HasSubstr("row 1"), HasSubstr("1 + ln(d)")));
  EXPECT_THAT(answer({safe, {.text = "lower(d)", .place = "field b"}}),
              testing::AllOf(HasSubstr("field b"), HasSubstr("lower takes string, not float64")));
}

// Bits of any offset become bytes, and bytes bits.
TEST(ExpressionTest, BitsAreUnpackedAndPacked) {
  const std::array<std::uint8_t, 6> bits{0b1010'0101, 0xFF, 0, 0b0011'1100, 0x80, 0x01};
  for (std::int64_t offset = 0; offset < 20; ++offset) {
    for (std::int64_t count = 0; offset + count <= 48; ++count) {
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count), 7);
      expression_internal::UnpackBits(bits.data(), offset, count, bytes.data());
      std::vector<std::uint8_t> packed(static_cast<std::size_t>(count / 8 + 1));
      expression_internal::PackBits(bytes.data(), count, packed.data());
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = offset + i;
        ASSERT_EQ(bytes[static_cast<std::size_t>(i)],
                  (bits[static_cast<std::size_t>(at / 8)] >> (at % 8)) & 1);
        ASSERT_EQ((packed[static_cast<std::size_t>(i / 8)] >> (i % 8)) & 1,
                  bytes[static_cast<std::size_t>(i)]);
      }
    }
  }
}

// now() may be another time in every row: that of the entity row in a training set.
TEST(ExpressionTest, NowMayDifferByRow) {
  const auto age = BoundExpression::Bind("epoch_us(now()) + 1", {}).value();
  const auto times = arrow::json::ArrayFromJSONString(arrow::int64(), "[5, 6]").ValueOrDie();
  const auto& per_row = static_cast<const arrow::Int64Array&>(*times);
  const auto values = age.Evaluate({.columns = {}, .count = 2, .now_us = 0, .now_per_row = &per_row}).value();
  EXPECT_EQ(values->ToString(), "[\n  6,\n  7\n]");
}

}  // namespace
}  // namespace tidemark
