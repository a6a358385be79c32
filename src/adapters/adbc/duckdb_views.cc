// Tables as SELECT statements over read_parquet and read_csv.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/duckdb_views_internal.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark {
namespace {

// The column that says which file a row is from: names of users do not begin with two underscores.
constexpr std::string_view kPathColumn = "__tidemark_path";

bool IsHive(const SqlTable& table, const SqlColumn& column) {
  return std::ranges::find(table.files.hive_columns, column.name) != table.files.hive_columns.end();
}

const std::string& InFile(const SqlColumn& column) {
  return column.in_file.empty() ? column.name : column.in_file;
}

std::string PathList(const std::vector<std::string>& paths) {
  std::string list;
  for (const std::string& path : paths)
    list += (list.empty() ? "" : ", ") + QuotedText(PatternOf(path));
  return "[" + list + "]";
}

std::string EscapedForPattern(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\.^$|()[]{}*+?-").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// The column that says a file's path. By this name, and no other, DuckDB finds which files need not be opened
// when something of the path is compared with a constant.
constexpr std::string_view kUsualPathColumn = "filename";

std::string PathOption(const SqlTable& table) {
  const std::string_view name = PathColumn(table);
  return ", filename=" + (name == kUsualPathColumn ? std::string("true") : QuotedText(name));
}

// The value of the innermost folder `name=value` on the way to the file.
std::string HiveValue(const SqlTable& table, const SqlColumn& column) {
  const std::string pattern = ".*/" + EscapedForPattern(InFile(column)) + "=([^/]*)/";
  const std::string text = "nullif(url_decode(regexp_extract(" + QuotedName(PathColumn(table)) + ", " +
                           QuotedText(pattern) + ", 1)), '__HIVE_DEFAULT_PARTITION__')";
  if (column.type.kind == TypeKind::kString) return text;
  return "CAST(" + text + " AS " + DuckDbType(column.type) + ")";
}

std::string Selected(const std::string& value, const SqlColumn& column) {
  return value + " AS " + QuotedName(column.name);
}

void Append(std::string& list, const std::string& item) {
  list += (list.empty() ? "" : ", ") + item;
}

// Parquet: columns by their field id where they have one, by name otherwise, widened to what they are read
// as; those that a file does not have are null.
std::string ParquetSelect(const SqlTable& table) {
  const bool by_id = std::ranges::all_of(
      table.columns, [&](const SqlColumn& column) { return column.id != 0 || IsHive(table, column); });
  std::string map;
  std::string select;
  for (const SqlColumn& column : table.columns) {
    if (IsHive(table, column)) {
      Append(select, Selected(HiveValue(table, column), column));
      continue;
    }
    Append(map, (by_id ? std::to_string(column.id) : QuotedText(InFile(column))) +
                    ": {name: " + QuotedText(column.name) + ", type: " + QuotedText(DuckDbType(column.type)) +
                    ", default_value: NULL}");
    Append(select, QuotedName(column.name));
  }
  std::string schema = map.empty() ? "" : ", schema=MAP{" + map + "}";
  return "SELECT " + select + " FROM read_parquet(" + PathList(table.files.paths) + PathOption(table) +
         schema + ")";
}

// As the files layer reads CSV: a header, commas, quotes doubled; nothing between two commas is null, "" is
// empty text.
constexpr std::string_view kCsvOptions =
    "header=true, delim=',', quote='\"', escape='\"', nullstr='', allow_quoted_nulls=false, skip=0, "
    "comment='', "
    "dateformat='%Y-%m-%d', strict_mode=true, hive_partitioning=false";

// The type that DuckDB parses a column's text as; times are read by tidemark_time, in all their forms.
Result<std::string> CsvType(const SqlColumn& column) {
  if (column.type.is_nested()) {
    return Fail(ErrorCode::kUnsupported,
                "column '" + column.name + "': CSV files hold no " + column.type.ToString());
  }
  const bool is_text = column.type.kind == TypeKind::kTimestamp || column.type.kind == TypeKind::kBinary;
  return is_text ? std::string("VARCHAR") : DuckDbType(column.type);
}

std::string CsvValue(const SqlColumn& column) {
  const std::string value = QuotedName(InFile(column));
  if (column.type.kind == TypeKind::kTimestamp) {
    return std::string(kTimeFunction) + "(" + value + ", " + QuotedText(column.name) + ")";
  }
  return column.type.kind == TypeKind::kBinary ? "encode(" + value + ")" : value;
}

Result<std::string> CsvSelect(const SqlTable& table, const ColumnNamesOf& names) {
  const std::string paths = PathList(table.files.paths);
  const std::string options(kCsvOptions);
  TM_ASSIGN(const std::vector<std::string> header, names("SELECT * FROM read_csv(" + paths + ", " + options +
                                                         ", all_varchar=true, union_by_name=true)"));
  const std::set<std::string> in_files(header.begin(), header.end());
  const bool is_alone = table.files.paths.size() == 1;
  std::string types;
  std::string select;
  std::set<std::string> typed;
  for (const SqlColumn& column : table.columns) {
    if (IsHive(table, column)) {
      Append(select, Selected(HiveValue(table, column), column));
    } else if (!in_files.contains(InFile(column))) {
      Append(select, Selected("CAST(NULL AS " + DuckDbType(column.type) + ")", column));
    } else {
      TM_ASSIGN(const std::string type, CsvType(column));
      if (!is_alone && typed.insert(InFile(column)).second) {
        Append(types, QuotedText(InFile(column)) + ": " + QuotedText(type));
      }
      Append(select, Selected(CsvValue(column), column));
    }
  }
  std::string parse = ", union_by_name=true" + (types.empty() ? "" : ", types={" + types + "}");
  if (is_alone) {
    // All of the header is stated, so that nothing has to be found out again when a query comes.
    for (const std::string& name : header) {
      const auto column = std::ranges::find_if(table.columns, [&](const SqlColumn& candidate) {
        return InFile(candidate) == name && !IsHive(table, candidate);
      });
      std::string type = "VARCHAR";
      if (column != table.columns.end()) {
        TM_ASSIGN(type, CsvType(*column));
      }
      Append(types, QuotedText(name) + ": " + QuotedText(type));
    }
    parse = ", auto_detect=false, columns={" + types + "}";
  }
  return "SELECT " + select + " FROM read_csv(" + paths + ", " + options + parse + PathOption(table) + ")";
}

std::string RowsSelect(const SqlTable& table, const std::string& rows_table) {
  std::string select;
  for (const SqlColumn& column : table.columns) {
    const bool is_there = table.rows->schema()->GetFieldIndex(column.name) >= 0;
    const std::string value = is_there ? QuotedName(column.name) : "NULL";
    Append(select, Selected("CAST(" + value + " AS " + DuckDbType(column.type) + ")", column));
  }
  return "SELECT " + select + " FROM " + rows_table;
}

std::string UpTo(const SqlUpTo& limit) {
  return QuotedName(limit.column) + " <= TIMESTAMPTZ " + QuotedText(FormatTimestampUs(limit.us));
}

std::string EmptySelect(const SqlTable& table) {
  std::string select;
  for (const SqlColumn& column : table.columns)
    Append(select, Selected("CAST(NULL AS " + DuckDbType(column.type) + ")", column));
  return "SELECT " + select + " WHERE false";
}

// Turns a form as MySQL and Presto write it, `%H:%i:%s`, into one for strftime.
std::string StrftimeForm(std::string form) {
  for (const auto& [theirs, ours] : {std::pair{"%M", "%B"},
                                     {"%i", "%M"},
                                     {"%W", "%A"},
                                     {"%h", "%I"},
                                     {"%s", "%S"},
                                     {"%T", "%H:%M:%S"},
                                     {"%e", "%-d"},
                                     {"%c", "%-m"},
                                     {"%k", "%-H"},
                                     {"%l", "%-I"}}) {
    form = fmt::format("replace({}, '{}', '{}')", form, theirs, ours);
  }
  return form;
}

}  // namespace

std::string_view PathColumn(const SqlTable& table) {
  const bool is_taken = std::ranges::any_of(table.columns, [](const SqlColumn& column) {
    return FoldName(column.name) == kUsualPathColumn || FoldName(InFile(column)) == kUsualPathColumn;
  });
  return is_taken ? kPathColumn : kUsualPathColumn;
}

std::string FoldersSelect(const SqlTable& table) {
  const std::string path = QuotedName(PathColumn(table));
  std::string select = path;
  for (const SqlColumn& column : table.columns) {
    if (IsHive(table, column)) Append(select, Selected(HiveValue(table, column), column));
  }
  std::string list;
  for (const std::string& each : table.files.paths)
    Append(list, QuotedText(each));
  return "SELECT " + select + " FROM (SELECT unnest([" + list + "]) AS " + path + ")";
}

std::vector<std::string> FunctionStatements(std::string_view schema) {
  const std::string macro = "CREATE MACRO " + std::string(schema) + ".";
  return {
      // DuckDB reads all forms but one without seconds and with a zone.
      macro + std::string(kTimeFunction) +
          R"((x, name) AS CASE WHEN x IS NULL THEN NULL ELSE coalesce(
            try_cast(x AS TIMESTAMPTZ),
            try_cast(regexp_replace(x, '^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(Z|[+-]\d\d(:?\d\d)?)$', '\1:00\2')
                     AS TIMESTAMPTZ),
            error('column "' || name || '": ''' || x || ''' is no time')::TIMESTAMPTZ) END)",
      macro + "from_unixtime(seconds) AS to_timestamp(seconds)",
      macro + "to_unixtime(moment) AS epoch(moment::TIMESTAMPTZ)",
      macro + "from_iso8601_timestamp(text) AS " + std::string(schema) + "." + std::string(kTimeFunction) +
          "(text, 'from_iso8601_timestamp')",
      macro + "from_iso8601_date(text) AS CAST(text AS DATE)",
      macro + "regexp_like(text, pattern) AS regexp_matches(text, pattern)",
      macro + "json_extract_scalar(document, path) AS json_extract_string(document, path)",
      macro + "approx_distinct(x) AS approx_count_distinct(x), (x, error) AS approx_count_distinct(x)",
      macro + "array_join(list, delimiter) AS array_to_string(list, delimiter)",
      macro + "is_nan(x) AS isnan(x)",
      macro + "is_infinite(x) AS isinf(x)",
      macro + "is_finite(x) AS isfinite(x)",
      macro + "rand() AS random()",
      macro + "nan() AS 'nan'::DOUBLE",
      macro + "infinity() AS 'inf'::DOUBLE",
      macro + "truncate(x) AS trunc(x)",
      macro + "bitwise_and(a, b) AS a & b",
      macro + "bitwise_or(a, b) AS a | b",
      macro + "bitwise_xor(a, b) AS xor(a, b)",
      macro + "from_utf8(bytes) AS decode(bytes)",
      macro + "to_utf8(text) AS encode(text)",
      macro + "json_parse(text) AS CAST(text AS JSON)",
      macro + "json_format(document) AS CAST(document AS VARCHAR)",
      macro + "levenshtein_distance(a, b) AS levenshtein(a, b)",
      // Of a list or a map; DuckDB's own takes maps only, and gives a list.
      macro + "element_at(x, key) AS x[key]",
      macro + "array_max(list) AS list_max(list)",
      macro + "array_min(list) AS list_min(list)",
      macro + "array_remove(list, x) AS list_filter(list, lambda e: e IS DISTINCT FROM x)",
      macro + "array_union(a, b) AS list_distinct(list_concat(a, b))",
      macro + "slice(list, first, count) AS list_slice(list, first, first + count - 1)",
      macro +
          "sequence(first, last) AS generate_series(first, last), "
          "(first, last, step) AS generate_series(first, last, step)",
      macro + "set_agg(x) AS list(DISTINCT x)",
      macro + "approx_percentile(x, share) AS approx_quantile(x, share)",
      macro + "day_of_week(moment) AS isodow(moment)",
      macro + "day_of_month(moment) AS day(moment)",
      macro + "day_of_year(moment) AS dayofyear(moment)",
      macro + "last_day_of_month(moment) AS last_day(moment)",
      macro + "at_timezone(moment, zone) AS timezone(zone, moment)",
      macro + "to_iso8601(moment) AS strftime(moment::TIMESTAMPTZ, '%Y-%m-%dT%H:%M:%S.%gZ')",
      macro + "date_format(moment, form) AS strftime(moment, " + StrftimeForm("form") + ")",
      macro + R"(date_add(unit, count, moment) AS moment + count * CASE lower(unit)
            WHEN 'millisecond' THEN INTERVAL '1 millisecond' WHEN 'second' THEN INTERVAL '1 second'
            WHEN 'minute' THEN INTERVAL '1 minute' WHEN 'hour' THEN INTERVAL '1 hour'
            WHEN 'day' THEN INTERVAL '1 day' WHEN 'week' THEN INTERVAL '7 days'
            WHEN 'month' THEN INTERVAL '1 month' WHEN 'quarter' THEN INTERVAL '3 months'
            WHEN 'year' THEN INTERVAL '1 year'
            ELSE error('date_add: ''' || unit || ''' is no unit of time')::INTERVAL END,
          (moment, step) AS main.date_add(moment, step))",
  };
}

Result<std::string> SelectOf(const SqlTable& table, const std::string& rows_table,
                             const ColumnNamesOf& names) {
  if (table.columns.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "table '" + table.name + "' has no columns");
  }
  std::string select;
  if (!table.files.paths.empty()) {
    if (table.files.format == SqlFiles::Format::kCsv) {
      TM_ASSIGN(select, CsvSelect(table, names));
    } else {
      select = ParquetSelect(table);
    }
  }
  if (!rows_table.empty()) {
    select += (select.empty() ? "" : " UNION ALL ") + RowsSelect(table, rows_table);
  }
  if (select.empty()) return EmptySelect(table);
  return table.up_to ? "SELECT * FROM (" + select + ") WHERE " + UpTo(*table.up_to) : select;
}

}  // namespace tidemark
