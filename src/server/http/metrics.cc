// Counters and histograms, and how Prometheus reads them.
#include "server/http/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tidemark::http {
namespace {

constexpr std::array<std::string_view, 6> kClassNames = {"1xx", "2xx", "3xx", "4xx", "5xx", "429"};
constexpr auto kRelaxed = std::memory_order_relaxed;

std::size_t ClassOf(int status) {
  if (status == 429) return 5;
  return static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1);
}

void AppendHead(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

}  // namespace

RouteMetrics::RouteMetrics(std::string_view dialect, std::string_view method, std::string_view pattern)
    : labels_(fmt::format("dialect=\"{}\",method=\"{}\",route=\"{}\"", LabelValue(dialect),
                          LabelValue(method), LabelValue(pattern))) {}

void RouteMetrics::Add(int status, std::uint64_t nanoseconds, std::size_t bytes_in, std::size_t bytes_out) {
  by_class_.at(ClassOf(status)).fetch_add(1, kRelaxed);
  const double seconds = static_cast<double>(nanoseconds) * 1e-9;
  const auto* const bound = std::ranges::lower_bound(kLatencyBounds, seconds);
  buckets_.at(static_cast<std::size_t>(bound - kLatencyBounds.begin())).fetch_add(1, kRelaxed);
  nanoseconds_.fetch_add(nanoseconds, kRelaxed);
  bytes_in_.fetch_add(bytes_in, kRelaxed);
  bytes_out_.fetch_add(bytes_out, kRelaxed);
}

void RouteMetrics::Render(std::string& requests, std::string& latencies, std::string& bytes) const {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < by_class_.size(); ++i) {
    const std::uint64_t count = by_class_.at(i).load(kRelaxed);
    if (count == 0) continue;
    fmt::format_to(std::back_inserter(requests), "tidemark_http_requests_total{{{},status=\"{}\"}} {}\n",
                   labels_, kClassNames.at(i), count);
  }
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    all += buckets_.at(i).load(kRelaxed);
    const std::string bound =
        i < kLatencyBounds.size() ? fmt::format("{}", kLatencyBounds.at(i)) : std::string("+Inf");
    fmt::format_to(std::back_inserter(latencies), "tidemark_http_request_seconds_bucket{{{},le=\"{}\"}} {}\n",
                   labels_, bound, all);
  }
  fmt::format_to(
      std::back_inserter(latencies),
      "tidemark_http_request_seconds_sum{{{0}}} {1}\ntidemark_http_request_seconds_count{{{0}}} {2}\n",
      labels_, static_cast<double>(nanoseconds_.load(kRelaxed)) * 1e-9, all);
  fmt::format_to(std::back_inserter(bytes),
                 "tidemark_http_bytes_total{{{0},direction=\"in\"}} {1}\n"
                 "tidemark_http_bytes_total{{{0},direction=\"out\"}} {2}\n",
                 labels_, bytes_in_.load(kRelaxed), bytes_out_.load(kRelaxed));
}

RouteMetrics* Metrics::AddRoute(std::string_view dialect, std::string_view method, std::string_view pattern) {
  const std::lock_guard lock(mutex_);
  routes_.push_back(std::make_unique<RouteMetrics>(dialect, method, pattern));
  return routes_.back().get();
}

void Metrics::AddSource(std::function<void(std::string& out)> source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

std::string Metrics::Render() const {
  const std::lock_guard lock(mutex_);
  std::string requests;
  std::string latencies;
  std::string bytes;
  AppendHead(requests, "tidemark_http_requests_total", "Requests answered, by class of status.", "counter");
  AppendHead(latencies, "tidemark_http_request_seconds", "From a whole request to its answer handed over.",
             "histogram");
  AppendHead(bytes, "tidemark_http_bytes_total", "Bytes of bodies.", "counter");
  for (const auto& route : routes_)
    route->Render(requests, latencies, bytes);

  std::string out = requests + latencies + bytes;
  AppendGauge(out, "tidemark_http_connections", "Connections that are open.",
              static_cast<double>(connections.load()));
  AppendGauge(out, "tidemark_http_in_flight", "Requests that are being answered.",
              static_cast<double>(in_flight.load()));
  AppendGauge(out, "tidemark_http_memory_bytes", "Bodies and answers that are held.",
              static_cast<double>(memory_bytes.load()));
  AppendHead(out, "tidemark_http_refused_total", "Connections and requests refused at a limit.", "counter");
  fmt::format_to(std::back_inserter(out),
                 "tidemark_http_refused_total{{what=\"connection\"}} {}\n"
                 "tidemark_http_refused_total{{what=\"request\"}} {}\n",
                 connections_refused.load(), requests_refused.load());
  for (const auto& source : sources_)
    source(out);
  return out;
}

void AppendGauge(std::string& out, std::string_view name, std::string_view help, double value) {
  AppendHead(out, name, help, "gauge");
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

std::string LabelValue(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out.append("\\n");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace tidemark::http
