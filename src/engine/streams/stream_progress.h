// What a session that reads a stream tells of itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/stream.h"

namespace tidemark {

struct StreamSessionStatus {
  bool is_running = true;
  std::int64_t started_us = 0;
  std::int64_t updated_us = 0;
  std::int64_t messages = 0;  // since it started, as are the next four
  std::int64_t rows = 0;      // that were written, deletions among them
  std::int64_t deletions = 0;
  std::int64_t filtered = 0;  // that the view's filter left out
  std::int64_t rejected = 0;
  double rows_per_second = 0;  // of the last ten seconds
  /// From the broker's timestamp to being readable, of the newest messages; nothing: there were none.
  std::optional<std::int64_t> freshness_p50_us;
  std::optional<std::int64_t> freshness_p99_us;
  std::map<std::string, StreamOffset> read;  // partitions that it has, by their last message that was read
  std::vector<std::string> partitions;       // that it has
  std::optional<std::int64_t> unreachable_since_us;  // nothing: it is reached, as far as it is known
  std::string last_error;                            // empty: none
  std::int64_t last_error_us = 0;
};

/// Counts rows by the second, and keeps the newest samples of freshness. Used by one thread at a time.
class StreamMeter {
 public:
  void AddRows(std::int64_t now_us, std::int64_t rows);
  void AddFreshness(std::int64_t us);

  double RowsPerSecond(std::int64_t now_us) const;
  /// Of the samples kept, the smallest that `share` of them do not exceed.
  std::optional<std::int64_t> Freshness(double share) const;

 private:
  static constexpr std::size_t kSeconds = 10;
  static constexpr std::size_t kSamples = 4096;
  struct Second {
    std::int64_t second = 0;
    std::int64_t rows = 0;
  };

  std::array<Second, kSeconds> seconds_{};
  std::vector<std::int64_t> samples_;  // a ring
  std::size_t next_ = 0;
};

/// Whether too many of the newest messages are no rows.
class RejectionGauge {
 public:
  /// `rate_max`: 0 to 1, of messages.
  explicit RejectionGauge(double rate_max) : rate_max_(rate_max) {}

  /// True if these would be too many, together with those before them; then they are not counted.
  bool IsOver(std::size_t messages, std::size_t rejected) const;
  void Add(std::size_t messages, std::size_t rejected);

 private:
  static constexpr double kMessagesMin = 100;  // fewer say nothing of a rate
  static constexpr double kMessagesMax = 10'000;

  const double rate_max_;
  double messages_ = 0;  // older ones fade
  double rejected_ = 0;
};

}  // namespace tidemark
