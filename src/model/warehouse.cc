// Names, checks and the printable form of warehouse sources.
#include "model/warehouse.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/redaction.h"
#include "model/name.h"

namespace tidemark {
namespace {

// A value that is written into a message or a file must be one line of text.
Result<void> CheckText(std::string_view what, std::string_view text) {
  if (text.find('\0') == text.npos) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} has a null character", what));
}

Result<void> CheckVariables(std::string_view what, std::string_view text) {
  for (std::size_t at = text.find("${"); at != text.npos; at = text.find("${", at + 2)) {
    const std::size_t end = text.find('}', at);
    const std::string_view name = end == text.npos ? "" : text.substr(at + 2, end - at - 2);
    const bool is_name = !name.empty() && (name.front() < '0' || name.front() > '9') &&
                         name.find_first_not_of(
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789_") == name.npos;
    if (is_name) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has a ${{ that names no environment variable: write ${{NAME}}", what));
  }
  return {};
}

Result<void> CheckOption(std::string_view name, const std::string& value) {
  const std::string what = name == "uri" ? "uri" : fmt::format("option {}", Quoted(name));
  TM_TRY(CheckText(what, value));
  TM_TRY(CheckVariables(what, value));
  const bool is_mark = (value == kRedacted && IsSecretOption(name)) ||
                       value.find(fmt::format(":{}@", kRedacted)) != value.npos ||
                       value.find(fmt::format("={}", kRedacted)) != value.npos;
  if (!is_mark) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has {} in the place of a secret: give the secret, or better the name of an "
                          "environment variable, ${{NAME}}",
                          what, kRedacted));
}

}  // namespace

std::string_view WarehouseKindName(WarehouseKind kind) {
  switch (kind) {
    case WarehouseKind::kPostgreSql:
      return "postgresql";
    case WarehouseKind::kBigQuery:
      return "bigquery";
    case WarehouseKind::kSnowflake:
      return "snowflake";
    case WarehouseKind::kRedshift:
      return "redshift";
    case WarehouseKind::kAdbc:
      break;
  }
  return "adbc";
}

const std::string& Warehouse::driver_name() const {
  static const std::string kPostgreSqlDriver = "postgresql";
  static const std::string kBigQueryDriver = "bigquery";
  static const std::string kSnowflakeDriver = "snowflake";
  if (!driver.empty()) return driver;
  switch (kind) {
    case WarehouseKind::kPostgreSql:
    case WarehouseKind::kRedshift:  // which speaks PostgreSQL's protocol
      return kPostgreSqlDriver;
    case WarehouseKind::kBigQuery:
      return kBigQueryDriver;
    case WarehouseKind::kSnowflake:
      return kSnowflakeDriver;
    case WarehouseKind::kAdbc:
      break;
  }
  return driver;
}

std::string Warehouse::place() const {
  if (table.empty()) return "query " + Redact(query);
  std::string place;
  for (const std::string* part : {&catalog, &schema}) {
    if (!part->empty()) place += *part + '.';
  }
  return place + table;
}

std::string Warehouse::identity() const {
  std::string text = fmt::format("{} {} {}", driver_name(), RedactOption("uri", uri), place());
  for (const auto& [name, value] : options)
    text += fmt::format(" {}={}", name, RedactOption(name, value));
  return text;
}

Result<void> CheckWarehouse(const Warehouse& warehouse) {
  if (warehouse.driver_name().empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the source names no driver: give the name of an ADBC driver, such as postgresql, or the path "
        "of its library");
  }
  if (warehouse.table.empty() == warehouse.query.empty()) {
    return Fail(ErrorCode::kInvalidArgument, warehouse.table.empty()
                                                 ? "the source has neither a table nor a query: give one"
                                                 : "the source has a table and a query: give one of the two");
  }
  const bool has_path = !warehouse.catalog.empty() || !warehouse.schema.empty();
  if (!warehouse.query.empty() && has_path && warehouse.kind != WarehouseKind::kSnowflake) {
    return Fail(ErrorCode::kInvalidArgument,
                "a query names the schemas of its tables itself: leave out schema and catalog");
  }
  if (warehouse.schema.empty() && !warehouse.catalog.empty() && warehouse.kind != WarehouseKind::kSnowflake) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the source has a catalog, {}, and no schema: give it too", Quoted(warehouse.catalog)));
  }
  if (warehouse.timeout_us < 0) return Fail(ErrorCode::kInvalidArgument, "its timeout is negative");
  const std::array<std::pair<std::string_view, const std::string*>, 6> texts{
      {{"driver", &warehouse.driver},
       {"entrypoint", &warehouse.entrypoint},
       {"catalog", &warehouse.catalog},
       {"schema", &warehouse.schema},
       {"table", &warehouse.table},
       {"query", &warehouse.query}}};
  for (const auto& [what, text] : texts)
    TM_TRY(CheckText(what, *text));
  TM_TRY(CheckOption("uri", warehouse.uri));
  for (const auto& [name, value] : warehouse.options) {
    if (name.empty()) return Fail(ErrorCode::kInvalidArgument, "an option has no name");
    TM_TRY(CheckOption(name, value));
  }
  return {};
}

Warehouse WithoutSecrets(Warehouse warehouse) {
  warehouse.uri = RedactOption("uri", warehouse.uri);
  for (auto& [name, value] : warehouse.options)
    value = RedactOption(name, value);
  return warehouse;
}

void RestoreSecrets(const Warehouse& known, Warehouse& stated) {
  if (stated.uri == RedactOption("uri", known.uri)) stated.uri = known.uri;
  for (auto& [name, value] : stated.options) {
    const auto before = known.options.find(name);
    if (before != known.options.end() && value == RedactOption(name, before->second)) value = before->second;
  }
}

}  // namespace tidemark
