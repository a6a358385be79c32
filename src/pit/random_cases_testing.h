// Random small joins for property tests: few keys and few times, so that ties and boundaries are common.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pit/naive_testing.h"

namespace tidemark::pit_testing {

enum class ColumnKind : std::uint8_t { kInt64, kBool, kBinary, kLargeBinary };

struct RandomCase {
  std::vector<ColumnKind> columns;
  std::vector<NaiveEntityRow> entities;
  std::vector<NaiveFeatureRow> rows;
  bool has_created = false;
  bool has_sequence = false;  // sequence and origin
  bool has_state = false;     // is_deleted and expires_at
  NaiveOptions options;
  std::int64_t start_us = 0;  // of a reduction to the latest rows
  std::int64_t end_us = 0;
  std::size_t threads = 1;

  std::string ToString() const;
};

/// TIDEMARK_TEST_SEED, or else `otherwise`; prints it.
std::uint64_t TestSeed(std::uint64_t otherwise);
/// TIDEMARK_TEST_CASES, or else `otherwise`.
std::size_t TestCases(std::size_t otherwise);

/// Different keys that Hash64 gives one hash.
std::string CollidingKey(char tells_apart);

RandomCase MakeRandomCase(std::mt19937_64& random);

arrow::ArrayVector KeyColumns(const std::vector<ColumnKind>& columns, const std::vector<NaiveKey>& keys);
std::shared_ptr<arrow::Int64Array> Times(const std::vector<std::int64_t>& times_us);

/// Rows [begin, end) of the case as the kernel takes them, inside arrays of their own that start at an
/// offset.
FeatureRows ToFeatureRows(const RandomCase& of, std::size_t begin, std::size_t end);

/// Cuts [0, rows) into batches in random order.
std::vector<std::pair<std::size_t, std::size_t>> RandomBatches(std::mt19937_64& random, std::size_t rows);

}  // namespace tidemark::pit_testing
