// The calls of our own commands (command_internal.h); docs/flight.md tells of each.
#pragma once

#include <arrow/flight/server.h>

#include <string>

#include "base/result.h"
#include "server/flight/call.h"

namespace tidemark::server::flight {

class Command;

/// DoGet: sql, historical (of a range, or of entity rows that a query or a file gives), read, latest, dump.
Result<Answer> GetRows(const Call& call, Command& command);

/// DoExchange: historical (entity rows up, the training set down), read (entities up), ingest (rows up, those
/// that were rejected down).
Result<Answer> ExchangeRows(const Call& call, Command& command, arrow::flight::FlightMessageReader& reader);

/// DoPut: ingest, push, delete, write_online. The report, as JSON.
Result<std::string> PutRows(const Call& call, Command& command, arrow::flight::FlightMessageReader& reader);

/// The rows of a query, as entity rows.
Result<void> QueryRows(const Call& call, Store& store, const std::string& query, OwnedStream& out);

/// A training set for `entities` (empty: for the range in `options`), as it is computed.
Result<Answer> TrainingSet(std::shared_ptr<Store> store, EntityRows entities, HistoricalOptions options,
                           StoreRows::ToStatus to_status);

}  // namespace tidemark::server::flight
