// Goal: on random cases of every kind of key and source, cut into parts and threads in any way, the reduction
// gives each key's greatest row within the window, in key order, as the naive reference does.
#include <gtest/gtest.h>

#include <thread>

#include "pit/latest_per_key.h"
#include "pit/random_cases_testing.h"

namespace tidemark {
namespace {

using namespace pit_testing;

std::vector<LatestRow> Reduce(const RandomCase& of, std::uint32_t part, std::uint32_t parts,
                              std::mt19937_64& random) {
  LatestPerKey latest(
      {.start_us = of.start_us, .end_us = of.end_us, .part = part, .parts = parts, .threads = of.threads});
  const auto batches = RandomBatches(random, of.rows.size());
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < of.threads; ++thread) {
    const auto work = [&, thread] {
      for (std::size_t i = thread; i < batches.size(); i += of.threads) {
        const auto added = latest.Add(ToFeatureRows(of, batches[i].first, batches[i].second), thread);
        EXPECT_TRUE(added.has_value()) << added.error().ToString();
        EXPECT_GE(latest.memory_bytes(), 0);
      }
    };
    if (of.rows.size() > 100) {
      threads.emplace_back(work);
    } else {
      work();
    }
  }
  threads.clear();
  return latest.Finish();
}

bool IsSame(const LatestRow& got, const NaiveFeatureRow& expected, const RandomCase& of) {
  const std::int64_t sequence =
      of.has_sequence ? expected.sequence : static_cast<std::int64_t>(expected.location);
  return got.location == expected.location && got.order.event.us == expected.event_us &&
         got.order.created.us == expected.created_us && got.order.sequence == sequence &&
         got.order.origin == expected.origin && got.is_deleted == expected.is_deleted &&
         got.expires_at_us == expected.expires_at_us.value_or(kNeverExpires);
}

TEST(LatestPerKeyProperty, AnswersWhatTheNaiveReferenceAnswers) {
  std::mt19937_64 random(TestSeed(20240502));
  const std::size_t cases = TestCases(10'000);
  for (std::size_t n = 0; n < cases; ++n) {
    const RandomCase one = MakeRandomCase(random);
    const auto expected = NaiveLatest(one.rows, one.start_us, one.end_us, one.has_sequence);
    const auto got = Reduce(one, 0, 1, random);
    ASSERT_EQ(got.size(), expected.size()) << "case " << n << "\n" << one.ToString();
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(IsSame(got[i], expected[i], one))
          << "case " << n << ", key " << i << ": got location " << got[i].location << ", expected "
          << expected[i].location << "\n"
          << one.ToString();
    }
  }
}

// Every key is in exactly one part.
TEST(LatestPerKeyProperty, PartsTogetherAreTheWhole) {
  std::mt19937_64 random(TestSeed(11));
  for (std::size_t n = 0; n < 500; ++n) {
    const RandomCase one = MakeRandomCase(random);
    const auto expected = NaiveLatest(one.rows, one.start_us, one.end_us, one.has_sequence);
    const auto parts = static_cast<std::uint32_t>(1 + random() % 5);
    std::vector<RowLocation> got;
    for (std::uint32_t part = 0; part < parts; ++part) {
      const auto rows = Reduce(one, part, parts, random);
      for (const LatestRow& row : rows)
        got.push_back(row.location);
    }
    std::vector<RowLocation> locations;
    for (const auto& row : expected)
      locations.push_back(row.location);
    std::ranges::sort(got);
    std::ranges::sort(locations);
    ASSERT_EQ(got, locations) << one.ToString();
  }
}

// Memory is bounded by parts only if they are about equal.
TEST(LatestPerKeyProperty, PartsShareTheKeysEvenly) {
  constexpr std::int64_t kKeys = 10'000;
  std::vector<NaiveKey> keys;
  for (std::int64_t key = 0; key < kKeys; ++key)
    keys.push_back({key});
  FeatureRows rows;
  rows.keys = KeyColumns({ColumnKind::kInt64}, keys);
  rows.event = Times(std::vector<std::int64_t>(kKeys, 5));
  for (std::uint32_t part = 0; part < 4; ++part) {
    LatestPerKey latest({.part = part, .parts = 4});
    ASSERT_TRUE(latest.Add(rows, 0).has_value());
    EXPECT_NEAR(static_cast<double>(latest.Finish().size()), kKeys / 4.0, kKeys / 40.0) << "part " << part;
  }
}

}  // namespace
}  // namespace tidemark
