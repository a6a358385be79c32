// Goal: what DuckDB may count leaves room for what it does not.
#include "adapters/adbc/duckdb_memory_internal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace tidemark {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

TEST(DuckDbMemory, SmallLimitsLeaveFewThreads) {
  for (const auto& [limit, engine, threads] :
       {std::tuple{128, 56, 1}, std::tuple{192, 104, 2}, std::tuple{256, 152, 3}, std::tuple{1024, 904, 4}}) {
    const auto shares = SharesOf(limit * kMebibyte, 4);
    ASSERT_TRUE(shares);
    EXPECT_EQ(shares->engine_bytes, engine * kMebibyte) << limit;
    EXPECT_EQ(shares->threads, static_cast<std::size_t>(threads)) << limit;
    EXPECT_EQ(shares->result_bytes, engine * kMebibyte / 128);
    EXPECT_TRUE(shares->returns_freed);
  }
}

TEST(DuckDbMemory, LargeLimitsAndNone) {
  const auto large = SharesOf(8192 * kMebibyte, 3).value();
  EXPECT_EQ(large.engine_bytes, 5120 * kMebibyte);
  EXPECT_EQ(large.threads, 3U);
  EXPECT_EQ(large.result_bytes, 64 * kMebibyte);
  EXPECT_FALSE(large.returns_freed);
  const auto none = SharesOf(0, 0).value();
  EXPECT_EQ(none.engine_bytes, 0);
  EXPECT_EQ(none.threads, 0U);
}

TEST(DuckDbMemory, TooLittleIsRefused) {
  const auto shares = SharesOf(kQueryBytesMin - 1, 2);
  ASSERT_FALSE(shares);
  EXPECT_EQ(shares.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(shares.error().message, testing::HasSubstr("128 MiB at least"));
}

TEST(DuckDbMemory, AnotherLibraryHasNoAllocatorOfItsOwn) {
  EXPECT_EQ(ReturnFreedMemory("/no/such/library.so"), nullptr);
}

// A library that is not there counts nothing: what the process takes beyond the rest is too much.
TEST(DuckDbMemory, WhatIsNotCountedHasTheRest) {
  EXPECT_EQ(MemoryGuard("/no/such/library.so", 0, {}), nullptr);
  const auto is_too_much =
      MemoryGuard("/no/such/library.so", 256 * kMebibyte, {.engine_bytes = 152 * kMebibyte});
  EXPECT_FALSE(is_too_much());
  const std::vector<char> held(80 * kMebibyte, 'x');
  EXPECT_EQ(held.back(), 'x');
  EXPECT_TRUE(is_too_much());
}

}  // namespace
}  // namespace tidemark
