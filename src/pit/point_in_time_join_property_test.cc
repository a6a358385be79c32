// Goal: on random cases of every kind of key, source, option and number of threads, the kernel answers what
// the naive reference answers. TIDEMARK_TEST_SEED repeats a run; TIDEMARK_TEST_CASES makes it longer.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/hash.h"
#include "pit/point_in_time_join.h"
#include "pit/random_cases_testing.h"

namespace tidemark {
namespace {

using namespace pit_testing;

std::vector<Winner> Join(const RandomCase& of, const EntityGroups& groups, std::mt19937_64& random) {
  PointInTimeJoin join(groups, {of.options.known_by, of.options.ttl_us, of.threads});
  const auto batches = RandomBatches(random, of.rows.size());
  // Real threads only now and then: starting them costs more than the small cases.
  const bool at_once = of.rows.size() > 100;
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < of.threads; ++thread) {
    const auto work = [&, thread] {
      for (std::size_t i = thread; i < batches.size(); i += of.threads) {
        const auto added = join.Add(ToFeatureRows(of, batches[i].first, batches[i].second), thread);
        EXPECT_TRUE(added.has_value()) << added.error().ToString();
      }
    };
    if (at_once) {
      threads.emplace_back(work);
    } else {
      work();
    }
  }
  threads.clear();
  return join.Finish();
}

// Rows of one key together, as in sorted files: with their times ascending, or in any order. Locations stay
// where they are.
void PutKeysTogether(RandomCase& one, bool with_times) {
  std::vector<RowLocation> locations;
  for (const NaiveFeatureRow& row : one.rows)
    locations.push_back(row.location);
  std::ranges::stable_sort(one.rows, [&](const NaiveFeatureRow& left, const NaiveFeatureRow& right) {
    if (left.key != right.key) return left.key < right.key;
    return with_times && left.event_us < right.event_us;
  });
  for (std::size_t i = 0; i < locations.size(); ++i)
    one.rows[i].location = locations[i];
}

TEST(PointInTimeJoinProperty, AnswersWhatTheNaiveReferenceAnswers) {
  std::mt19937_64 random(TestSeed(20240501));
  const std::size_t cases = TestCases(25'000);
  for (std::size_t n = 0; n < cases; ++n) {
    RandomCase one = MakeRandomCase(random);
    if (n % 3 != 0) PutKeysTogether(one, n % 3 == 1);
    std::vector<NaiveKey> keys;
    std::vector<std::int64_t> times;
    for (const auto& entity : one.entities) {
      keys.push_back(entity.key);
      times.push_back(entity.time_us);
    }
    const auto groups = EntityGroups::Make(KeyColumns(one.columns, keys), *Times(times));
    ASSERT_TRUE(groups.has_value()) << groups.error().ToString();
    const auto winners = Join(one, *groups, random);
    ASSERT_EQ(winners.size(), one.entities.size());
    for (std::size_t i = 0; i < winners.size(); ++i) {
      const Winner expected = NaiveLookup(one.rows, one.entities[i], one.options);
      ASSERT_TRUE(winners[i].location == expected.location && winners[i].event_us == expected.event_us &&
                  winners[i].status == expected.status)
          << "case " << n << ", entity row " << i << ": got location " << winners[i].location << " status "
          << StatusName(winners[i].status) << ", expected " << expected.location << " "
          << StatusName(expected.status) << "\n"
          << one.ToString();
    }
  }
}

// The random cases rest on it: a hash alone tells these keys apart as little as any.
TEST(PointInTimeJoinProperty, CollidingKeysCollide) {
  const std::string x = CollidingKey('x');
  const std::string y = CollidingKey('y');
  ASSERT_NE(x, y);
  EXPECT_EQ(Hash64(std::as_bytes(std::span(x))), Hash64(std::as_bytes(std::span(y))));
}

// MayContainKey may say yes too often, but never no for a key that is there; and it must say no where it can.
TEST(PointInTimeJoinProperty, NoKeyIsSkippedByItsRange) {
  std::mt19937_64 random(TestSeed(7));
  std::size_t refused = 0;
  for (std::size_t n = 0; n < 3'000; ++n) {
    const RandomCase one = MakeRandomCase(random);
    if (one.columns.empty() || one.columns[0] == ColumnKind::kBool || one.entities.empty()) continue;
    std::vector<NaiveKey> keys;
    std::vector<std::int64_t> times;
    for (const auto& entity : one.entities) {
      keys.push_back(entity.key);
      times.push_back(entity.time_us);
    }
    const auto groups = EntityGroups::Make(KeyColumns(one.columns, keys), *Times(times));
    ASSERT_TRUE(groups.has_value());
    for (std::size_t i = 0; i + 1 < one.rows.size(); ++i) {
      auto low = one.rows[i].key[0];
      auto high = one.rows[i + 1].key[0];
      if (high < low) std::swap(low, high);
      const bool there = std::any_of(keys.begin(), keys.end(),
                                     [&](const NaiveKey& key) { return low <= key[0] && key[0] <= high; });
      const bool may = one.columns[0] == ColumnKind::kInt64
                           ? groups->MayContainKey(std::get<0>(low), std::get<0>(high))
                           : groups->MayContainKey(std::get<2>(low), std::get<2>(high));
      ASSERT_TRUE(may || !there) << one.ToString();
      if (one.columns[0] == ColumnKind::kInt64) {
        ASSERT_EQ(may, there);  // exact for integers
      }
      refused += may ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace tidemark
