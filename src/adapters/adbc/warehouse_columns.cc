// PostgreSQL's types are told by the metadata that its driver adds to each column.
#include <arrow/array/array_nested.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/extension/opaque.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>

#include "adapters/adbc/warehouse_columns_internal.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "store/source.h"

namespace tidemark {
namespace {

// What ADBC gives as it is: bool, numbers, text, bytes, times.
constexpr std::array<std::string_view, 15> kPlainTypes{
    "bool",   "int2", "int4", "int8",  "float4",    "float8",      "text", "varchar",
    "bpchar", "name", "char", "bytea", "timestamp", "timestamptz", "date"};
// What reads well as text, even where nobody says so.
constexpr std::array<std::string_view, 3> kTextTypes{"uuid", "json", "jsonb"};
constexpr std::string_view kUnnamed = "unnamed<oid:";
constexpr int kTypmodOffset = 4;  // of numeric(p, s): ((p << 16) | s) + 4
constexpr int kDecimalDigitsMax = 38;

std::string MetadataOf(const arrow::Field& field, const std::string& key) {
  if (field.metadata() == nullptr) return {};
  return field.metadata()->Get(key).ValueOr("");
}

template <typename Range, typename Value>
bool IsAmong(const Range& range, const Value& value) {
  return std::ranges::find(range, value) != std::ranges::end(range);
}

bool IsKind(const std::optional<DataType>& type, TypeKind kind) {
  return type && type->kind == kind;
}

bool IsListOf(const std::optional<DataType>& type, TypeKind kind) {
  return IsKind(type, TypeKind::kList) && type->children.at(0).type.kind == kind;
}

/// What extension types are made of: they are told by what the driver says of them.
std::shared_ptr<arrow::DataType> StorageOf(const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() != arrow::Type::EXTENSION) return type;
  return static_cast<const arrow::ExtensionType&>(*type).storage_type();
}

/// One column, before anything is known of it but what the driver says.
class Planning {
 public:
  Planning(const arrow::Field& arriving, const ColumnPlan& plan) : plan_(plan), arriving_(arriving) {
    made_.column = arriving.name();
    made_.expression = QuotedName(plan.dialect, made_.column);
    const auto mapped = plan.field_mapping.find(made_.column);
    name_ = mapped == plan.field_mapping.end() ? made_.column : mapped->second;
    if (const auto found = plan.declared.find(name_); found != plan.declared.end()) declared_ = found->second;
    type_ = MetadataOf(arriving, "POSTGRESQL:type");
  }

  WarehouseColumn Run(const std::vector<std::string>& enums) {
    if (type_.empty()) {
      PlanOther();
    } else if (type_ == "numeric") {
      PlanNumeric();
    } else if (IsAmong(kPlainTypes, type_)) {
      AsItIs();
    } else if (type_.starts_with('_')) {
      PlanArray();
    } else if (type_ == "oid" && IsKind(declared_, TypeKind::kInt64)) {
      Cast("int8", arrow::int64());
    } else if (IsKind(declared_, TypeKind::kString) || IsAmong(kTextTypes, type_) || IsAmong(enums, type_)) {
      Cast("text", arrow::utf8());
    } else {
      Unreadable(fmt::format("it is {}", ShownType()), "text");
    }
    return std::move(made_);
  }

 private:
  std::string ShownType() const { return type_.starts_with(kUnnamed) ? "a type of its own" : type_; }

  void Is(std::shared_ptr<arrow::DataType> arriving, std::shared_ptr<arrow::DataType> read) {
    made_.arriving = std::move(arriving);
    made_.field = arrow::field(name_, std::move(read));
  }

  void AsItIs() {
    made_.may_be_infinite = type_.find("timestamp") != type_.npos || type_.find("date") != type_.npos;
    Is(arriving_.type(), arriving_.type());
  }

  void Cast(std::string_view type, const std::shared_ptr<arrow::DataType>& result) {
    made_.expression = fmt::format("CAST({} AS {})", made_.expression, type);
    Is(result, result);
  }

  void Unreadable(std::string_view what, std::string_view cast) {
    made_.is_unreadable = true;
    made_.arriving = arriving_.type();
    const std::string quoted = QuotedName(plan_.dialect, made_.column);
    const std::string hint = fmt::format(
        "in the warehouse {}, which has no counterpart here: cast it in the source's query=, as in select "
        "cast({} as {}) as {}, or declare a type that it can be read as",
        what, quoted, cast, quoted);
    // Of no type that anything would read: the server's own may look like one, as money does.
    auto type = arrow::extension::opaque(arrow::null(), type_.empty() ? "unknown" : type_, "ADBC");
    made_.field = arrow::field(name_, std::move(type))
                      ->WithMetadata(arrow::key_value_metadata({std::string(kColumnHint)}, {hint}));
  }

  /// A driver that is not PostgreSQL's.
  void PlanOther() {
    const auto storage = StorageOf(arriving_.type());
    if (FromArrow(*storage)) return Is(arriving_.type(), storage);
    if (IsKind(declared_, TypeKind::kString)) {
      made_.expression = AsText(plan_.dialect, made_.expression);
      return Is(arrow::utf8(), arrow::utf8());
    }
    Unreadable(fmt::format("it comes as {}", arriving_.type()->ToString()), "varchar");
  }

  void PlanNumeric() {
    if (IsKind(declared_, TypeKind::kFloat64)) return Cast("double precision", arrow::float64());
    if (IsKind(declared_, TypeKind::kFloat32)) return Cast("real", arrow::float32());
    if (IsKind(declared_, TypeKind::kString)) return Cast("text", arrow::utf8());
    std::optional<DataType> exact = declared_;
    if (!exact) exact = DeclaredInWarehouse();
    const bool is_exact = IsKind(exact, TypeKind::kDecimal) || IsKind(exact, TypeKind::kInt32) ||
                          IsKind(exact, TypeKind::kInt64);
    if (!is_exact) return Unreadable("it is numeric of any number of digits", "double precision");
    made_.exact = exact;
    Is(arriving_.type(), ToArrow(*exact));
  }

  /// numeric(p, s), as far as decimals go.
  std::optional<DataType> DeclaredInWarehouse() const {
    const std::string text = MetadataOf(arriving_, "POSTGRESQL:typmod");
    int typmod = -1;
    std::from_chars(text.data(), text.data() + text.size(), typmod);
    if (typmod < kTypmodOffset) return std::nullopt;
    const int digits = (typmod - kTypmodOffset) >> 16;
    const int scale = (typmod - kTypmodOffset) & 0xFFFF;
    if (digits < 1 || digits > kDecimalDigitsMax || scale > digits) return std::nullopt;
    return DataType::Decimal(digits, scale);
  }

  /// The driver makes one list of an array of several dimensions: the server is told to fail over it, by a
  /// text that is no number.
  void RefuseDimensions(std::string_view item) {
    const std::string name = made_.expression;
    const std::string told =
        QuotedText(plan_.dialect, fmt::format("column {} holds an array of dimensions: ", made_.column));
    made_.expression = fmt::format(
        "CASE WHEN array_ndims({0}) > 1 THEN CAST(CAST(CAST({1} || array_ndims({0}) AS integer) AS text) AS "
        "{2}[]) ELSE {0} END",
        name, told, QuotedName(plan_.dialect, item));
  }

  void PlanArray() {
    const std::string_view item = std::string_view(type_).substr(1);
    RefuseDimensions(item);
    if (IsAmong(kPlainTypes, item)) return AsItIs();
    if (item == "numeric" && IsListOf(declared_, TypeKind::kFloat64))
      return Cast("double precision[]", arrow::list(arrow::float64()));
    if (item == "numeric" && IsListOf(declared_, TypeKind::kFloat32))
      return Cast("real[]", arrow::list(arrow::float32()));
    if (IsListOf(declared_, TypeKind::kString) || IsAmong(kTextTypes, item))
      return Cast("text[]", arrow::list(arrow::utf8()));
    Unreadable(fmt::format("it is an array of {}", item),
               item == "numeric" ? "double precision[]" : "text[]");
  }

  const ColumnPlan& plan_;
  const arrow::Field& arriving_;
  std::string type_;  // of PostgreSQL
  std::string name_;
  std::optional<DataType> declared_;
  WarehouseColumn made_;
};

Error Misfit(const WarehouseColumn& column, std::int64_t row, std::string_view text) {
  return {ErrorCode::kTypeMismatch,
          fmt::format("column '{}', row {}: {} does not fit {} without loss", column.field->name(), row, text,
                      column.exact->ToString()),
          {}};
}

/// A whole number, however many zeros are behind its point.
std::optional<std::int64_t> WholeNumber(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point != text.npos && text.find_first_not_of('0', point + 1) != text.npos) return std::nullopt;
  text = text.substr(0, point);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <typename Builder, typename Parse>
Result<std::shared_ptr<arrow::Array>> ParseEach(const WarehouseColumn& column,
                                                const arrow::StringArray& texts, std::int64_t first_row,
                                                Builder& builder, const Parse& parse) {
  TM_TRY(FromArrowStatus(builder.Reserve(texts.length())));
  for (std::int64_t row = 0; row < texts.length(); ++row) {
    if (texts.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const auto value = parse(texts.GetView(row));
    if (!value) return std::unexpected(Misfit(column, first_row + row, texts.GetView(row)));
    builder.UnsafeAppend(*value);
  }
  return FromArrowResult(builder.Finish());
}

Result<std::shared_ptr<arrow::Array>> ReadExact(const WarehouseColumn& column,
                                                const arrow::StringArray& texts, std::int64_t first_row) {
  if (column.exact->kind == TypeKind::kInt64) {
    arrow::Int64Builder builder;
    return ParseEach(column, texts, first_row, builder, WholeNumber);
  }
  if (column.exact->kind == TypeKind::kInt32) {
    arrow::Int32Builder builder;
    return ParseEach(column, texts, first_row, builder,
                     [](std::string_view text) -> std::optional<std::int32_t> {
                       const auto number = WholeNumber(text);
                       if (!number || *number != static_cast<std::int32_t>(*number)) return std::nullopt;
                       return static_cast<std::int32_t>(*number);
                     });
  }
  arrow::Decimal128Builder builder(column.field->type());
  const int digits = column.exact->precision;
  const int scale = column.exact->scale;
  return ParseEach(column, texts, first_row, builder,
                   [&](std::string_view text) -> std::optional<arrow::Decimal128> {
                     arrow::Decimal128 number;
                     std::int32_t own_digits = 0;
                     std::int32_t own_scale = 0;
                     if (!arrow::Decimal128::FromString(text, &number, &own_digits, &own_scale).ok())
                       return std::nullopt;
                     const auto rescaled = number.Rescale(own_scale, scale);
                     if (!rescaled.ok() || !rescaled->FitsInPrecision(digits)) return std::nullopt;
                     return *rescaled;
                   });
}

/// The row of a time that PostgreSQL does not have: what its driver makes of one that is infinite, or too
/// late for microseconds since 1970.
std::optional<std::int64_t> RowBeyondTimes(const arrow::Array& values) {
  constexpr std::int64_t kFirstUs = -210'866'803'200'000'000;  // 4713 BC, the first that it has
  constexpr std::int32_t kFirstDay = -2'440'588;
  const auto find = [&](const auto& typed, auto first) -> std::optional<std::int64_t> {
    for (std::int64_t row = 0; row < typed.length(); ++row) {
      if (typed.Value(row) < first && !typed.IsNull(row)) return row;
    }
    return std::nullopt;
  };
  switch (values.type_id()) {
    case arrow::Type::TIMESTAMP:
      return find(static_cast<const arrow::TimestampArray&>(values), kFirstUs);
    case arrow::Type::DATE32:
      return find(static_cast<const arrow::Date32Array&>(values), kFirstDay);
    case arrow::Type::LIST: {
      const auto& lists = static_cast<const arrow::ListArray&>(values);
      for (std::int64_t row = 0; row < lists.length(); ++row) {
        if (!lists.IsNull(row) && RowBeyondTimes(*lists.value_slice(row))) return row;
      }
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

Result<void> CheckTimes(const WarehouseColumn& column, const arrow::Array& values, std::int64_t first_row) {
  const auto row = RowBeyondTimes(values);
  if (!row) return {};
  return Fail(
      ErrorCode::kInvalidData,
      fmt::format("column '{0}', row {1}: a time that is infinite, or later than the year 294246, has no "
                  "counterpart: make it null in the source's query=, as in nullif({2}, 'infinity')",
                  column.field->name(), first_row + *row,
                  QuotedName(SqlDialect::kPostgreSql, column.column)));
}

}  // namespace

Result<std::vector<WarehouseColumn>> PlanColumns(const arrow::Schema& arriving, const ColumnPlan& plan) {
  std::vector<std::string> others;
  for (const auto& field : arriving.fields()) {
    std::string type = MetadataOf(*field, "POSTGRESQL:type");
    const bool is_known = type.empty() || type.starts_with('_') || type == "numeric" ||
                          IsAmong(kPlainTypes, type) || IsAmong(kTextTypes, type);
    if (!is_known) others.push_back(std::move(type));
  }
  std::vector<std::string> enums;
  if (!others.empty() && plan.enums) {
    TM_ASSIGN(enums, plan.enums(others));
  }
  std::vector<WarehouseColumn> columns;
  std::map<std::string, std::string> taken;
  for (const auto& field : arriving.fields()) {
    columns.push_back(Planning(*field, plan).Run(enums));
    const WarehouseColumn& made = columns.back();
    const auto [before, is_new] = taken.emplace(made.field->name(), made.column);
    if (is_new) continue;
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("columns {} and {} would both be called {}: give one another name in the query, or "
                    "change field_mapping",
                    Quoted(before->second), Quoted(made.column), Quoted(made.field->name())));
  }
  return columns;
}

Result<std::shared_ptr<arrow::Array>> ReadColumn(const WarehouseColumn& column,
                                                 const std::shared_ptr<arrow::Array>& values,
                                                 std::int64_t first_row) {
  std::shared_ptr<arrow::Array> plain = values;
  if (values->type_id() == arrow::Type::EXTENSION)
    plain = static_cast<const arrow::ExtensionArray&>(*values).storage();
  if (column.exact && plain->type_id() == arrow::Type::STRING)
    return ReadExact(column, static_cast<const arrow::StringArray&>(*plain), first_row);
  if (column.may_be_infinite) TM_TRY(CheckTimes(column, *plain, first_row));
  if (plain->type()->Equals(*column.field->type())) return plain;
  return Fail(ErrorCode::kInvalidData,
              fmt::format("column '{}' comes as {} and was {} a moment ago: the table has changed; try again",
                          column.field->name(), values->type()->ToString(), column.arriving->ToString()));
}

}  // namespace tidemark
