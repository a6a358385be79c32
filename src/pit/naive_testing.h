// The rule written down as plainly as can be, to hold the kernel against: every question looks at every row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pit/latest_per_key.h"
#include "pit/point_in_time_join.h"

namespace tidemark::pit_testing {

/// Key values in the order of the join keys' names. Variants compare as the kernel's keys do: by value.
using NaiveKey = std::vector<std::variant<std::int64_t, bool, std::string>>;

struct NaiveFeatureRow {
  NaiveKey key;
  std::int64_t event_us = 0;
  std::int64_t created_us = 0;
  std::int64_t sequence = 0;
  std::uint32_t origin = 0;
  bool is_deleted = false;
  std::optional<std::int64_t> expires_at_us;
  RowLocation location = 0;
};

struct NaiveEntityRow {
  NaiveKey key;
  std::int64_t time_us = 0;
};

struct NaiveOptions {
  KnownBy known_by;
  std::int64_t ttl_us = 0;
  bool has_sequence = false;  // rows are ordered by (sequence, origin) after the times, else by location
};

/// The winner of one entity row among `rows`.
Winner NaiveLookup(const std::vector<NaiveFeatureRow>& rows, const NaiveEntityRow& entity,
                   const NaiveOptions& options);

/// The greatest row of each key with start <= event <= end, by key.
std::vector<NaiveFeatureRow> NaiveLatest(const std::vector<NaiveFeatureRow>& rows, std::int64_t start_us,
                                         std::int64_t end_us, bool has_sequence);

}  // namespace tidemark::pit_testing
