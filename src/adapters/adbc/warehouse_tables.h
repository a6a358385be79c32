// SourceFolders (store/source_folders.h) for tables in PostgreSQL: what would be a file is a transaction.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "store/source_folders.h"

namespace tidemark {

/// Where the names of what was written are kept, beside the tables that were written to.
inline constexpr std::string_view kWritesTable = "tidemark_writes";

/// Rows come by ADBC's bulk insert into a temporary table of the session, and from there in one transaction
/// into the source's table and their name into `tidemark_writes` (name, target, written_at), which is made
/// beside it: a name that is there already is not written again, so that a repetition after a crash does
/// nothing. Values are cast to the columns' types by the server, without cutting any text short. Check
/// connects, so that a server that is down is told before anything is logged; kUnsupported for queries and
/// for other warehouses. A connection is kept for the next write. kUnknownFate: it is not known whether the
/// transaction was committed.
std::shared_ptr<SourceFolders> OpenWarehouseTables(std::vector<std::filesystem::path> driver_folders);

}  // namespace tidemark
