// The revision of a project's definitions, looked up now and then.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/result.h"
#include "store/registry.h"

namespace tidemark {

/// Thread safe; takes no lock.
class RevisionCheck {
 public:
  /// The registry's serial, asked for again if the last answer is `max_age_ms` old, or the clock was set
  /// back.
  Result<std::int64_t> Get(const Registry& registry, std::string_view project, std::int64_t now_us,
                           std::int64_t max_age_ms) const {
    const std::int64_t checked_us = checked_us_.load(std::memory_order_acquire);
    if (now_us >= checked_us && (now_us - checked_us) / 1000 < max_age_ms) return serial_.load();
    TM_ASSIGN(const std::int64_t serial, registry.Serial(project));
    serial_.store(serial);
    checked_us_.store(now_us, std::memory_order_release);
    return serial;
  }

 private:
  mutable std::atomic<std::int64_t> serial_ = 0;
  mutable std::atomic<std::int64_t> checked_us_ = std::numeric_limits<std::int64_t>::max();  // not yet
};

}  // namespace tidemark
