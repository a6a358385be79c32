// The latest row of each key: what materialization loads into an online store.
//
// The same order and the same input as the point-in-time kernel, but the keys are those of the feature rows
// themselves and there is one moment for all. Deleted and expired rows win as any other: the online store
// keeps them, and reads apply the rule.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pit/point_in_time_join.h"

namespace tidemark {

/// One key's greatest row.
struct LatestRow {
  RowLocation location = kNoRow;
  RowOrder order;
  bool is_deleted = false;
  std::int64_t expires_at_us = kNeverExpires;
};

class LatestPerKey {
 public:
  struct Options {
    std::int64_t start_us = std::numeric_limits<std::int64_t>::min();  // rows before it are passed over
    std::int64_t end_us = std::numeric_limits<std::int64_t>::max();    // rows after it are passed over
    // Only keys whose hash falls in part `part` of `parts` are taken, so that any number of keys can be
    // reduced in bounded memory by `parts` passes.
    std::uint32_t part = 0;
    std::uint32_t parts = 1;
    std::size_t threads = 1;
  };

  explicit LatestPerKey(const Options& options);
  ~LatestPerKey();
  LatestPerKey(const LatestPerKey&) = delete;
  LatestPerKey& operator=(const LatestPerKey&) = delete;

  /// As PointInTimeJoin::Add.
  Result<void> Add(const FeatureRows& rows, std::size_t thread);

  /// What all threads' tables take now. May be called while rows are added. Finish needs about 80 bytes a key
  /// more.
  std::int64_t memory_bytes() const;

  /// One row for each key, in the order of the keys' values (the order of the online store's keys: columns
  /// one after another, integers by value, false before true, binary bytewise). Called once, after all Add.
  std::vector<LatestRow> Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
