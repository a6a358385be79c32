// Writes reports.
#include "server/flight/reports.h"

#include <nlohmann/json.hpp>

namespace tidemark::server::flight {
namespace {

using json = nlohmann::ordered_json;

json MembersOf(const IngestReport& report) {
  return {{"rows", report.rows},         {"online_rows", report.online_rows}, {"ahead", report.ahead},
          {"rejected", report.rejected}, {"repeated", report.repeated},       {"token", report.token},
          {"warnings", report.warnings}};
}

std::string TextOf(const json& members) {
  return members.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

}  // namespace

std::string ReportOf(const IngestReport& report, const std::vector<std::string>& errors) {
  json members = MembersOf(report);
  if (!errors.empty()) members["errors"] = errors;
  return TextOf(members);
}

std::string ReportOf(const std::vector<std::pair<std::string, IngestReport>>& views) {
  json list = json::array();
  for (const auto& [view, report] : views) {
    json members{{"view", view}};
    members.update(MembersOf(report));
    list.push_back(std::move(members));
  }
  return TextOf({{"views", std::move(list)}});
}

std::string ReportOf(const HistoricalReport& report) {
  return TextOf({{"rows", report.rows}, {"warnings", report.warnings}});
}

std::string ReportOf(const OnlineWriteReport& report) {
  return TextOf({{"written", report.written}, {"kept", report.kept}});
}

}  // namespace tidemark::server::flight
