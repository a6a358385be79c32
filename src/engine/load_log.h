// What has been loaded of a view into the online store: which files, as they were, over which times.
//
// Kept in the registry as one note for each view (JSON), so that a second run reads only what is new: files
// that were not there or have changed, and times that were not covered. Loading is idempotent, so a log that
// says too little costs time and never an answer.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/source.h"

namespace tidemark {

/// Event times from `start_us` to `end_us`, both included.
struct TimeRange {
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;
  bool operator==(const TimeRange&) const = default;
};

/// `wanted` less what `loaded` covers, as the one range that spans the rest; nothing if all is covered.
std::optional<TimeRange> Uncovered(TimeRange wanted, const std::vector<TimeRange>& loaded);

/// `loaded` with `range` added, merged and sorted. Ranges that touch (end + 1 = start) become one.
std::vector<TimeRange> Merged(std::vector<TimeRange> loaded, TimeRange range);

/// The range of no time at all.
inline constexpr TimeRange kNoTimes{std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()};

inline bool Overlap(const TimeRange& a, const TimeRange& b) {
  return a.start_us <= b.end_us && b.start_us <= a.end_us;
}

struct LoadedFile {
  SourceFile file;
  std::vector<TimeRange> ranges;  // that were loaded of it
  std::optional<TimeRange> event_times =
      {};  // of all its rows, once all were read: statistics for a file without any
  /// Of a table in a warehouse: every row within `ranges` that was there has been loaded when the newest one
  /// was created then. Nothing: not known, so that all is read again.
  std::optional<std::int64_t> newest_created_us = {};
  bool operator==(const LoadedFile&) const = default;
};

struct LoadLog {
  std::string definition;    // what the rows depend on: source, keys, fields; another one loads all again
  std::string online_store;  // which online store; another one loads all again
  std::int64_t loaded_at_us = 0;                // when the last load ended
  std::int64_t rows_written = 0;                // by the last load
  TimeRange last;                               // that the last load was asked for
  std::optional<std::int64_t> newest_event_us;  // greatest event time ever loaded: how fresh the view is
  std::vector<LoadedFile> files;
  bool operator==(const LoadLog&) const = default;

  /// The entry of a file that is still as it was when it was loaded, or null.
  const LoadedFile* Unchanged(const SourceFile& file) const;
};

inline constexpr std::string_view kLoadLogNote = "online_load";

/// Files below `store_folder` (empty: none) are noted relative to it, so that a store that was moved knows
/// them still.
std::string ToJson(const LoadLog& log, std::string_view store_folder = {});
/// kCorruption if the text is not what ToJson writes.
Result<LoadLog> LoadLogFromJson(std::string_view json, std::string_view store_folder = {});

}  // namespace tidemark
