// Writes reports.
#include "server/flight/reports.h"

#include "base/json.h"

namespace tidemark::server::flight {
namespace {

Json MembersOf(const IngestReport& report) {
  return {{"rows", report.rows},         {"online_rows", report.online_rows}, {"ahead", report.ahead},
          {"rejected", report.rejected}, {"repeated", report.repeated},       {"token", report.token},
          {"warnings", report.warnings}};
}

}  // namespace

std::string ReportOf(const IngestReport& report, const std::vector<std::string>& errors) {
  Json members = MembersOf(report);
  if (!errors.empty()) members["errors"] = errors;
  return members.dump();
}

std::string ReportOf(const std::vector<std::pair<std::string, IngestReport>>& views) {
  Json list = Json::array();
  for (const auto& [view, report] : views) {
    Json members{{"view", view}};
    const Json told = MembersOf(report);
    for (const auto& [name, value] : told.items())
      members[name] = value;
    list.push_back(std::move(members));
  }
  return Json({{"views", std::move(list)}}).dump();
}

std::string ReportOf(const HistoricalReport& report) {
  return Json({{"rows", report.rows}, {"warnings", report.warnings}}).dump();
}

std::string ReportOf(const OnlineWriteReport& report) {
  return Json({{"written", report.written}, {"kept", report.kept}}).dump();
}

}  // namespace tidemark::server::flight
