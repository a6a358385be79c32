// The clock that everything above reads, so that a test can set the time.
#pragma once

#include <atomic>
#include <cstdint>

namespace tidemark {

/// Microseconds since 1970-01-01T00:00:00Z. Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_us() const = 0;
};

/// The machine's own clock.
class SystemClock final : public Clock {
 public:
  std::int64_t now_us() const override;
};

/// A clock that a test sets.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t now_us) : now_us_(now_us) {}
  std::int64_t now_us() const override { return now_us_.load(); }
  void set_us(std::int64_t now_us) { now_us_.store(now_us); }

 private:
  std::atomic<std::int64_t> now_us_;
};

}  // namespace tidemark
