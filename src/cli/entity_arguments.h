// Entities as they are written on a command line: `driver_id=1001`, `origin=JFK,carrier=AA`, or a JSON
// object.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/table.h"
#include "tidemark/arrow_c.h"
#include "tidemark/online.h"

namespace tidemark::cli {

/// One entity's join keys, and the request data that belong to it, as JSON values of the right kind. Both are
/// the names and types that are wanted; more than those are an error, as are fewer and values that do not
/// fit. Request data may be null; kUnsupported for those of a type that has no text form here.
Result<Json> ParseEntity(std::string_view text, const std::vector<ColumnInfo>& keys,
                         const std::vector<ColumnInfo>& requests = {});

/// Entities (one or more) as a stream of rows of their join keys.
Result<void> ExportEntities(const std::vector<ColumnInfo>& keys, const std::vector<Json>& entities,
                            ArrowArrayStream* out);

}  // namespace tidemark::cli
