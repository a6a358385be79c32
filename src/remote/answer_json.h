// JSON of requests and answers. Members that are missing or of another kind are read as nothing: servers may
// be newer or older.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tidemark/store.h"

namespace tidemark::remote {

/// kUnavailable for what is no JSON.
Result<Json> ParseAnswer(std::string_view url, const std::string& body);
/// The member of that name; a null if there is none.
const Json& Member(const Json& object, const char* name);
std::string Text(const Json& object, const char* name);
std::int64_t Number(const Json& object, const char* name);
double Real(const Json& object, const char* name);
bool Flag(const Json& object, const char* name);
std::vector<std::string> Texts(const Json& object, const char* name);
std::vector<ColumnInfo> Columns(const Json& object, const char* name);

std::vector<Change> ChangesOf(const Json& answer);
IngestReport IngestReportOf(const Json& answer);
MaterializeReport MaterializeReportOf(const Json& answer);
BackfillReport BackfillReportOf(const Json& answer);
FlushReport FlushReportOf(const Json& answer);
CompactReport CompactReportOf(const Json& answer);
ExpireSnapshotsReport ExpireSnapshotsReportOf(const Json& answer);

/// Sets a member unless there is nothing to say.
template <typename T>
void Set(Json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}
inline void Set(Json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}
inline void Set(Json& object, const char* name, bool value) {
  if (value) object[name] = true;
}
void SetReading(Json& object, const TableReadOptions& reading);
/// Which of the three ways features were asked for in. kInvalidArgument for a selection that is no JSON.
Result<void> SetSelection(Json& object, const std::vector<std::string>& features, const std::string& service,
                          const std::string& selection);

}  // namespace tidemark::remote
