// Straight from the design's words; shares no code with the kernel.
#include "pit/naive_testing.h"

#include <map>
#include <tuple>

namespace tidemark::pit_testing {
namespace {

bool IsGreater(const NaiveFeatureRow& a, const NaiveFeatureRow& b, bool has_sequence) {
  if (has_sequence) {
    return std::tie(a.event_us, a.created_us, a.sequence, a.origin) >
           std::tie(b.event_us, b.created_us, b.sequence, b.origin);
  }
  return std::tie(a.event_us, a.created_us, a.location) > std::tie(b.event_us, b.created_us, b.location);
}

bool IsKnown(const NaiveFeatureRow& row, const NaiveEntityRow& entity, const KnownBy& known_by) {
  switch (known_by.kind) {
    case KnownBy::Kind::kTime:
      return row.created_us <= known_by.time_us;
    case KnownBy::Kind::kEntityRow:
      return row.created_us <= entity.time_us;
    default:
      return true;
  }
}

Status StatusOf(const NaiveFeatureRow& row, std::int64_t time_us, std::int64_t ttl_us) {
  if (row.is_deleted) return Status::kNotFound;
  if (row.expires_at_us && *row.expires_at_us != kNeverExpires && *row.expires_at_us <= time_us) {
    return Status::kOutsideMaxAge;
  }
  const __int128 age = static_cast<__int128>(time_us) - row.event_us;
  return ttl_us > 0 && age > ttl_us ? Status::kOutsideMaxAge : Status::kPresent;
}

}  // namespace

Winner NaiveLookup(const std::vector<NaiveFeatureRow>& rows, const NaiveEntityRow& entity,
                   const NaiveOptions& options) {
  const NaiveFeatureRow* best = nullptr;
  for (const NaiveFeatureRow& row : rows) {
    if (row.key != entity.key || row.event_us > entity.time_us) continue;
    if (!IsKnown(row, entity, options.known_by)) continue;
    if (best == nullptr || IsGreater(row, *best, options.has_sequence)) best = &row;
  }
  if (best == nullptr) return {};
  return {best->location, best->event_us, StatusOf(*best, entity.time_us, options.ttl_us)};
}

std::vector<NaiveFeatureRow> NaiveLatest(const std::vector<NaiveFeatureRow>& rows, std::int64_t start_us,
                                         std::int64_t end_us, bool has_sequence) {
  std::map<NaiveKey, NaiveFeatureRow> latest;
  for (const NaiveFeatureRow& row : rows) {
    if (row.event_us < start_us || row.event_us > end_us) continue;
    const auto [found, is_new] = latest.try_emplace(row.key, row);
    if (!is_new && IsGreater(row, found->second, has_sequence)) found->second = row;
  }
  std::vector<NaiveFeatureRow> out;
  for (auto& [key, row] : latest)
    out.push_back(std::move(row));
  return out;
}

}  // namespace tidemark::pit_testing
