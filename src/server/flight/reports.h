// What writes say of themselves, as JSON: in the form of the HTTP API.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tidemark/store.h"

namespace tidemark::server::flight {

/// {"rows", "online_rows", "ahead", "rejected", "repeated", "token", "warnings"}; and, if there are any,
/// "errors": what is wrong with the first rows that were left out.
std::string ReportOf(const IngestReport& report, const std::vector<std::string>& errors = {});
/// {"views": [{"view", ..}]}
std::string ReportOf(const std::vector<std::pair<std::string, IngestReport>>& views);
/// {"rows", "warnings"}
std::string ReportOf(const HistoricalReport& report);
/// {"written", "kept"}
std::string ReportOf(const OnlineWriteReport& report);

}  // namespace tidemark::server::flight
