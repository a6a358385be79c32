// Values of a query as this SDK's HTTP client sends them: form-encoded, lists as JSON.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/http/message.h"
#include "server/rows/json_rows.h"

namespace tidemark::server::semantix {

/// The first value of that name, a '+' being a blank.
std::optional<std::string> FormValue(const http::Request& request, std::string_view name);

/// The names in a value that is a JSON list of texts; nothing if it is not there. kInvalidArgument says
/// which.
Result<std::optional<std::vector<std::string>>> NameList(const http::Request& request, std::string_view name);

/// A whole number of at least 1; `otherwise` if it is not there.
Result<std::size_t> CountValue(const http::Request& request, std::string_view name, std::size_t otherwise,
                               std::size_t most);

/// A time in microseconds since 1970, from ISO-8601 text; nothing if it is not there, or empty.
/// kInvalidArgument says which.
Result<std::optional<std::int64_t>> TimeValue(const http::Request& request, std::string_view name);

/// What a lookup asks about: names of entities, each with its values, in the order given.
using AskedEntities = std::vector<std::pair<std::string, simdjson::dom::array>>;

/// The entities of a lookup, which are valid as long as the document is. kInvalidArgument for another shape,
/// and for an entity that is given twice.
Result<AskedEntities> ReadEntities(const JsonDocument& document);

AskedEntities::const_iterator Find(const AskedEntities& entities, std::string_view name);

/// A feature as this SDK names it; "table:feature" is taken as well.
std::string_view FeatureOf(std::string_view reference, std::string_view table);

/// JSON as Python writes it: bare NaN becomes null, bare infinities become texts that columns of floats read.
std::string PlainJson(std::string_view text);

}  // namespace tidemark::server::semantix
