// Reports are replaced by renaming, so that a reader never sees half of one.
#include "wiring/stream_reports.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

namespace tidemark {
namespace {

namespace fs = std::filesystem;

/// The process of a report of this view, by the file's name.
std::optional<pid_t> ReportingProcess(const fs::path& file, std::uint32_t view_id) {
  const std::string name = file.filename().string();
  const std::string prefix = fmt::format("{}-", view_id);
  if (!name.starts_with(prefix)) return std::nullopt;
  pid_t pid = 0;
  const char* const begin = name.data() + prefix.size();
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size() || pid <= 0) return std::nullopt;
  return pid;
}

bool IsAlive(pid_t pid) {
  return kill(pid, 0) == 0 || errno == EPERM;
}

Json MicrosOrNull(const std::optional<std::int64_t>& us) {
  return us ? Json(*us) : Json();
}

Json ReportOf(const StreamSessionStatus& status) {
  Json partitions = Json::array();
  for (const std::string& partition : status.partitions)
    partitions.push_back(partition);
  return {{"is_running", status.is_running},
          {"started_us", status.started_us},
          {"updated_us", status.updated_us},
          {"messages", status.messages},
          {"rows", status.rows},
          {"deletions", status.deletions},
          {"filtered", status.filtered},
          {"rejected", status.rejected},
          {"rows_per_second", status.rows_per_second},
          {"freshness_p50_us", MicrosOrNull(status.freshness_p50_us)},
          {"freshness_p99_us", MicrosOrNull(status.freshness_p99_us)},
          {"partitions", partitions},
          {"last_error", status.last_error.empty() ? Json() : Json(status.last_error)},
          {"last_error_us", status.last_error.empty() ? Json() : Json(status.last_error_us)}};
}

/// Of sessions of a view, with "is_running".
std::vector<Json> StreamReports(const fs::path& folder, std::uint32_t view_id) {
  std::vector<Json> reports;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = ReportingProcess(entry->path(), view_id);
    if (!pid) continue;
    std::ifstream file(entry->path());
    std::ostringstream text;
    text << file.rdbuf();
    auto report = ParseJson(text.str());
    if (!report || !report->is_object()) continue;  // it is gone, or is no report of ours
    const bool was_running = report->contains("is_running") && report->at("is_running") == Json(true);
    (*report)["is_running"] = was_running && IsAlive(*pid);
    reports.push_back(*std::move(report));
  }
  return reports;
}

}  // namespace

Result<StreamReportFile> StreamReportFile::Open(const fs::path& folder, std::uint32_t view_id) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return Fail(ErrorCode::kIo,
                fmt::format("cannot make the folder '{}': {}", folder.string(), error.message()));
  std::vector<fs::path> left;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = ReportingProcess(entry->path(), view_id);
    if (pid && !IsAlive(*pid)) left.push_back(entry->path());
  }
  for (const fs::path& path : left)
    fs::remove(path, error);
  return StreamReportFile(folder / fmt::format("{}-{}", view_id, getpid()));
}

Result<void> StreamReportFile::Write(const StreamSessionStatus& status) const {
  const fs::path fresh = path_.string() + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << ReportOf(status).dump();
    file.close();
    if (!file) return Fail(ErrorCode::kIo, fmt::format("cannot write '{}'", fresh.string()));
  }
  std::error_code error;
  fs::rename(fresh, path_, error);
  if (!error) return {};
  return Fail(ErrorCode::kIo, fmt::format("cannot write '{}': {}", path_.string(), error.message()));
}

Json StreamReportSum(const fs::path& folder, std::uint32_t view_id) {
  const std::vector<Json> reports = StreamReports(folder, view_id);
  Json sum{{"readers", 0},
           {"messages", 0},
           {"rows", 0},
           {"deletions", 0},
           {"filtered", 0},
           {"rejected", 0},
           {"rows_per_second", 0.0},
           {"freshness_p50_us", nullptr},
           {"freshness_p99_us", nullptr},
           {"last_error", nullptr},
           {"last_error_us", nullptr}};
  std::int64_t readers = 0;
  double rate = 0;
  std::map<std::string, std::int64_t> counts;
  const auto number = [](const Json& report, const char* name) {
    return report.contains(name) && report.at(name).is_number_integer() ? report.at(name).get<std::int64_t>()
                                                                        : 0;
  };
  for (const Json& report : reports) {
    const bool is_running = report.at("is_running").get<bool>();
    for (const char* name : {"messages", "rows", "deletions", "filtered", "rejected"})
      counts[name] += number(report, name);
    if (is_running) {
      ++readers;
      if (report.contains("rows_per_second") && report.at("rows_per_second").is_number())
        rate += report.at("rows_per_second").get<double>();
    }
    for (const char* name : {"freshness_p50_us", "freshness_p99_us"}) {
      if (number(report, name) > number(sum, name)) sum[name] = number(report, name);
    }
    if (number(report, "last_error_us") > number(sum, "last_error_us")) {
      sum["last_error"] = report.at("last_error");
      sum["last_error_us"] = number(report, "last_error_us");
    }
  }
  sum["readers"] = readers;
  sum["rows_per_second"] = rate;
  for (const auto& [name, count] : counts)
    sum[name] = count;
  return sum;
}

}  // namespace tidemark
