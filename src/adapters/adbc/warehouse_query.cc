// Needs as conditions.
#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "adapters/adbc/warehouse_query_internal.h"

namespace tidemark {
namespace {

// The years 1 to 9999, which every database has.
constexpr std::int64_t kFirstTime = -62'135'596'800'000'000;
constexpr std::int64_t kLastTime = 253'402'300'799'999'999;
constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

/// A column whose values compare as times.
class TimeColumn {
 public:
  /// Nothing if the server would compare it as something else, such as text.
  static std::optional<TimeColumn> Of(SqlDialect dialect, const std::vector<WarehouseColumn>& columns,
                                      const std::string& name) {
    const auto found = std::ranges::find_if(
        columns, [&](const WarehouseColumn& column) { return column.field->name() == name; });
    if (found == columns.end() || found->is_unreadable) return std::nullopt;
    const arrow::DataType& type = *found->field->type();
    if (type.id() != arrow::Type::TIMESTAMP && type.id() != arrow::Type::DATE32) return std::nullopt;
    return TimeColumn(dialect, QuotedName(dialect, found->column), type);
  }

  const std::string& name() const { return name_; }

  /// Nothing if it holds for every time.
  std::optional<std::string> NotBefore(std::int64_t us) const {
    if (us <= kFirstTime) return std::nullopt;
    return fmt::format("{} >= {}", name_, Literal(std::min(us, kLastTime)));
  }
  std::optional<std::string> NotAfter(std::int64_t us) const {
    if (us >= kLastTime) return std::nullopt;
    const std::int64_t last = std::max(us, kFirstTime);
    // Digits behind the microseconds are cut when they are read.
    if (is_finer_) return fmt::format("{} < {}", name_, Literal(last + 1));
    return fmt::format("{} <= {}", name_, Literal(last));
  }

 private:
  TimeColumn(SqlDialect dialect, std::string name, const arrow::DataType& type)
      : dialect_(dialect), name_(std::move(name)), is_date_(type.id() == arrow::Type::DATE32) {
    if (is_date_) return;
    const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
    has_zone_ = !timestamp.timezone().empty();
    is_finer_ = timestamp.unit() == arrow::TimeUnit::NANO;
  }

  // A day is compared by its midnight: of the earliest moment the day itself is asked for, which is no less.
  std::string Literal(std::int64_t us) const {
    return is_date_ ? DateLiteral(us) : TimeLiteral(dialect_, us, has_zone_);
  }

  SqlDialect dialect_;
  std::string name_;
  bool is_date_ = false;
  bool has_zone_ = false;
  bool is_finer_ = false;
};

void Add(std::vector<std::string>& conditions, std::optional<std::string> condition) {
  if (condition) conditions.push_back(*std::move(condition));
}

/// Nothing if every row may matter.
std::optional<std::string> TimesCondition(SqlDialect dialect, const BatchSource& source,
                                          const std::vector<WarehouseColumn>& columns,
                                          const std::vector<SourceNeeds::Times>& times) {
  const auto event = TimeColumn::Of(dialect, columns, source.timestamp_field);
  const auto created = TimeColumn::Of(dialect, columns, source.created_timestamp_column);
  std::vector<std::string> any;
  for (const SourceNeeds::Times& box : times) {
    std::vector<std::string> all;
    if (event) {
      Add(all, event->NotBefore(box.event_first_us));
      Add(all, event->NotAfter(box.event_last_us));
    }
    if (created) {
      Add(all, created->NotBefore(box.created_first_us));
      Add(all, created->NotAfter(box.created_last_us));
    }
    if (all.empty()) return std::nullopt;
    any.push_back(fmt::format("({})", fmt::join(all, " AND ")));
  }
  if (any.empty()) return std::nullopt;
  // A row without its times is an error, and must not be passed over because others are.
  const auto is_bounded = [&](auto first, auto last) {
    return std::ranges::any_of(times, [&](const SourceNeeds::Times& box) {
      return box.*first != kLowest || box.*last != kGreatest;
    });
  };
  using Times = SourceNeeds::Times;
  if (event && is_bounded(&Times::event_first_us, &Times::event_last_us))
    any.push_back(event->name() + " IS NULL");
  if (created && is_bounded(&Times::created_first_us, &Times::created_last_us))
    any.push_back(created->name() + " IS NULL");
  return fmt::format("({})", fmt::join(any, " OR "));
}

/// Nothing if values of the column are compared otherwise than in SQL.
std::optional<std::string> KeyCondition(SqlDialect dialect, const WarehouseColumn& column,
                                        const arrow::Array& key) {
  const arrow::Type::type type = column.field->type()->id();
  const std::string name = QuotedName(dialect, column.column);
  if (arrow::is_signed_integer(type) && key.type_id() == arrow::Type::INT64)
    return fmt::format("{} = {}", name, static_cast<const arrow::Int64Array&>(key).Value(0));
  if (arrow::is_string(type) && key.type_id() == arrow::Type::BINARY) {
    const std::string_view text = static_cast<const arrow::BinaryArray&>(key).GetView(0);
    if (text.find('\0') != text.npos) return std::nullopt;  // which no text of a database has
    return fmt::format("{} = {}", AsText(dialect, name), QuotedText(dialect, text));
  }
  return std::nullopt;
}

}  // namespace

std::string FromClause(SqlDialect dialect, const Warehouse& warehouse) {
  if (!warehouse.table.empty()) return QuotedTable(dialect, warehouse);
  std::string query = warehouse.query;
  const std::size_t end = query.find_last_not_of(" \t\r\n;");
  query.resize(end == query.npos ? 0 : end + 1);
  return fmt::format("(\n{}\n) AS {}", query, QuotedName(dialect, "source"));
}

std::string SchemaQuery(SqlDialect dialect, const Warehouse& warehouse) {
  return "SELECT * FROM " + FromClause(dialect, warehouse);
}

std::string RowsQuery(SqlDialect dialect, const BatchSource& source,
                      const std::vector<WarehouseColumn>& columns, const std::vector<std::size_t>& selected,
                      const SourceNeeds& needs) {
  std::vector<std::string> expressions;
  for (const std::size_t at : selected) {
    const WarehouseColumn& column = columns[at];
    const std::string name = QuotedName(dialect, column.column);
    expressions.push_back(column.expression == name ? name
                                                    : fmt::format("{} AS {}", column.expression, name));
  }
  std::vector<std::string> conditions;
  Add(conditions, TimesCondition(dialect, source, columns, needs.times));
  for (const auto& [name, key] : needs.key) {
    const auto column = std::ranges::find_if(
        columns, [&](const WarehouseColumn& each) { return each.field->name() == name; });
    if (column != columns.end() && !column->is_unreadable)
      Add(conditions, KeyCondition(dialect, *column, *key));
  }
  return fmt::format("SELECT {} FROM {}{}{}", fmt::join(expressions, ", "),
                     FromClause(dialect, *source.warehouse), conditions.empty() ? "" : " WHERE ",
                     fmt::join(conditions, " AND "));
}

}  // namespace tidemark
