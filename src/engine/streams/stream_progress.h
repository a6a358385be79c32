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

/// Whether too many of the newest messages are no rows. It outlives the sessions that ask it, one after the
/// other: what is too many for one is too many for the next. Used by one thread at a time.
class RejectionGauge {
 public:
  /// `rate_max`: 0 to 1, of messages.
  explicit RejectionGauge(double rate_max) : rate_max_(rate_max) {}

  /// Messages are read by this version of a view from now on. What was counted stays if the last messages
  /// were refused by the same one; otherwise counting begins anew: what a session that failed has counted
  /// may come again.
  void Begin(std::uint32_t view_id, std::int64_t version);
  /// Counts messages. False if too many of them are rejected, together with those before them; then they are
  /// not counted. No messages change nothing.
  bool Admit(std::size_t messages, std::size_t rejected);

  double rate_max() const { return rate_max_; }

 private:
  static constexpr double kMessagesMin = 100;  // fewer say nothing of a rate, until some were refused
  static constexpr double kMessagesMax = 10'000;

  const double rate_max_;
  double messages_ = 0;  // older ones fade
  double rejected_ = 0;
  bool is_refusing_ = false;  // the last ones
  std::uint32_t view_id_ = 0;
  std::int64_t version_ = 0;
};

}  // namespace tidemark
