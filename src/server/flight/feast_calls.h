// Feast's offline store over Flight, as feast's RemoteOfflineStore speaks it: a JSON command {"api", ..}, and
// errors that its client raises as classes of feast.errors.
#pragma once

#include <arrow/flight/server.h>

#include <expected>

#include "server/flight/call.h"
#include "server/flight/status.h"

namespace tidemark::server::flight {

class Command;

/// DoExchange: get_historical_features, pull_latest_from_table_or_query, pull_all_from_table_or_query,
/// get_table_column_names_and_types_from_data_source.
std::expected<Answer, FeastFailure> FeastExchange(const Call& call, Command& command,
                                                  arrow::flight::FlightMessageReader& reader);

/// DoPut: offline_write_batch, validate_data_source; write_logged_features and persist are refused.
std::expected<void, FeastFailure> FeastPut(const Call& call, Command& command,
                                           arrow::flight::FlightMessageReader& reader);

}  // namespace tidemark::server::flight
