// Thousands of random expressions over random rows: src/expression and DuckDB give the same values, or both
// give none.
//
// Texts are made by type, so that most can be answered; values at the edges of types are among the rows, so
// that some cannot. What differs by design is not made: hash(), numbers with a point beside integers, texts
// beside numbers.
#include <arrow/builder.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "adapters/adbc/connection.h"
#include "expression/expression.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

enum class Kind : std::uint8_t { kBool, kInt32, kInt64, kFloat32, kFloat64, kWords, kMoment, kDate, kMoney };

// How DuckDB calls the type, so that its result can be brought to ours.
std::string DuckType(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return "BOOLEAN";
    case TypeKind::kInt32:
      return "INTEGER";
    case TypeKind::kInt64:
      return "BIGINT";
    case TypeKind::kFloat32:
      return "REAL";
    case TypeKind::kFloat64:
      return "DOUBLE";
    case TypeKind::kString:
      return "VARCHAR";
    case TypeKind::kTimestamp:
      return "TIMESTAMP";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kDecimal:
      return fmt::format("DECIMAL({}, {})", type.precision, type.scale);
    default:
      return DuckType(type.children.at(0).type) + "[]";
  }
}

class ExpressionMaker {
 public:
  explicit ExpressionMaker(std::uint32_t seed) : random_(seed) {}

  std::string Any() { return Of(static_cast<Kind>(Below(9)), 3); }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  std::string Pick(std::initializer_list<const char*> texts) {
    return *(texts.begin() + Below(texts.size()));
  }

  std::string Of(Kind kind, int depth) {
    if (depth == 0 || Below(5) == 0) return Leaf(kind);
    switch (Below(12)) {
      case 0:
        return fmt::format("CASE WHEN {} THEN {} WHEN {} THEN {} ELSE {} END", Of(Kind::kBool, depth - 1),
                           Of(kind, depth - 1), Of(Kind::kBool, depth - 1), Of(kind, depth - 1),
                           Of(kind, depth - 1));
      case 1:
        return fmt::format("COALESCE({}, {})", Of(kind, depth - 1), Of(kind, depth - 1));
      case 2:
        return fmt::format("NULLIF({}, {})", Of(kind, depth - 1), Of(kind, depth - 1));
      case 3:
        return fmt::format("{}({}, {})", Pick({"greatest", "least"}), Of(kind, depth - 1),
                           Of(kind, depth - 1));
      default:
        return Call(kind, depth - 1);
    }
  }

  std::string Leaf(Kind kind) {
    switch (kind) {
      case Kind::kBool:
        return Pick({"b1", "b2", "b1", "b2", "true", "false", "NULL::boolean"});
      case Kind::kInt32:
        return Pick({"i1", "i2", "i1", "i2", "0", "1", "-3", "1000", "NULL::int"});
      case Kind::kInt64:
        return Pick({"l1", "l2", "l1", "l2", "5000000000", "list[1]", "list[-2]", "st.a"});
      case Kind::kFloat32:
        return Pick({"f1", "f2", "1.5::real"});
      case Kind::kFloat64:
        return Pick({"d1", "d2", "d1", "d2", "1.5e0", "-2e-3", "0e0"});
      case Kind::kWords:
        return Pick({"s1", "s2", "s1", "s2", "'abc'", "''", "' x '", "'ß'", "st.b"});
      case Kind::kMoment:
        return Pick({"t1", "t2", "TIMESTAMP '2024-02-29 12:34:56.789'"});
      case Kind::kDate:
        return Pick({"day1", "day2", "DATE '2000-01-31'"});
      case Kind::kMoney:
        return Pick({"m1", "m2", "m3"});
    }
    return "";
  }

  Kind Number() { return static_cast<Kind>(1 + Below(4)); }
  Kind Moment() { return Below(2) == 0 ? Kind::kMoment : Kind::kDate; }
  std::string Unit() {
    return Pick({"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond",
                 "microsecond", "decade", "century"});
  }

  std::string Call(Kind kind, int depth) {
    switch (kind) {
      case Kind::kBool:
        return BoolCall(depth);
      case Kind::kInt32:
        return IntCall(kind, depth);
      case Kind::kInt64:
        return Below(2) == 0 ? IntCall(kind, depth) : CountCall(depth);
      case Kind::kFloat32:
        return FloatCall(depth);
      case Kind::kFloat64:
        return DoubleCall(depth);
      case Kind::kWords:
        return TextCall(depth);
      case Kind::kMoment:
        return TimeCall(depth);
      case Kind::kDate:
        return fmt::format("({} {} {})", Of(Kind::kDate, depth), Pick({"+", "-"}),
                           Pick({"1", "30", "i1 % 1000"}));
      case Kind::kMoney:
        return MoneyCall(depth);
    }
    return "";
  }

  std::string BoolCall(int depth) {
    switch (Below(10)) {
      case 0:
        return fmt::format("({} AND {} AND {})", Of(Kind::kBool, depth), Of(Kind::kBool, depth),
                           Of(Kind::kBool, depth));
      case 1:
        return fmt::format("({} OR {})", Of(Kind::kBool, depth), Of(Kind::kBool, depth));
      case 2:
        return fmt::format("(NOT {})", Of(Kind::kBool, depth));
      case 3:
        return fmt::format("({} IS {}NULL)", Of(static_cast<Kind>(Below(9)), depth), Pick({"", "NOT "}));
      case 4: {
        const Kind kind = static_cast<Kind>(Below(9));
        return fmt::format("({} IS {}DISTINCT FROM {})", Of(kind, depth), Pick({"", "NOT "}),
                           Of(kind, depth));
      }
      case 5: {
        const Kind kind = static_cast<Kind>(Below(9));
        return fmt::format("({} {}IN ({}, {}))", Of(kind, depth), Pick({"", "NOT "}), Of(kind, depth),
                           Of(kind, depth));
      }
      case 6:
        return fmt::format("({} {}LIKE {})", Of(Kind::kWords, depth), Pick({"", "NOT ", "I"}),
                           Pick({"'%a%'", "'_b%'", "'abc'", "'%'", "'a_c%'"}));
      case 7:
        return fmt::format("{}({}, {})", Pick({"contains", "starts_with", "ends_with"}),
                           Of(Kind::kWords, depth), Of(Kind::kWords, depth));
      case 8:
        return Pick({"regexp_matches(s1, '[a-c]+')", "regexp_matches(s2, '^\\d*$')",
                     "regexp_matches(s1, 'É|b', 'i')", "list_contains(list, 2)", "list_contains(list, l1)",
                     "regexp_matches(s1, s2)", "regexp_matches(s1, s2 || '|a', 'i')",
                     "list_contains(names, s1)", "list_contains(vec, d1)", "isnan(d1)"});
      default: {
        const Kind kind = Below(2) == 0 ? Number() : static_cast<Kind>(Below(9));
        const Kind other = kind >= Kind::kInt32 && kind <= Kind::kFloat64 ? Number() : kind;
        return fmt::format("({} {} {})", Of(kind, depth), Pick({"=", "<>", "<", "<=", ">", ">="}),
                           Of(other, depth));
      }
    }
  }

  std::string IntCall(Kind kind, int depth) {
    const Kind other = kind == Kind::kInt64 ? static_cast<Kind>(1 + Below(2)) : kind;
    const char* type = kind == Kind::kInt64 ? "bigint" : "int";
    switch (Below(8)) {
      case 0:
        return fmt::format("abs({})", Of(kind, depth));
      case 1:
        return fmt::format("(- {})", Of(kind, depth));
      case 2:
        return fmt::format("CAST({} AS {})", Of(Below(4) == 0 ? Kind::kMoney : Number(), depth), type);
      case 3:
        return fmt::format("TRY_CAST({} AS {})", Of(Below(2) == 0 ? Kind::kWords : Number(), depth), type);
      case 4:
        return fmt::format("round({} % 100000, {})", Of(kind, depth), Pick({"0", "-1", "-2", "2"}));
      default:
        return fmt::format("({} {} {})", Of(kind, depth), Pick({"+", "-", "*", "//", "%"}), Of(other, depth));
    }
  }

  std::string CountCall(int depth) {
    switch (Below(6)) {
      case 0:
        return fmt::format("length({})", Of(Kind::kWords, depth));
      case 1:
        return fmt::format(
            "extract({} from {})",
            Pick({"year", "month", "day", "hour", "minute", "second", "millisecond", "microsecond", "dow",
                  "isodow", "doy", "week", "isoyear", "quarter", "decade", "century", "millennium"}),
            Of(Moment(), depth));
      case 2:
        return fmt::format("date_diff('{}', {}, {})", Unit(), Of(Moment(), depth), Of(Moment(), depth));
      case 3:
        return fmt::format("({} - {})", Of(Kind::kDate, depth), Of(Kind::kDate, depth));
      case 4:
        return fmt::format("length(split({}, {}))", Of(Kind::kWords, depth), Of(Kind::kWords, depth));
      default:
        return Pick({"length(list)", "list_sum(list)::bigint", "epoch_us(t1)", "list[i1]",
                     "extract(day from t1 - t2)", "extract(hour from t1 - t2)"});
    }
  }

  std::string FloatCall(int depth) {
    switch (Below(4)) {
      case 0:
        return fmt::format("{}({})", Pick({"abs", "floor", "ceil", "round", "trunc"}),
                           Of(Kind::kFloat32, depth));
      case 1:
        return fmt::format("CAST({} AS real)", Of(Number(), depth));
      case 2:
        return Pick({"list_dot_product(near, far)", "list_dot_product(near, near)"});
      default:
        return fmt::format("({} {} {})", Of(Kind::kFloat32, depth), Pick({"+", "-", "*", "/"}),
                           Of(Kind::kFloat32, depth));
    }
  }

  std::string DoubleCall(int depth) {
    switch (Below(9)) {
      case 0:
        return fmt::format("{}({})", Pick({"abs", "floor", "ceil", "round", "trunc", "exp"}),
                           Of(Kind::kFloat64, depth));
      case 1:
        return fmt::format("{}({})", Pick({"ln", "sqrt", "log10", "log2"}), Of(Number(), depth));
      case 2:
        return fmt::format("power({}, {})", Of(Number(), depth), Pick({"2", "0.5e0", "-1", "d1"}));
      case 3:
        return fmt::format("CAST({} AS double)", Of(Below(4) == 0 ? Kind::kMoney : Number(), depth));
      case 4:
        return fmt::format("TRY_CAST({} AS double)", Of(Kind::kWords, depth));
      case 5:
        if (Below(4) == 0) return fmt::format("({} / {})", Of(Kind::kMoney, depth), Of(Kind::kMoney, depth));
        return fmt::format("({} / {})", Of(static_cast<Kind>(1 + Below(2)), depth), Of(Kind::kInt64, depth));
      case 6:
        return Pick({"list_sum(vec)", "list_avg(vec)", "list_avg(list)", "extract(epoch from t1)",
                     "epoch(t1 - t2)", "round(d1, 2)", "round(d2, -1)"});
      default:
        return fmt::format("({} {} {})", Of(Kind::kFloat64, depth), Pick({"+", "-", "*", "/", "%", "//"}),
                           Of(Below(2) == 0 ? Number() : Kind::kFloat64, depth));
    }
  }

  std::string TextCall(int depth) {
    switch (Below(8)) {
      case 0:
        return fmt::format("{}({})", Pick({"lower", "upper", "trim", "ltrim", "rtrim"}),
                           Of(Kind::kWords, depth));
      case 1:
        return fmt::format("substr({}, {}, {})", Of(Kind::kWords, depth),
                           Pick({"1", "2", "-2", "0", "i1 % 5"}), Pick({"1", "3", "0", "-1", "i2 % 5"}));
      case 2:
        return fmt::format("substr({}, {})", Of(Kind::kWords, depth), Pick({"1", "2", "-2", "0", "i1 % 5"}));
      case 3:
        return fmt::format("concat({}, {}, {})", Of(Kind::kWords, depth), Of(Kind::kInt64, depth),
                           Of(Kind::kWords, depth));
      case 4:
        return fmt::format("CAST({} AS varchar)", Of(static_cast<Kind>(Below(9)), depth));
      case 5:
        return fmt::format("replace({}, {}, {})", Of(Kind::kWords, depth), Pick({"'a'", "'bc'", "''", "s2"}),
                           Of(Kind::kWords, depth));
      case 6:
        return fmt::format("split({}, {})[{}]", Of(Kind::kWords, depth), Pick({"'b'", "' '", "''"}),
                           Pick({"1", "2", "-1"}));
      default:
        return fmt::format("({} || {})", Of(Kind::kWords, depth), Of(Kind::kWords, depth));
    }
  }

  std::string MoneyCall(int depth) {
    switch (Below(8)) {
      case 0:
        return fmt::format("({} * {})", Leaf(Kind::kMoney), Pick({"m1", "m2", "3", "i1", "-1.5", "0.125"}));
      case 1:
        return fmt::format("({} {} {})", Of(Kind::kMoney, depth), Pick({"+", "-"}),
                           Pick({"1.25", "100", "0.005", "NULL"}));
      case 2:
        return fmt::format("(- {})", Of(Kind::kMoney, depth));
      case 3:
        return fmt::format("CAST({} AS decimal({}))", Of(Below(2) == 0 ? Kind::kMoney : Number(), depth),
                           Pick({"12, 3", "9, 0", "4, 2", "18, 6", "20, 1"}));
      case 4:
        return fmt::format("TRY_CAST({} AS decimal({}))", Of(Below(2) == 0 ? Kind::kWords : Number(), depth),
                           Pick({"9, 2", "3", "18, 1"}));
      default:
        return fmt::format("({} {} {})", Of(Kind::kMoney, depth), Pick({"+", "-"}),
                           Below(3) == 0 ? Of(Kind::kInt32, depth) : Of(Kind::kMoney, depth));
    }
  }

  std::string TimeCall(int depth) {
    switch (Below(5)) {
      case 0:
        return fmt::format("date_trunc('{}', {})", Unit(), Of(Moment(), depth));
      case 1:
        return fmt::format("CAST({} AS timestamp)", Of(Kind::kDate, depth));
      case 2:
        // Not of the greatest numbers, which DuckDB takes for infinity: here they are no times.
        return fmt::format("{}({} // 3)", Pick({"make_timestamp", "epoch_ms"}), Of(Kind::kInt64, depth));
      case 3:
        return fmt::format("CAST(to_timestamp({}) AS timestamp)", Of(Kind::kFloat64, depth));
      default:
        return fmt::format(
            "({} {} INTERVAL {})", Of(Moment(), depth), Pick({"+", "-"}),
            Pick({"'1 month'", "3 days", "'1 year 2 months -3 days'", "90 minutes", "'13 months 1 second'"}));
    }
  }

  std::mt19937 random_;
};

// Random rows: small values mostly, edges with `is_wild`, nulls everywhere.
class RowMaker {
 public:
  RowMaker(std::uint32_t seed, bool is_wild) : random_(seed), is_wild_(is_wild) {}

  static std::vector<ExpressionColumn> Columns() {
    const DataType int64{TypeKind::kInt64};
    const DataType text{TypeKind::kString};
    const auto column = [](std::string name, DataType type) {
      return ExpressionColumn{.table = "", .name = std::move(name), .type = std::move(type)};
    };
    return {column("b1", {TypeKind::kBool}),
            column("b2", {TypeKind::kBool}),
            column("i1", {TypeKind::kInt32}),
            column("i2", {TypeKind::kInt32}),
            column("l1", int64),
            column("l2", int64),
            column("f1", {TypeKind::kFloat32}),
            column("f2", {TypeKind::kFloat32}),
            column("d1", {TypeKind::kFloat64}),
            column("d2", {TypeKind::kFloat64}),
            column("s1", text),
            column("s2", text),
            column("t1", {TypeKind::kTimestamp}),
            column("t2", {TypeKind::kTimestamp}),
            column("day1", {TypeKind::kDate}),
            column("day2", {TypeKind::kDate}),
            column("m1", DataType::Decimal(9, 2)),
            column("m2", DataType::Decimal(12, 4)),
            column("m3", DataType::Decimal(5, 0)),
            column("list", DataType::List(int64)),
            column("vec", DataType::List({TypeKind::kFloat64})),
            column("names", DataType::List(text)),
            column("near", DataType::List({TypeKind::kFloat32})),
            column("far", DataType::List({TypeKind::kFloat32})),
            column("st", DataType::Struct({{"a", int64}, {"b", text}}))};
  }

  std::vector<std::shared_ptr<arrow::Array>> Make(std::int64_t rows) {
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (const ExpressionColumn& column : Columns()) {
      const auto builder = arrow::MakeBuilder(ToArrow(column.type)).ValueOrDie();
      is_fixed_ = column.name == "near" || column.name == "far";
      for (std::int64_t row = 0; row < rows; ++row)
        Append(column.type, *builder);
      arrays.push_back(builder->Finish().ValueOrDie());
    }
    return arrays;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  template <typename T>
  T Pick(std::initializer_list<T> values) {
    return *(values.begin() + Below(values.size()));
  }

  double Real() {
    if (is_wild_ && Below(6) == 0) {
      return Pick({1e300, -1e300, 1e-300, 3e38, 9.3e18, double{NAN}, double{INFINITY}, -double{INFINITY},
                   2147483648.5});
    }
    return Pick({0.0, -0.0, 1.0, 0.5, 1.5, 2.5, -2.5, 0.1, 123.456, -7.0, 1e-7, 1234567.0});
  }

  std::int64_t Whole() {
    if (is_wild_ && Below(6) == 0) {
      return Pick<std::int64_t>({INT64_MAX, INT64_MIN, INT64_MAX - 1, 3'000'000'000, -3'000'000'000});
    }
    return static_cast<std::int64_t>(Below(41)) - 20;
  }

  void Append(const DataType& type, arrow::ArrayBuilder& builder) {
    if (!is_fixed_ && Below(6) == 0) {
      ASSERT_TRUE(builder.AppendNull().ok());
      return;
    }
    arrow::Status done;
    switch (type.kind) {
      case TypeKind::kBool:
        done = static_cast<arrow::BooleanBuilder&>(builder).Append(Below(2) == 0);
        break;
      case TypeKind::kInt32: {
        const std::int32_t edge = Pick({INT32_MAX, INT32_MIN});
        done = static_cast<arrow::Int32Builder&>(builder).Append(
            is_wild_ && Below(8) == 0 ? edge : static_cast<std::int32_t>(Below(41)) - 20);
        break;
      }
      case TypeKind::kInt64:
        done = static_cast<arrow::Int64Builder&>(builder).Append(Whole());
        break;
      case TypeKind::kFloat32:
        done = static_cast<arrow::FloatBuilder&>(builder).Append(is_fixed_ ? static_cast<float>(Below(9))
                                                                           : static_cast<float>(Real()));
        break;
      case TypeKind::kFloat64:
        done = static_cast<arrow::DoubleBuilder&>(builder).Append(Real());
        break;
      case TypeKind::kString:
        done = static_cast<arrow::StringBuilder&>(builder).Append(
            Pick({"abc", "", "Äbc déf", "a b c", "12", " -7 ", "1.5e1", "12.5", "ABC", "日本", "bcb", "1e400",
                  "x%_y"}));
        break;
      case TypeKind::kTimestamp:
        done = static_cast<arrow::TimestampBuilder&>(builder).Append(
            static_cast<std::int64_t>(random_() % 4'000'000'000) * 1'000'003 - 1'500'000'000'000'000);
        break;
      case TypeKind::kDate:
        done = static_cast<arrow::Date32Builder&>(builder).Append(static_cast<std::int32_t>(Below(40'000)) -
                                                                  15'000);
        break;
      case TypeKind::kDecimal: {
        auto units = static_cast<std::int64_t>(Below(20'001)) - 10'000;
        if (is_wild_ && Below(6) == 0) units = Pick<std::int64_t>({99'999, -99'999, 50'000, 5, 15, -5});
        done = static_cast<arrow::Decimal128Builder&>(builder).Append(arrow::Decimal128(units));
        break;
      }
      case TypeKind::kList: {
        auto& lists = static_cast<arrow::ListBuilder&>(builder);
        done = lists.Append();
        const std::size_t length = is_fixed_ ? 3 : Below(4);
        for (std::size_t i = 0; i < length; ++i)
          Append(type.children[0].type, *lists.value_builder());
        break;
      }
      default: {
        auto& structs = static_cast<arrow::StructBuilder&>(builder);
        done = structs.Append();
        for (int i = 0; i < 2; ++i)
          Append(type.children[static_cast<std::size_t>(i)].type, *structs.field_builder(i));
        break;
      }
    }
    ASSERT_TRUE(done.ok()) << done.ToString();
  }

  std::mt19937 random_;
  bool is_wild_;
  bool is_fixed_ = false;  // lists of one length without nulls
};

bool Near(double a, double b, double relative) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

// Values of one row as text, floats rounded so that a last digit does not matter.
std::string Shown(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return "null";
  if (array.type_id() == arrow::Type::TIMESTAMP) {
    return std::to_string(static_cast<const arrow::TimestampArray&>(array).Value(row));
  }
  std::string text = (*array.GetScalar(row))->ToString();
  if (const std::size_t at = text.find("-nan"); at != std::string::npos)
    text.erase(at, 1);  // a NaN has no sign
  return text;
}

bool Same(const arrow::Array& ours, const arrow::Array& theirs, std::int64_t row) {
  if (ours.IsNull(row) || theirs.IsNull(row)) return ours.IsNull(row) == theirs.IsNull(row);
  if (ours.type_id() == arrow::Type::DOUBLE && theirs.type_id() == arrow::Type::DOUBLE) {
    return Near(static_cast<const arrow::DoubleArray&>(ours).Value(row),
                static_cast<const arrow::DoubleArray&>(theirs).Value(row), 1e-12);
  }
  if (ours.type_id() == arrow::Type::FLOAT && theirs.type_id() == arrow::Type::FLOAT) {
    return Near(static_cast<double>(static_cast<const arrow::FloatArray&>(ours).Value(row)),
                static_cast<double>(static_cast<const arrow::FloatArray&>(theirs).Value(row)), 1e-6);
  }
  return Shown(ours, row) == Shown(theirs, row);
}

class ExpressionDifferentialTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::int64_t kRows = 40;

  void SetUp() override {
    const auto database = AdbcDatabase::Open({.driver = TIDEMARK_DUCKDB_LIBRARY,
                                              .entrypoint = "duckdb_adbc_init",
                                              .options = {{"path", ":memory:"}}});
    ASSERT_TRUE(database) << database.error().ToString();
    connection_ = (*database)->Connect().value();
    ASSERT_TRUE(connection_->Execute("SET threads = 1"));
    ASSERT_TRUE(
        connection_->Execute("PRAGMA disable_optimizer"));  // which leaves out what it thinks cannot matter
    columns_ = RowMaker::Columns();
    arrays_ = RowMaker(7, GetParam()).Make(kRows);
    // Times go in without their zone: DuckDB's functions of times with one need an extension.
    std::vector<std::shared_ptr<arrow::Field>> fields{arrow::field("place", arrow::int64())};
    arrow::Int64Builder places;
    for (std::int64_t i = 0; i < kRows; ++i)
      ASSERT_TRUE(places.Append(i).ok());
    std::vector<std::shared_ptr<arrow::Array>> plain{places.Finish().ValueOrDie()};
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool is_time = columns_[i].type.kind == TypeKind::kTimestamp;
      const auto type = is_time ? arrow::timestamp(arrow::TimeUnit::MICRO) : arrays_[i]->type();
      fields.push_back(arrow::field(columns_[i].name, type));
      plain.push_back(is_time ? arrays_[i]->View(type).ValueOrDie() : arrays_[i]);
    }
    const auto table = arrow::Table::Make(arrow::schema(fields), plain);
    ASSERT_TRUE(connection_->Ingest({.table = "t"}, std::make_shared<arrow::TableBatchReader>(table)));
  }

  Result<std::shared_ptr<arrow::Array>> AskDuckDb(const std::string& text, const DataType& type) {
    const std::string sql = fmt::format("SELECT ({})::{} FROM t ORDER BY place", text, DuckType(type));
    TM_ASSIGN(const auto reader, connection_->Query({.sql = sql}));
    TM_ASSIGN(const auto table, FromArrowResult(reader->ToTable()));
    TM_ASSIGN(const auto batch, FromArrowResult(table->CombineChunksToBatch()));
    return batch->column(0);
  }

  // What is wrong; empty if nothing is.
  std::string Difference(const std::string& text, int& errors) {
    const auto bound = BoundExpression::Bind(text, columns_);
    if (!bound) return bound.error().ToString();
    const auto ours = bound->Evaluate({.columns = arrays_, .count = kRows});
    const auto theirs = AskDuckDb(text, bound->type());
    if (!ours && !theirs) {
      ++errors;
      return "";
    }
    // What is null in the text itself makes null what it stands in, and errors beside it do not come up.
    const bool has_null =
        std::ranges::any_of(std::to_array<std::string_view>(
                                {"NULL::", "NULL)", "TRY_CAST('", "% 0)", "// 0)", "% 0e0)", "// 0e0)"}),
                            [&](std::string_view null) { return text.contains(null); });
    if (has_null && (!ours || !theirs)) return "";
    if (!ours) return "only DuckDB has values: " + ours.error().ToString();
    if (!theirs) return "only we have values: " + theirs.error().ToString();
    if (auto valid = (*ours)->ValidateFull(); !valid.ok()) return valid.ToString();
    for (std::int64_t row = 0; row < kRows; ++row) {
      if (Same(**ours, **theirs, row)) continue;
      return fmt::format("row {}: {} where DuckDB has {}", row, Shown(**ours, row), Shown(**theirs, row));
    }
    texts_.push_back({.text = text});
    alone_.push_back(*ours);
    return "";
  }

  // Those that had values since the last time give the same together, where they share what they can.
  void CheckTogether() {
    const auto bound = BoundExpressions::Bind(texts_, columns_);
    ASSERT_TRUE(bound) << bound.error().ToString();
    const auto together = bound->Evaluate({.columns = arrays_, .count = kRows});
    ASSERT_TRUE(together) << together.error().ToString();
    for (std::size_t i = 0; i < alone_.size(); ++i) {
      EXPECT_TRUE((*together)[i]->Equals(alone_[i], arrow::EqualOptions().nans_equal(true)))
          << texts_[i].text;
    }
    texts_.clear();
    alone_.clear();
  }

  std::vector<StatedExpression> texts_;
  std::vector<std::shared_ptr<arrow::Array>> alone_;
  std::shared_ptr<AdbcConnection> connection_;
  std::vector<ExpressionColumn> columns_;
  std::vector<std::shared_ptr<arrow::Array>> arrays_;
};

TEST_P(ExpressionDifferentialTest, AnswersAreDuckDbs) {
  constexpr int kExpressions = 4000;
  ExpressionMaker maker(GetParam() ? 2 : 1);
  int errors = 0;
  int wrong = 0;
  for (int i = 0; i < kExpressions && wrong < 25; ++i) {
    const std::string text = maker.Any();
    const std::string difference = Difference(text, errors);
    if (texts_.size() == 20) CheckTogether();
    if (difference.empty()) continue;
    ++wrong;
    ADD_FAILURE() << text << "\n  " << difference;
  }
  RecordProperty("errors", errors);
  EXPECT_LT(errors, kExpressions * 2 / 3) << "too few of the expressions have values";
}

INSTANTIATE_TEST_SUITE_P(Rows, ExpressionDifferentialTest, testing::Values(false, true),
                         [](const auto& tested) { return tested.param ? "AtTheEdges" : "Small"; });

}  // namespace
}  // namespace tidemark
