// The rule in code.
#include "pit/rule.h"

#include <array>

namespace tidemark {

std::string_view StatusName(Status status) {
  static constexpr std::array<std::string_view, 4> kNames{"PRESENT", "NULL_VALUE", "NOT_FOUND",
                                                          "OUTSIDE_MAX_AGE"};
  return kNames.at(static_cast<std::size_t>(status));
}

Status StatusAt(const RowState& row, std::int64_t t_us, std::int64_t ttl_us) {
  if (row.is_deleted) return Status::kNotFound;
  if (row.expires_at_us != kNeverExpires && row.expires_at_us <= t_us) return Status::kOutsideMaxAge;
  std::int64_t oldest_fresh_us = 0;
  if (__builtin_sub_overflow(t_us, ttl_us, &oldest_fresh_us)) return Status::kPresent;
  return ttl_us > 0 && row.event.us < oldest_fresh_us ? Status::kOutsideMaxAge : Status::kPresent;
}

}  // namespace tidemark
