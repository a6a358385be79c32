// What a server has, for clients that look before they ask.
#pragma once

#include <arrow/flight/types.h>

#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/flight/call.h"

namespace tidemark::server::flight {

class Command;

/// The feature views of a project (empty: as of Call::Open), each with a ticket for its rows: all of a
/// feature table, the latest of each key of a view over files. Schemas are left to InfoOf.
Result<std::vector<arrow::flight::FlightInfo>> ListViews(const Call& call, std::string_view project);

/// The schema and the ticket of a command that DoGet answers. It begins the work, as far as the schema needs
/// it.
Result<arrow::flight::FlightInfo> InfoOf(const Call& call, const arrow::flight::FlightDescriptor& descriptor);

}  // namespace tidemark::server::flight
