// Files are replaced by renaming, so that a reader never sees half of one.
//
// Sessions that have ended are added up: {"messages": n, ..., "added": [their keys]}. A report whose key is
// there counts no more, so that nothing counts twice though a process may die before it has removed it.
#include "wiring/stream_reports.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/lock_file.h"

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
          {"unreachable_since_us", MicrosOrNull(status.unreachable_since_us)},
          {"last_error", status.last_error.empty() ? Json() : Json(status.last_error)},
          {"last_error_us", status.last_error.empty() ? Json() : Json(status.last_error_us)}};
}

constexpr std::array<const char*, 5> kCounts{"messages", "rows", "deletions", "filtered", "rejected"};

struct SessionReport {
  fs::path file;
  std::string key;  // of this session alone
  Json json;        // with "is_running"
};

fs::path EndedFile(const fs::path& folder, std::uint32_t view_id) {
  return folder / fmt::format("{}-ended", view_id);
}

std::int64_t CountOf(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::optional<Json> ReadObject(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  auto json = ParseJson(text.str());
  if (!json || !json->is_object()) return std::nullopt;  // it is gone, or none of ours
  return *std::move(json);
}

Result<void> Replace(const fs::path& path, const Json& json) {
  const fs::path fresh = path.string() + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << json.dump();
    file.close();
    if (!file) return Fail(ErrorCode::kIo, fmt::format("cannot write '{}'", fresh.string()));
  }
  std::error_code error;
  fs::rename(fresh, path, error);
  if (!error) return {};
  return Fail(ErrorCode::kIo, fmt::format("cannot write '{}': {}", path.string(), error.message()));
}

Json EndedSessions(const fs::path& folder, std::uint32_t view_id) {
  return ReadObject(EndedFile(folder, view_id)).value_or(Json::object());
}

bool IsAdded(const Json& ended, const std::string& key) {
  const auto added = ended.find("added");
  return added != ended.end() && added->is_array() && std::ranges::find(*added, Json(key)) != added->end();
}

/// Of a view, those that are not added up.
std::vector<SessionReport> StreamReports(const fs::path& folder, std::uint32_t view_id) {
  std::vector<SessionReport> reports;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = ReportingProcess(entry->path(), view_id);
    if (!pid) continue;
    auto report = ReadObject(entry->path());
    if (!report) continue;
    const bool was_running = report->contains("is_running") && report->at("is_running") == Json(true);
    (*report)["is_running"] = was_running && IsAlive(*pid);
    const std::string key = fmt::format("{} {}", *pid, CountOf(*report, "started_us"));
    reports.push_back({entry->path(), key, *std::move(report)});
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
  TM_ASSIGN(const auto lock, LockFile::Open((folder / "reports").string(), LockFile::Access::kFull, true));
  TM_TRY(lock->Lock(0));
  Json ended = EndedSessions(folder, view_id);
  Json added = Json::array();
  std::vector<fs::path> left;
  for (const SessionReport& report : StreamReports(folder, view_id)) {
    if (report.json.at("is_running").get<bool>()) continue;
    left.push_back(report.file);
    added.push_back(report.key);
    if (IsAdded(ended, report.key)) continue;
    for (const char* const name : kCounts)
      ended[name] = CountOf(ended, name) + CountOf(report.json, name);
  }
  if (!left.empty()) {
    ended["added"] = std::move(added);
    TM_TRY(Replace(EndedFile(folder, view_id), ended));
  }
  for (const fs::path& path : left)
    fs::remove(path, error);
  return StreamReportFile(folder / fmt::format("{}-{}", view_id, getpid()));
}

Result<void> StreamReportFile::Write(const StreamSessionStatus& status) const {
  return Replace(path_, ReportOf(status));
}

std::set<std::string> StreamPartitionsElsewhere(const fs::path& folder, std::uint32_t view_id) {
  std::set<std::string> partitions;
  for (const SessionReport& report : StreamReports(folder, view_id)) {
    if (ReportingProcess(report.file, view_id) == getpid()) continue;
    const auto told = report.json.find("partitions");
    if (!report.json.at("is_running").get<bool>() || told == report.json.end() || !told->is_array()) continue;
    for (const Json& partition : *told) {
      if (partition.is_string()) partitions.insert(partition.get<std::string>());
    }
  }
  return partitions;
}

Json StreamReportSum(const fs::path& folder, std::uint32_t view_id) {
  // In this order: what is added up meanwhile is in both, and known by its key.
  const std::vector<SessionReport> reports = StreamReports(folder, view_id);
  const Json ended = EndedSessions(folder, view_id);
  Json sum{{"readers", 0},
           {"messages", 0},
           {"rows", 0},
           {"deletions", 0},
           {"filtered", 0},
           {"rejected", 0},
           {"rows_per_second", 0.0},
           {"freshness_p50_us", nullptr},
           {"freshness_p99_us", nullptr},
           {"unreachable_since_us", nullptr},
           {"last_error", nullptr},
           {"last_error_us", nullptr}};
  std::int64_t readers = 0;
  double rate = 0;
  for (const char* const name : kCounts)
    sum[name] = CountOf(ended, name);
  for (const auto& [file, key, report] : reports) {
    const bool is_running = report.at("is_running").get<bool>();
    for (const char* const name : kCounts) {
      if (!IsAdded(ended, key)) sum[name] = CountOf(sum, name) + CountOf(report, name);
    }
    if (is_running) {
      ++readers;
      const std::int64_t since_us = CountOf(report, "unreachable_since_us");
      const std::int64_t earliest_us = CountOf(sum, "unreachable_since_us");
      if (since_us > 0 && (earliest_us == 0 || since_us < earliest_us))
        sum["unreachable_since_us"] = since_us;
      if (report.contains("rows_per_second") && report.at("rows_per_second").is_number())
        rate += report.at("rows_per_second").get<double>();
    }
    for (const char* name : {"freshness_p50_us", "freshness_p99_us"}) {
      if (CountOf(report, name) > CountOf(sum, name)) sum[name] = CountOf(report, name);
    }
    if (CountOf(report, "last_error_us") > CountOf(sum, "last_error_us")) {
      sum["last_error"] = report.at("last_error");
      sum["last_error_us"] = CountOf(report, "last_error_us");
    }
  }
  sum["readers"] = readers;
  sum["rows_per_second"] = rate;
  return sum;
}

}  // namespace tidemark
