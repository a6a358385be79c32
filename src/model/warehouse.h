// A batch source that is a table or query of a data warehouse, reached by an ADBC driver.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// What answers. All but kAdbc are thin forms: they say the driver, and how tables are named.
enum class WarehouseKind : std::uint8_t { kAdbc, kPostgreSql, kBigQuery, kSnowflake, kRedshift };

/// `adbc`, `postgresql`, `bigquery`, `snowflake`, `redshift`: the `type` of a source.
std::string_view WarehouseKindName(WarehouseKind kind);

/// Either `table` or `query` is given. `uri` and options may name environment variables, `${NAME}`, which are
/// looked up when a connection is opened: so that no password need be written down.
struct Warehouse {
  WarehouseKind kind = WarehouseKind::kAdbc;
  std::string driver;      // "postgresql", or a library's path; empty: the usual one of `kind`
  std::string entrypoint;  // of the library; empty: its usual one
  std::string uri;
  std::map<std::string, std::string> options;  // of the driver's database, by the driver's names
  std::string catalog;                         // of the table; empty: the session's own
  std::string schema;                          // the same
  std::string table;                           // of BigQuery also with its project and dataset
  std::string query;                           // SELECT, without a semicolon
  std::int64_t timeout_us = 0;                 // for one read, connecting included; 0: none
  bool operator==(const Warehouse&) const = default;

  const std::string& driver_name() const;
  /// Its table with what is in front of it, or "query ..." : what it is called in messages. Never a secret.
  std::string place() const;
  /// What is at stake when two are told apart: where the rows come from, without passwords.
  std::string identity() const;
};

/// kInvalidArgument: no driver, a table and a query or neither, a schema without a table, a null character, a
/// `${` that names no variable, or "***" in the place of a password.
Result<void> CheckWarehouse(const Warehouse& warehouse);

/// With "***" in the place of every secret that is written out (base/redaction.h): for printing.
Warehouse WithoutSecrets(Warehouse warehouse);

/// Puts the secrets of `known` into the place of "***", where `stated` is as `known` is printed: what was
/// printed can be applied again.
void RestoreSecrets(const Warehouse& known, Warehouse& stated);

}  // namespace tidemark
