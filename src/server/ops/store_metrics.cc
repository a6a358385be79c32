// Reads Store::Stats of each project, and sorts what it says by metric: Prometheus wants the samples of one
// together.
#include "server/ops/store_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/http/metrics.h"

namespace tidemark::server {
namespace {

struct Metric {
  std::string_view name;
  std::string_view type;
  std::string_view help;
};

constexpr std::array<Metric, 23> kMetrics{{
    {"tidemark_store_readable", "gauge", "1 if the project's store could be looked at."},
    {"tidemark_rows_written_total", "counter",
     "Rows taken by ingest, push and delete since the server began."},
    {"tidemark_online_rows", "gauge", "Rows of the online store, of all projects."},
    {"tidemark_online_bytes", "gauge", "Bytes of the online store, of all projects."},
    {"tidemark_online_bytes_max", "gauge", "What the online store may grow to."},
    {"tidemark_log_bytes", "gauge",
     "Bytes of the write-ahead logs, of all projects: what waits for a flush."},
    {"tidemark_table_rows", "gauge", "Rows in a table's data files."},
    {"tidemark_table_bytes", "gauge", "Bytes of a table's data files."},
    {"tidemark_table_files", "gauge", "Data files of a table."},
    {"tidemark_table_small_files", "gauge", "Data files that compaction would take."},
    {"tidemark_table_committed_seconds", "gauge", "When rows last came into a table's files, since 1970."},
    {"tidemark_newest_event_seconds", "gauge",
     "Newest event time in a table's files, or loaded online, since 1970."},
    {"tidemark_loaded_seconds", "gauge", "When a view was last loaded into the online store, since 1970."},
    {"tidemark_stream_readers", "gauge", "Processes of this machine that read a view's stream."},
    {"tidemark_stream_messages_total", "counter", "Messages of a stream, since its readers began."},
    {"tidemark_stream_rows_total", "counter", "Rows that messages of a stream became."},
    {"tidemark_stream_filtered_total", "counter", "Messages of a stream that the view's filter left out."},
    {"tidemark_stream_rejected_total", "counter", "Messages of a stream that are no rows."},
    {"tidemark_stream_rows_per_second", "gauge", "Rows of the last ten seconds, by second."},
    {"tidemark_stream_freshness_seconds", "gauge",
     "From the broker's timestamp to being readable, of the newest messages."},
    {"tidemark_stream_last_error_seconds", "gauge", "When a reader last met an error, since 1970."},
    {"tidemark_stream_reachable", "gauge", "1 if the stream could be asked when it was last."},
    {"tidemark_stream_lag_messages", "gauge", "Messages that are not read yet, when it was last asked."},
}};

/// Samples by metric.
class Samples {
 public:
  void Add(std::string_view metric, const std::string& labels, double value) {
    fmt::format_to(std::back_inserter(lines_[metric]), "{}{{{}}} {}\n", metric, labels, value);
  }
  /// Nothing for null.
  void Add(std::string_view metric, const std::string& labels, const Json& value, double scale = 1) {
    if (value.is_number()) Add(metric, labels, value.get<double>() * scale);
  }
  void Render(std::string& out) const {
    for (const Metric& metric : kMetrics) {
      const auto found = lines_.find(metric.name);
      if (found == lines_.end()) continue;
      fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n{3}", metric.name, metric.help,
                     metric.type, found->second);
    }
  }

 private:
  std::map<std::string_view, std::string> lines_;
};

constexpr double kSecondsPerUs = 1e-6;

void AddProject(Samples& samples, const std::string& project, const Json& stats) {
  const std::string of_project = fmt::format("project=\"{}\"", http::LabelValue(project));
  samples.Add("tidemark_rows_written_total", of_project, stats["rows_written"]);
  for (const Json& table : stats["tables"]) {
    const std::string labels = fmt::format("{},view=\"{}\"", of_project, table["view"].get<std::string>());
    samples.Add("tidemark_table_rows", labels, table["rows"]);
    samples.Add("tidemark_table_bytes", labels, table["bytes"]);
    samples.Add("tidemark_table_files", labels, table["files"]);
    samples.Add("tidemark_table_small_files", labels, table["small_files"]);
    samples.Add("tidemark_table_committed_seconds", labels, table["committed_us"], kSecondsPerUs);
    samples.Add("tidemark_newest_event_seconds", labels + ",in=\"table\"", table["newest_event_us"],
                kSecondsPerUs);
  }
  for (const Json& load : stats["loads"]) {
    const std::string labels = fmt::format("{},view=\"{}\"", of_project, load["view"].get<std::string>());
    samples.Add("tidemark_loaded_seconds", labels, load["loaded_us"], kSecondsPerUs);
    samples.Add("tidemark_newest_event_seconds", labels + ",in=\"online\"", load["newest_event_us"],
                kSecondsPerUs);
  }
  for (const Json& stream : stats["streams"]) {
    const std::string labels = fmt::format("{},view=\"{}\"", of_project, stream["view"].get<std::string>());
    samples.Add("tidemark_stream_readers", labels, stream["readers"]);
    samples.Add("tidemark_stream_messages_total", labels, stream["messages"]);
    samples.Add("tidemark_stream_rows_total", labels, stream["rows"]);
    samples.Add("tidemark_stream_filtered_total", labels, stream["filtered"]);
    samples.Add("tidemark_stream_rejected_total", labels, stream["rejected"]);
    samples.Add("tidemark_stream_rows_per_second", labels, stream["rows_per_second"]);
    samples.Add("tidemark_stream_freshness_seconds", labels + ",quantile=\"0.5\"", stream["freshness_p50_us"],
                kSecondsPerUs);
    samples.Add("tidemark_stream_freshness_seconds", labels + ",quantile=\"0.99\"",
                stream["freshness_p99_us"], kSecondsPerUs);
    samples.Add("tidemark_stream_last_error_seconds", labels, stream["last_error_us"], kSecondsPerUs);
  }
}

void AddLag(Samples& samples, const StreamLagSample& sample) {
  const std::string labels =
      fmt::format("project=\"{}\",view=\"{}\"", http::LabelValue(sample.project), sample.view);
  samples.Add("tidemark_stream_reachable", labels, sample.is_reachable ? 1.0 : 0.0);
  for (const auto& [partition, messages] : sample.messages) {
    samples.Add("tidemark_stream_lag_messages",
                fmt::format("{},partition=\"{}\"", labels, http::LabelValue(partition)),
                static_cast<double>(messages));
  }
}

/// What all projects share.
void AddFolder(Samples& samples, const Json& stats) {
  samples.Add("tidemark_log_bytes", "", stats["log"]["bytes"]);
  if (stats["online"].is_null()) return;
  samples.Add("tidemark_online_rows", "", stats["online"]["rows"]);
  samples.Add("tidemark_online_bytes", "", stats["online"]["bytes"]);
  samples.Add("tidemark_online_bytes_max", "", stats["online"]["bytes_max"]);
}

Result<Json> StatsOf(Services& services, const std::string& project) {
  TM_ASSIGN(const auto store, services.stores->Get(project));
  TM_ASSIGN(const std::string text, store->Stats());
  return Json::parse(text);
}

/// The projects that the server has at this moment.
std::vector<std::string> ProjectsOf(Services& services) {
  std::vector<std::string> projects;
  if (const auto store = services.stores->Get({})) {
    if (const auto listed = (*store)->Projects()) projects = *listed;
  }
  const std::string& own = services.stores->default_project();
  if (std::ranges::find(projects, own) == projects.end()) projects.push_back(own);
  return projects;
}

}  // namespace

void AppendPythonMetrics(const PythonWorkers& workers, std::string& out) {
  const PythonWorkersStats stats = workers.Stats();
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type,
                   value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, std::int64_t value) {
    add(name, "counter", help, static_cast<double>(value));
  };
  add("tidemark_python_workers", "gauge", "Processes that run Python functions.",
      static_cast<double>(stats.workers));
  add("tidemark_python_calls_waiting", "gauge", "Calls of Python functions that wait for a process.",
      static_cast<double>(stats.waiting));
  counter("tidemark_python_calls_total", "Calls of Python functions.", stats.calls);
  counter("tidemark_python_errors_total", "Calls of Python functions that had no answer.", stats.errors);
  counter("tidemark_python_refused_total", "Calls of Python functions that no process was free for.",
          stats.refused);
  counter("tidemark_python_restarts_total", "Processes started in the place of one that was gone.",
          stats.restarts);
  add("tidemark_python_seconds_total", "counter", "Time spent in calls of Python functions.",
      static_cast<double>(stats.running_us) * kSecondsPerUs);
}

void AppendStoreMetrics(Services& services, const StreamLags& lags, std::string& out) {
  Samples samples;
  bool has_folder = false;
  for (const std::string& project : ProjectsOf(services)) {
    const auto stats = StatsOf(services, project);
    samples.Add("tidemark_store_readable", fmt::format("project=\"{}\"", http::LabelValue(project)),
                stats.has_value() ? 1.0 : 0.0);
    if (!stats) continue;
    AddProject(samples, project, *stats);
    if (!has_folder) AddFolder(samples, *stats);
    has_folder = true;
  }
  for (const StreamLagSample& sample : lags.Latest())
    AddLag(samples, sample);
  samples.Render(out);
}

}  // namespace tidemark::server
