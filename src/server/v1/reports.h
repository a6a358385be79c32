// Reports of the store as the JSON that docs/http-api.md shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tidemark/store.h"

namespace tidemark::server {

std::string ToJson(const std::vector<Change>& changes);  // {"changes": [..]}
std::string ToJson(const IngestReport& report);
std::string ToJson(const std::vector<std::pair<std::string, IngestReport>>& reports);  // {"views": [..]}
std::string ToJson(const OnlineWriteReport& report);
std::string ToJson(const HistoricalReport& report);
std::string ToJson(const MaterializeReport& report);
std::string ToJson(const BackfillReport& report);
std::string ToJson(const FlushReport& report);
std::string ToJson(const CompactReport& report);
std::string ToJson(const ExpireSnapshotsReport& report);
std::string ToJson(const RelocateReport& report);
std::string ToJson(const DumpReport& report);
std::string ToJson(const std::vector<ColumnInfo>& columns);  // [{"name", "type"}]

/// {"code", "message", "context", "request_id"}: the last two where they are not empty.
std::string ToJson(const Error& error, std::string_view request_id);

}  // namespace tidemark::server
