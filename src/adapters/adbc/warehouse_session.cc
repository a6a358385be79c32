// What users of one warehouse see of it: errors that name it, in the terms of its definition.
#include <arrow/array/array_binary.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "adapters/adbc/warehouse_session_internal.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr std::int64_t kUsualConnectSeconds = 30;
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::size_t kTablesShownMax = 20;

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '_' || c == '.' || c == '~';
    if (is_plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

/// The driver's own name, without the prefix of its package.
std::string DriverOf(const Warehouse& warehouse) {
  constexpr std::string_view kPackage = "adbc_driver_";
  const std::string& name = warehouse.driver_name();
  return name.starts_with(kPackage) ? name.substr(kPackage.size()) : name;
}

/// libpq waits for ever for a server that does not answer, unless it is told otherwise.
std::string WithConnectTimeout(const std::string& uri, std::int64_t timeout_us) {
  if (uri.find("connect_timeout") != uri.npos || std::getenv("PGCONNECT_TIMEOUT") != nullptr) return uri;
  const std::int64_t seconds =
      timeout_us == 0 ? kUsualConnectSeconds : std::max<std::int64_t>(1, timeout_us / kSecondUs);
  const bool is_uri = uri.find("://") != uri.npos;
  if (!is_uri) return fmt::format("{} connect_timeout={}", uri, seconds);
  return fmt::format("{}{}connect_timeout={}", uri, uri.find('?') == uri.npos ? '?' : '&', seconds);
}

/// A server would take the text up to the first @ for the password, and the rest for its own name: which it
/// would then show.
Result<void> CheckUri(std::string_view uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == uri.npos) return {};
  const std::string_view rest = uri.substr(scheme + 3);
  const std::string_view before_parameters = rest.substr(0, rest.find('?'));
  if (std::ranges::count(before_parameters, '@') <= 1) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      "the uri has more than one @: write %40 for one in a password (and %2F for /, %3A for :), or give "
      "the password as ${NAME}, whose value may have any characters");
}

void PutDefault(std::map<std::string, std::string>& options, const std::string& name,
                const std::string& value) {
  if (!value.empty()) options.try_emplace(name, value);
}

std::string PlaceOf(const Warehouse& warehouse) {
  return fmt::format("{} {}",
                     warehouse.kind == WarehouseKind::kAdbc ? DriverOf(warehouse)
                                                            : std::string(WarehouseKindName(warehouse.kind)),
                     warehouse.place());
}

}  // namespace

Result<std::string> ResolveVariables(const std::string& text) {
  std::string resolved;
  std::size_t done = 0;
  for (std::size_t at = text.find("${"); at != text.npos; at = text.find("${", done)) {
    const std::size_t end = text.find('}', at);
    if (end == text.npos) break;  // CheckWarehouse has seen to it
    const std::string name = text.substr(at + 2, end - at - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the environment variable {}, which the source names, is not set", name));
    }
    resolved += text.substr(done, at - done);
    const bool is_part_of_uri = resolved.find("://") != resolved.npos;
    resolved += is_part_of_uri ? PercentEncoded(value) : value;
    done = end + 1;
  }
  return resolved + text.substr(done);
}

Result<AdbcDatabaseOptions> DatabaseOptionsOf(const Warehouse& warehouse,
                                              const std::vector<std::filesystem::path>& driver_folders) {
  AdbcDatabaseOptions options;
  options.driver = DriverOf(warehouse);
  options.entrypoint = warehouse.entrypoint;
  options.driver_folders = driver_folders;
  for (const auto& [name, value] : warehouse.options) {
    TM_ASSIGN(options.options[name], ResolveVariables(value));
  }
  TM_ASSIGN(std::string uri, ResolveVariables(warehouse.uri));
  const SqlDialect dialect = DialectOf(warehouse);
  if (dialect == SqlDialect::kPostgreSql) {
    if (uri.empty() && !options.options.contains("uri")) uri = "postgresql://";  // libpq's own variables say
    TM_TRY(CheckUri(uri));
    if (!uri.empty()) uri = WithConnectTimeout(uri, warehouse.timeout_us);
  }
  if (!uri.empty()) options.options["uri"] = uri;
  if (dialect == SqlDialect::kSnowflake) {
    PutDefault(options.options, "adbc.snowflake.sql.db", warehouse.catalog);
    PutDefault(options.options, "adbc.snowflake.sql.schema", warehouse.schema);
  }
  return options;
}

WarehouseSession::WarehouseSession(const Warehouse& warehouse, std::stop_token stop)
    : warehouse_(warehouse),
      dialect_(DialectOf(warehouse)),
      stop_(std::move(stop)),
      place_(PlaceOf(warehouse)),
      begin_(std::chrono::steady_clock::now()) {}

Result<std::unique_ptr<WarehouseSession>> WarehouseSession::Open(
    const Warehouse& warehouse, const std::vector<std::filesystem::path>& driver_folders,
    std::stop_token stop) {
  std::unique_ptr<WarehouseSession> session(new WarehouseSession(warehouse, std::move(stop)));
  auto options = DatabaseOptionsOf(warehouse, driver_folders);
  if (!options) return session->Worded(std::move(options).error());
  auto database = AdbcDatabase::Open(*options);
  if (!database) return session->Worded(std::move(database).error());
  auto connection = (*database)->Connect();
  if (!connection) return session->Worded(std::move(connection).error());
  session->connection_ = *std::move(connection);
  return session;
}

AdbcLimits WarehouseSession::limits() const {
  AdbcLimits limits;
  limits.stop = stop_;
  if (warehouse_.timeout_us == 0) return limits;
  const auto used = std::chrono::steady_clock::now() - begin_;
  const auto left = std::chrono::microseconds(warehouse_.timeout_us) - used;
  limits.time_limit =
      std::max(std::chrono::milliseconds(1), std::chrono::duration_cast<std::chrono::milliseconds>(left));
  return limits;
}

std::unexpected<Error> WarehouseSession::Worded(Error error) const {
  if (error.code == ErrorCode::kCancelled && !stop_.stop_requested() && warehouse_.timeout_us != 0) {
    error = {ErrorCode::kUnavailable,
             fmt::format("no answer within the source's timeout of {}: give it more time, or less to do",
                         FormatDurationUs(warehouse_.timeout_us)),
             {}};
  }
  return std::unexpected(std::move(error).In("warehouse " + place_));
}

Result<void> WarehouseSession::PrepareReading() {
  if (dialect_ != SqlDialect::kPostgreSql || warehouse_.kind == WarehouseKind::kRedshift) return {};
  // A scan that begins where another one is, or that several processes share, gives rows in no order. A query
  // says itself in which order its rows come.
  std::vector<std::string> settings{"('default_transaction_read_only', 'on')"};
  if (!warehouse_.table.empty()) {
    settings.insert(settings.end(),
                    {"('synchronize_seqscans', 'off')", "('max_parallel_workers_per_gather', '0')"});
  }
  TM_ASSIGN(
      const auto set,
      Ask(fmt::format("SELECT set_config(s.name, w.value, false) FROM pg_settings AS s JOIN (VALUES {}) "
                      "AS w(name, value) ON s.name = w.name",
                      fmt::join(settings, ", "))));
  return {};
}

Result<std::shared_ptr<arrow::Schema>> WarehouseSession::SchemaOf(const std::string& sql) {
  auto schema = connection_->SchemaOf(sql, limits());
  if (!schema) return Worded(WithTables(std::move(schema).error()));
  return schema;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> WarehouseSession::Query(const std::string& sql) {
  AdbcQuery query;
  query.sql = sql;
  auto reader = connection_->Query(query, limits());
  if (!reader) return Worded(std::move(reader).error());
  return reader;
}

Result<std::shared_ptr<arrow::RecordBatch>> WarehouseSession::Next(arrow::RecordBatchReader& reader) const {
  std::shared_ptr<arrow::RecordBatch> batch;
  auto read = FromArrowStatus(reader.ReadNext(&batch));
  if (!read) return Worded(std::move(read).error());
  return batch;
}

Result<std::shared_ptr<arrow::Table>> WarehouseSession::Ask(const std::string& sql) {
  TM_ASSIGN(const auto reader, Query(sql));
  auto table = FromArrowResult(reader->ToTable());
  if (!table) return Worded(std::move(table).error());
  return table;
}

Result<std::int64_t> WarehouseSession::Execute(const std::string& sql) {
  auto done = connection_->Execute(sql, limits());
  if (!done) return Worded(std::move(done).error());
  return done;
}

Result<std::int64_t> WarehouseSession::Ingest(const AdbcIngest& into,
                                              const std::shared_ptr<arrow::RecordBatchReader>& rows) {
  auto done = connection_->Ingest(into, rows, limits());
  if (!done) return Worded(std::move(done).error());
  return done;
}

Error WarehouseSession::WithTables(Error error) {
  if (error.code != ErrorCode::kNotFound || dialect_ != SqlDialect::kPostgreSql || warehouse_.table.empty()) {
    return error;
  }
  const auto listed =
      Ask("SELECT (table_schema || '.' || table_name)::text AS name FROM information_schema.tables WHERE "
          "table_schema NOT "
          "IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1000");
  if (!listed) return error;  // the first error is what matters
  std::vector<std::string> names;
  for (const auto& chunk : (*listed)->column(0)->chunks()) {
    const auto* texts = dynamic_cast<const arrow::StringArray*>(chunk.get());
    for (std::int64_t row = 0; texts != nullptr && row < texts->length(); ++row)
      names.push_back(texts->GetString(row));
  }
  if (names.empty()) {
    error.message += "; there is no table that this user sees";
    return error;
  }
  const std::size_t dot = warehouse_.table.find('.');
  if (warehouse_.schema.empty() && dot != std::string::npos &&
      std::ranges::find(names, warehouse_.table) != names.end()) {
    error.message += fmt::format("; table= is one name: write schema='{}', table='{}'",
                                 warehouse_.table.substr(0, dot), warehouse_.table.substr(dot + 1));
    return error;
  }
  const std::string wanted = warehouse_.schema.empty() ? "public." + warehouse_.table : warehouse_.place();
  error.message += Suggest(wanted, names);
  const std::size_t more = names.size() > kTablesShownMax ? names.size() - kTablesShownMax : 0;
  names.resize(names.size() - more);
  error.message += fmt::format("; the tables there are: {}{}", fmt::join(names, ", "),
                               more == 0 ? "" : fmt::format(" and {} more", more));
  return error;
}

}  // namespace tidemark
