// What the server counts, in the text format of Prometheus.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::http {

/// Upper bounds of the latency buckets, seconds.
inline constexpr std::array<double, 16> kLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0};

/// Counts of one route. Thread safe; adding takes no lock.
class RouteMetrics {
 public:
  RouteMetrics(std::string_view dialect, std::string_view method, std::string_view pattern);

  void Add(int status, std::uint64_t nanoseconds, std::size_t bytes_in, std::size_t bytes_out);
  void Render(std::string& requests, std::string& latencies, std::string& bytes) const;

 private:
  std::string labels_;
  std::array<std::atomic<std::uint64_t>, 6> by_class_{};  // of status: 1xx ... 5xx, and 429 apart
  std::array<std::atomic<std::uint64_t>, kLatencyBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> nanoseconds_ = 0;
  std::atomic<std::uint64_t> bytes_in_ = 0;
  std::atomic<std::uint64_t> bytes_out_ = 0;
};

/// All that a server counts. Thread safe.
class Metrics {
 public:
  /// Counts for a route, kept as long as this lives.
  RouteMetrics* AddRoute(std::string_view dialect, std::string_view method, std::string_view pattern);
  /// Something that appends lines of its own when metrics are asked for.
  void AddSource(std::function<void(std::string& out)> source);

  /// The text that /metrics answers.
  std::string Render() const;

  std::atomic<std::int64_t> connections = 0;
  std::atomic<std::int64_t> in_flight = 0;
  std::atomic<std::int64_t> memory_bytes = 0;  // bodies and answers held now
  std::atomic<std::uint64_t> connections_refused = 0;
  std::atomic<std::uint64_t> requests_refused = 0;  // with 429 or 503, before any handler

 private:
  mutable std::mutex mutex_;  // guards the two below
  std::vector<std::unique_ptr<RouteMetrics>> routes_;
  std::vector<std::function<void(std::string&)>> sources_;
};

/// Appends `# HELP`, `# TYPE` and one sample: for sources of Metrics.
void AppendGauge(std::string& out, std::string_view name, std::string_view help, double value);

/// Escapes a label's value: backslash, quote and line feed.
std::string LabelValue(std::string_view text);

}  // namespace tidemark::http
