// Names of projects, entities, views, fields and services.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// Succeeds if `name` is `[A-Za-z0-9_][A-Za-z0-9_-]{0,127}` in ASCII, and does not start with two
/// underscores. kInvalidArgument otherwise. `what` says what is named ("feature view"), for the message,
/// which shows the offending character.
Result<void> CheckName(std::string_view what, std::string_view name);

/// The same for a field, which also may not be a system column: write_time, api_invocation_time, is_deleted,
/// expires_at, origin (in any case).
Result<void> CheckFieldName(std::string_view name);

/// Succeeds if every column of `mapping` (column of a source -> name used in definitions) has a name, and
/// gets a valid one that no other gets. kInvalidArgument or kAlreadyExists otherwise.
Result<void> CheckFieldMapping(const std::map<std::string, std::string>& mapping);

/// ASCII lower case: two names that are equal folded are duplicates.
std::string FoldName(std::string_view name);

/// `text` in quotes for a message: control characters, quotes and broken UTF-8 are escaped, and what
/// is longer than 512 bytes is cut.
std::string Quoted(std::string_view text);

/// The nearest of `known` to `wanted` as " (did you mean 'x'?)", or an empty string if none is near.
std::string Suggest(std::string_view wanted, const std::vector<std::string>& known);

}  // namespace tidemark
