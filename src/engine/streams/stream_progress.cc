// Meters over rings of fixed size.
#include "engine/streams/stream_progress.h"

#include <algorithm>
#include <cmath>

namespace tidemark {

namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

}  // namespace

void StreamMeter::AddRows(std::int64_t now_us, std::int64_t rows) {
  const std::int64_t second = now_us / kSecondUs;
  Second& slot = seconds_[static_cast<std::size_t>(second) % kSeconds];
  if (slot.second != second) slot = {second, 0};
  slot.rows += rows;
}

void StreamMeter::AddFreshness(std::int64_t us) {
  if (samples_.size() < kSamples) {
    samples_.push_back(us);
    return;
  }
  samples_[next_] = us;
  next_ = (next_ + 1) % kSamples;
}

double StreamMeter::RowsPerSecond(std::int64_t now_us) const {
  const std::int64_t second = now_us / kSecondUs;
  std::int64_t rows = 0;
  for (const Second& slot : seconds_) {
    if (second - slot.second < static_cast<std::int64_t>(kSeconds)) rows += slot.rows;
  }
  return static_cast<double>(rows) / static_cast<double>(kSeconds);
}

std::optional<std::int64_t> StreamMeter::Freshness(double share) const {
  if (samples_.empty()) return std::nullopt;
  auto samples = samples_;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples.size())));
  const std::size_t place = std::clamp<std::size_t>(rank, 1, samples.size()) - 1;
  std::ranges::nth_element(samples, samples.begin() + static_cast<std::ptrdiff_t>(place));
  return samples[place];
}

void RejectionGauge::Begin(std::uint32_t view_id, std::int64_t version) {
  if (is_refusing_ && view_id == view_id_ && version == version_) return;
  messages_ = rejected_ = 0;
  is_refusing_ = false;
  view_id_ = view_id;
  version_ = version;
}

bool RejectionGauge::Admit(std::size_t messages, std::size_t rejected) {
  if (messages == 0) return true;  // what was refused may yet come
  const double all = messages_ + static_cast<double>(messages);
  const double all_rejected = rejected_ + static_cast<double>(rejected);
  is_refusing_ = rejected > 0 && all_rejected > rate_max_ * all && (is_refusing_ || all >= kMessagesMin);
  if (is_refusing_) return false;
  const double kept = std::min(1.0, kMessagesMax / all);
  messages_ = all * kept;
  rejected_ = all_rejected * kept;
  return true;
}

}  // namespace tidemark
