// Goal: an adapter that passes keeps the greatest row of each key whatever the order, repetition and
// concurrency of writes, shows one snapshot to a lookup, and never answers with another key's or a damaged
// row.
#include "store/online_store_testing.h"

#include <arrow/builder.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "base/check.h"
#include "model/key_codec.h"

namespace tidemark::testing_support {
namespace {

const PackedLayout& TestLayout() {
  static const PackedLayout layout = [] {
    Field field;
    field.name = "payload";
    field.type.kind = TypeKind::kString;
    field.id = 1;
    return PackedLayout(1, {field});
  }();
  return layout;
}

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TestWrite Write(std::string key, std::int64_t event_us, std::string_view payload) {
  std::string row = TestRow(key, {.event = {event_us}, .created = {}}, payload);
  return {std::move(key), std::move(row)};
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tidemark-test-XXXXXX").string();
  TM_CHECK(::mkdtemp(pattern.data()) != nullptr, "a test needs a temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestKey(std::uint32_t view_id, std::string_view value) {
  std::string key;
  AppendViewId(view_id, key);
  AppendKeyBytes(value, key);
  return key;
}

std::string TestRow(std::string_view key, const RowOrder& order, std::string_view payload, bool is_deleted) {
  arrow::StringBuilder builder;
  TM_CHECK(builder.Append(payload).ok(), "a test row's payload");
  const PackedRowWriter writer(TestLayout(), {builder.Finish().ValueOrDie()});
  std::string row;
  const auto packed = writer.Append(0, {.order = order, .is_deleted = is_deleted}, key, row);
  TM_CHECK(packed.has_value(), "a test row is packed");
  return row;
}

std::string TestPayload(std::span<const std::byte> row) {
  if (!CheckPacked(TestLayout(), row)) return "(damaged)";
  return std::string(PackedVariable(TestLayout(), TestLayout().slots()[0], row).value_or("(null)"));
}

std::vector<OnlineWrite> Writes(const std::vector<TestWrite>& writes) {
  std::vector<OnlineWrite> out;
  out.reserve(writes.size());
  for (const TestWrite& write : writes)
    out.push_back(write.write());
  return out;
}

std::vector<std::string> GetAll(const OnlineStore& store, const std::vector<std::string>& keys) {
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::string> rows;
  const auto got = store.Get(views, [&](std::size_t index, std::span<const std::byte> row) {
    EXPECT_EQ(index, rows.size()) << "keys are visited in their order";
    rows.push_back(Text(row));
  });
  EXPECT_TRUE(got.has_value()) << got.error().ToString();
  EXPECT_EQ(rows.size(), keys.size());
  return rows;
}

std::map<std::string, std::string> ScanAll(const OnlineStore& store, std::string_view prefix) {
  std::map<std::string, std::string> rows;
  const auto scanned = store.Scan(prefix, [&](std::string_view key, std::span<const std::byte> row) {
    rows.emplace(key, Text(row));
    return true;
  });
  EXPECT_TRUE(scanned.has_value()) << scanned.error().ToString();
  return rows;
}

void PrintTo(const OnlineStoreFactory& factory, std::ostream* out) {
  *out << factory.name;
}

void OnlineStoreConformance::SetUp() {
  store_ = Open();
  ASSERT_NE(store_, nullptr);
}

OnlineErasure OnlineStoreConformance::ErasureOf(std::string_view key, std::int64_t sequence_max) const {
  const auto hash = KeyedHashFile(folder_.path() + "/erase.key").Get(/*make=*/true);
  TM_CHECK(hash.has_value(), "a test needs a secret");
  return {.mark = (*hash)->MarkOf(key), .key = key, .sequence_max = sequence_max};
}

std::unique_ptr<OnlineStore> OnlineStoreConformance::Open() const {
  auto opened = GetParam().open(folder_.path() + "/online");
  EXPECT_TRUE(opened.has_value()) << opened.error().ToString();
  return opened ? std::move(*opened) : nullptr;
}

TEST_P(OnlineStoreConformance, AnswersAnEmptySpanForAnAbsentKey) {
  EXPECT_THAT(GetAll(*store_, {TestKey(1, "a"), TestKey(1, "b")}), testing::ElementsAre("", ""));
}

TEST_P(OnlineStoreConformance, TakesNoKeysAndNoWrites) {
  EXPECT_TRUE(GetAll(*store_, {}).empty());
  EXPECT_EQ(store_->Merge({}, {.durable = true}).value(), (MergeCounts{0, 0}));
}

TEST_P(OnlineStoreConformance, KeepsTheGreaterRowByEveryPartOfTheOrder) {
  const std::string key = TestKey(1, "k");
  // Ascending by one part of the order at a time.
  const std::vector<RowOrder> ascending{{{1}, {9}, 9, 9}, {{2}, {1}, 9, 9}, {{2}, {2}, 1, 9},
                                        {{2}, {2}, 2, 1}, {{2}, {2}, 2, 2}, {{2}, {2}, 2, 0xFFFFFFFF}};
  for (const RowOrder& order : ascending) {
    const TestWrite greater{key, TestRow(key, order, "x")};
    EXPECT_EQ(store_->Merge(Writes({greater}), {}).value(), (MergeCounts{1, 0}));
    EXPECT_EQ(store_->Merge(Writes({greater}), {}).value(), (MergeCounts{0, 1})) << "the same row again";
    for (const RowOrder& lesser : ascending) {
      if (lesser >= order) continue;
      const TestWrite late{key, TestRow(key, lesser, "late")};
      EXPECT_EQ(store_->Merge(Writes({late}), {}).value(), (MergeCounts{0, 1}));
    }
    EXPECT_THAT(GetAll(*store_, {key}), testing::ElementsAre(greater.row));
  }
}

// Goal: rows that were written before a moment give way to any row, and go where none comes; later ones do
// not.
TEST_P(OnlineStoreConformance, RowsOfOneCallMayComeInAnyOrder) {
  const auto store = Open();
  std::vector<std::string> keys;
  for (const std::uint32_t view : {1U, 2U, 259U}) {
    for (const std::string_view value :
         {"", "a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghj", "b", "\xff"})
      keys.push_back(TestKey(view, value));
    keys.push_back(TestKey(view, std::string_view("a\0\0", 3)));
  }
  const auto merge = [&](std::size_t stride, std::size_t count, std::int64_t event_us) {
    std::vector<TestWrite> writes;
    for (std::size_t i = 0; i < count; ++i) {
      writes.push_back(Write(keys[i * stride % count], event_us, std::to_string(event_us)));
      writes.push_back(Write(keys[i * stride % count], event_us - 1, "older"));
    }
    EXPECT_TRUE(store->Merge(Writes(writes), {}));
  };
  merge(7, 10, 100);            // of one view
  merge(11, keys.size(), 200);  // of several, some of which are there
  for (const std::string& row : GetAll(*store, keys))
    EXPECT_EQ(TestPayload(std::as_bytes(std::span(row))), "200");
  EXPECT_EQ(ScanAll(*store, {}).size(), keys.size());
}

TEST_P(OnlineStoreConformance, RowsBeforeASequenceGiveWay) {
  const auto write = [](std::uint32_t view, std::string_view name, const RowOrder& order) {
    const std::string key = TestKey(view, name);
    return TestWrite{key, TestRow(key, order, "x")};
  };
  const TestWrite former = write(2, "a", {{9}, {9}, 4, 1});
  const TestWrite later = write(2, "b", {{9}, {9}, 5, 1});
  const TestWrite left = write(2, "c", {{9}, {9}, 4, 1});
  const TestWrite others = write(3, "a", {{9}, {9}, 4, 1});
  ASSERT_TRUE(store_->Merge(Writes({former, later, left, others}), {}));
  const TestWrite lesser = write(2, "a", {{1}, {1}, 6, 1});
  const TestWrite lesser_too = write(2, "b", {{1}, {1}, 6, 1});
  EXPECT_EQ(store_->Merge(Writes({lesser, lesser_too}), {.replaces_before = 5}).value(), (MergeCounts{1, 1}));
  std::string view;
  AppendViewId(2, view);
  EXPECT_EQ(store_->RemoveBefore(view, 5).value(), 1);
  EXPECT_EQ(store_->RemoveBefore(view, 5).value(), 0);
  EXPECT_THAT(GetAll(*store_, {former.key, later.key, left.key, others.key}),
              testing::ElementsAre(lesser.row, later.row, "", others.row));
}

TEST_P(OnlineStoreConformance, KeepsTheFirstOfTwoRowsWithEqualOrder) {
  const TestWrite first = Write(TestKey(1, "k"), 5, "first");
  const TestWrite second = Write(TestKey(1, "k"), 5, "second");
  EXPECT_EQ(store_->Merge(Writes({first, second}), {}).value(), (MergeCounts{1, 1}));
  EXPECT_EQ(store_->Merge(Writes({second}), {}).value(), (MergeCounts{0, 1}));
  EXPECT_THAT(GetAll(*store_, {first.key}), testing::ElementsAre(first.row));
}

TEST_P(OnlineStoreConformance, KeepsTombstonesAgainstOlderRows) {
  const std::string key = TestKey(1, "k");
  const TestWrite tombstone{key, TestRow(key, {.event = {10}, .created = {}}, "", true)};
  EXPECT_EQ(store_->Merge(Writes({tombstone, Write(key, 9, "old")}), {.durable = true}).value(),
            (MergeCounts{1, 1}));
  EXPECT_THAT(GetAll(*store_, {key}), testing::ElementsAre(tombstone.row));
  EXPECT_EQ(store_->Merge(Writes({Write(key, 11, "new")}), {.durable = true}).value(), (MergeCounts{1, 0}));
}

TEST_P(OnlineStoreConformance, ReplacesARowByOneOfAnySize) {
  const std::string key = TestKey(1, "k");
  std::int64_t event_us = 0;
  for (const std::size_t bytes : {10U, 3000U, 0U, 100'000U, 1U, 9'000U, 20U}) {
    const std::string payload(bytes, static_cast<char>('a' + event_us));
    const TestWrite write = Write(key, ++event_us, payload);
    ASSERT_EQ(store_->Merge(Writes({write}), {}).value(), (MergeCounts{1, 0}));
    EXPECT_THAT(GetAll(*store_, {TestKey(1, "j"), key}), testing::ElementsAre("", write.row));
  }
}

TEST_P(OnlineStoreConformance, TellsLongKeysApart) {
  // Equal in their first 5,000 bytes, so that only the hash differs; and one that looks like a shortened key.
  const std::string prefix(5'000, 'p');
  const TestWrite a = Write(TestKey(1, prefix + "a"), 1, "of a");
  const TestWrite b = Write(TestKey(1, prefix + "b"), 1, "of b");
  const TestWrite imitation = Write(StoredKey(TestKey(1, prefix + "c")), 1, "imitation");
  EXPECT_EQ(store_->Merge(Writes({a, b, imitation}), {.durable = true}).value(), (MergeCounts{3, 0}));
  EXPECT_THAT(GetAll(*store_, {a.key, b.key, TestKey(1, prefix + "c"), imitation.key, TestKey(1, prefix)}),
              testing::ElementsAre(a.row, b.row, "", imitation.row, ""));
  EXPECT_EQ(ScanAll(*store_, TestKey(1, "").substr(0, 4)).at(a.key), a.row) << "a scan shows full keys";
}

TEST_P(OnlineStoreConformance, NeverPutsALongKeyOverAnotherKeysRow) {
  const TestWrite c = Write(TestKey(1, std::string(5'000, 'c')), 1, "of c");
  const TestWrite imitation = Write(StoredKey(c.key), 1, "imitation");
  ASSERT_TRUE(store_->Merge(Writes({imitation}), {.durable = true}));
  const auto refused = store_->Merge(Writes({c}), {.durable = true});
  if (refused) {  // a store without shortened keys has room for both
    EXPECT_THAT(GetAll(*store_, {c.key}), testing::ElementsAre(c.row));
  } else {
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidData);
    EXPECT_THAT(GetAll(*store_, {c.key}), testing::ElementsAre(""));
  }
  EXPECT_THAT(GetAll(*store_, {imitation.key}), testing::ElementsAre(imitation.row));
}

TEST_P(OnlineStoreConformance, RefusesWhatIsNoRowOfItsKeyAndWritesNothingOfTheCall) {
  const TestWrite good = Write(TestKey(1, "good"), 1, "x");
  TestWrite damaged = Write(TestKey(1, "damaged"), 1, "x");
  damaged.row.back() = 'y';
  const TestWrite of_other_key{TestKey(1, "other"), good.row};
  const TestWrite too_short{TestKey(1, "short"), "abc"};
  const TestWrite without_view = Write(std::string(12, '\0'), 1, "x");
  const TestWrite short_key = Write("ab", 1, "x");
  for (const TestWrite& bad : {damaged, of_other_key, too_short, without_view, short_key}) {
    const auto refused = store_->Merge(Writes({good, bad}), {.durable = true});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << refused.error().ToString();
  }
  EXPECT_THAT(GetAll(*store_, {good.key}), testing::ElementsAre(""));
  const std::vector<std::string_view> no_key{""};
  const auto looked_up = store_->Get(no_key, [](std::size_t, std::span<const std::byte>) {});
  ASSERT_FALSE(looked_up);
  EXPECT_EQ(looked_up.error().code, ErrorCode::kInvalidArgument);
}

TEST_P(OnlineStoreConformance, ScansInKeyOrderWithinThePrefixAndStopsWhenTold) {
  std::vector<TestWrite> writes;
  for (int i = 0; i < 300; ++i)
    writes.push_back(Write(TestKey(2, std::to_string(i)), 1, std::to_string(i)));
  writes.push_back(Write(TestKey(1, "before"), 1, "x"));
  writes.push_back(Write(TestKey(3, "behind"), 1, "x"));
  ASSERT_TRUE(store_->Merge(Writes(writes), {}));
  std::string view;
  AppendViewId(2, view);
  std::vector<std::string> seen;
  ASSERT_TRUE(store_->Scan(view, [&](std::string_view key, std::span<const std::byte>) {
    seen.emplace_back(key);
    return true;
  }));
  EXPECT_EQ(seen.size(), 300U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  int visited = 0;
  ASSERT_TRUE(
      store_->Scan(view, [&](std::string_view, std::span<const std::byte>) { return ++visited < 7; }));
  EXPECT_EQ(visited, 7);
  EXPECT_EQ(ScanAll(*store_, "").size(), 302U);
}

// A page goes on behind a key that may be gone by then, and long keys have their place too.
TEST_P(OnlineStoreConformance, ScansOnAfterAKey) {
  std::vector<TestWrite> writes;
  for (const char* name : {"a", "b", "d"})
    writes.push_back(Write(TestKey(2, name), 1, name));
  writes.push_back(Write(TestKey(2, "c" + std::string(1000, 'x')), 1, "long"));
  writes.push_back(Write(TestKey(3, "a"), 1, "of another view"));
  ASSERT_TRUE(store_->Merge(Writes(writes), {}));
  std::string view;
  AppendViewId(2, view);
  const auto after = [&](const std::string& key) {
    std::vector<std::string> seen;
    EXPECT_TRUE(store_->ScanAfter(view, key, [&](std::string_view, std::span<const std::byte> row) {
      seen.push_back(TestPayload(row));
      return true;
    }));
    return seen;
  };
  EXPECT_EQ(after(""), (std::vector<std::string>{"a", "b", "long", "d"}));
  EXPECT_EQ(after(TestKey(2, "a")), (std::vector<std::string>{"b", "long", "d"}));
  EXPECT_EQ(after(TestKey(2, "aa")), (std::vector<std::string>{"b", "long", "d"}));
  EXPECT_EQ(after(writes[3].key), (std::vector<std::string>{"d"}));
  EXPECT_EQ(after(TestKey(2, "d")), std::vector<std::string>{});
}

TEST_P(OnlineStoreConformance, RemovesAPrefixAndNothingElse) {
  std::vector<TestWrite> writes;
  for (int i = 0; i < 10'000; ++i)
    writes.push_back(Write(TestKey(2, std::to_string(i)), 1, "x"));
  const TestWrite before = Write(TestKey(1, "\xFF"), 1, "x");
  const TestWrite behind = Write(TestKey(3, ""), 1, "x");
  writes.push_back(before);
  writes.push_back(behind);
  ASSERT_TRUE(store_->Merge(Writes(writes), {}));
  EXPECT_EQ(store_->Stats().value().rows, 10'002);
  std::string view;
  AppendViewId(2, view);
  EXPECT_EQ(store_->RemovePrefix(view).value(), 10'000);
  EXPECT_EQ(store_->RemovePrefix(view).value(), 0);
  EXPECT_THAT(GetAll(*store_, {before.key, behind.key, TestKey(2, "7")}),
              testing::ElementsAre(before.row, behind.row, ""));
  EXPECT_EQ(store_->Stats().value().rows, 2);
  EXPECT_EQ(store_->RemovePrefix("").value(), 2);
  EXPECT_EQ(store_->Merge(Writes({before}), {.durable = true}).value(), (MergeCounts{1, 0}))
      << "it works on after that";
}

TEST_P(OnlineStoreConformance, WhatIsErasedStaysAway) {
  const std::string long_name(450, 'k');
  const auto write = [](std::string key, std::int64_t event_us, std::int64_t sequence) {
    std::string row = TestRow(key, {{event_us}, {0}, sequence, 0}, "x");
    return TestWrite{std::move(key), std::move(row)};
  };
  for (const std::string& name : {std::string("k"), long_name}) {
    const std::string key = TestKey(1, name);
    const TestWrite other = write(TestKey(1, name + "2"), 5, 5);
    ASSERT_TRUE(store_->Merge(Writes({write(key, 5, 10), other}), {}));
    const std::int64_t rows = store_->Stats().value().rows;
    EXPECT_EQ(store_->Erase(std::vector{ErasureOf(key, 10)}).value(), 1);
    EXPECT_THAT(GetAll(*store_, {key, other.key}), testing::ElementsAre("", other.row));
    EXPECT_EQ(store_->Stats().value().rows, rows - 1);
    // Late, and even with a later event time.
    EXPECT_EQ(store_->Merge(Writes({write(key, 9, 10), other}), {}).value(), (MergeCounts{0, 2}));
    EXPECT_THAT(GetAll(*store_, {key}), testing::ElementsAre(""));
    // Written after the erasure, whatever its event time.
    const TestWrite later = write(key, 1, 11);
    EXPECT_EQ(store_->Merge(Writes({later}), {}).value(), (MergeCounts{1, 0}));
    EXPECT_EQ(store_->Erase(std::vector{ErasureOf(key, 10)}).value(), 0) << "it is later than that";
    EXPECT_THAT(GetAll(*store_, {key}), testing::ElementsAre(later.row));
  }
}

TEST_P(OnlineStoreConformance, AnErasureHoldsWhenOpenedAgainUntilItIsForgotten) {
  const std::string key = TestKey(1, "k");
  std::string row = TestRow(key, {{5}, {0}, 10, 0}, "x");
  const TestWrite write{key, row};
  OnlineErasure unknown = ErasureOf(key, 10);
  unknown.key = {};  // no more than its mark is known
  EXPECT_EQ(store_->Erase(std::vector{unknown}).value(), 0);
  store_.reset();
  store_ = Open();
  EXPECT_EQ(store_->Merge(Writes({write}), {}).value(), (MergeCounts{0, 1}));
  ASSERT_TRUE(store_->ForgetErasures(9));
  EXPECT_EQ(store_->Merge(Writes({write}), {}).value(), (MergeCounts{0, 1}));
  ASSERT_TRUE(store_->ForgetErasures(10));
  EXPECT_EQ(store_->Merge(Writes({write}), {}).value(), (MergeCounts{1, 0}));
  EXPECT_EQ(store_->Stats().value().rows, 1);
}

TEST_P(OnlineStoreConformance, ScrubbingChangesNoRow) {
  std::vector<TestWrite> writes;
  for (int i = 0; i < 3000; ++i) {
    const std::string payload(static_cast<std::size_t>(i % 40 * 200), 'p');
    writes.push_back(Write(TestKey(1, std::to_string(i)), i, payload));
  }
  ASSERT_TRUE(store_->Merge(Writes(writes), {}));
  std::vector<OnlineErasure> erased;
  for (int i = 0; i < 3000; i += 7)
    erased.push_back(ErasureOf(writes[static_cast<std::size_t>(i)].key, 1));
  ASSERT_EQ(store_->Erase(erased).value(), std::ssize(erased));
  const auto before = ScanAll(*store_, "");
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(store_->ScrubRemoved().value());
    EXPECT_EQ(ScanAll(*store_, ""), before);
    ASSERT_TRUE(store_->Merge(Writes(writes), {}));
    EXPECT_EQ(ScanAll(*store_, ""), before);
  }
}

TEST_P(OnlineStoreConformance, KeepsRowsAndIdentityWhenOpenedAgain) {
  const TestWrite write = Write(TestKey(1, "k"), 1, "x");
  const std::string identity = store_->identity();
  EXPECT_FALSE(identity.empty());
  ASSERT_TRUE(store_->Merge(Writes({write}), {.durable = true}));
  store_.reset();
  store_ = Open();
  ASSERT_NE(store_, nullptr);
  EXPECT_THAT(GetAll(*store_, {write.key}), testing::ElementsAre(write.row));
  EXPECT_EQ(store_->identity(), identity);
  const auto other = GetParam().open(folder_.path() + "/other");
  ASSERT_TRUE(other);
  EXPECT_NE((*other)->identity(), identity);
}

TEST_P(OnlineStoreConformance, TwoStoresOfOneFolderAreOne) {
  const TestWrite write = Write(TestKey(1, "k"), 1, "x");
  const std::unique_ptr<OnlineStore> second = Open();
  ASSERT_TRUE(second->Merge(Writes({write}), {.durable = true}));
  EXPECT_THAT(GetAll(*store_, {write.key}), testing::ElementsAre(write.row));
  store_.reset();
  EXPECT_THAT(GetAll(*second, {write.key}), testing::ElementsAre(write.row));
}

// Shuffled, repeated and cut into any batches, writes end in the state that a map with the rule gives.
TEST_P(OnlineStoreConformance, MergeCommutesAndRepeatsWithoutEffect) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
    std::string view;
    AppendViewId(seed + 1, view);
    std::map<std::string, std::pair<RowOrder, std::string>> expected;
    std::vector<TestWrite> writes;
    for (int i = 0; i < 500; ++i) {
      const std::string name = std::string(below(8) == 0 ? 450 : 1, 'k') + std::to_string(below(100));
      const std::string key = TestKey(seed + 1, name);
      const RowOrder order{{below(5)}, {below(3)}, below(3), below(2)};
      // The payload follows from the order: rows equal in it are the same row.
      const std::string payload = std::to_string(order.event.us) + "/" + std::to_string(order.created.us) +
                                  "/" + std::to_string(order.sequence) + "/" + std::to_string(order.origin) +
                                  std::string(static_cast<std::size_t>(order.event.us) * 300, 'x');
      writes.push_back({key, TestRow(key, order, payload, order.sequence == 2)});
      auto& greatest = expected.try_emplace(key, order, writes.back().row).first->second;
      if (order > greatest.first) greatest = {order, writes.back().row};
    }
    for (int pass = 0; pass < 2; ++pass) {
      std::ranges::shuffle(writes, random);
      for (std::size_t begin = 0; begin < writes.size();) {
        const std::size_t end = std::min(writes.size(), begin + 1 + below(120));
        const auto from = writes.begin() + static_cast<std::ptrdiff_t>(begin);
        const std::vector<TestWrite> batch(from, writes.begin() + static_cast<std::ptrdiff_t>(end));
        ASSERT_TRUE(store_->Merge(Writes(batch), {}));
        begin = end;
      }
      const auto rows = ScanAll(*store_, view);
      ASSERT_EQ(rows.size(), expected.size()) << "seed " << seed;
      for (const auto& [key, row] : expected)
        ASSERT_EQ(rows.at(key), row.second) << "seed " << seed;
    }
  }
}

TEST_P(OnlineStoreConformance, ThreadsThatWriteTheSameKeysLoseNothing) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 40;
  constexpr int kKeys = 20;
  std::atomic<std::int64_t> written{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          std::vector<TestWrite> batch;
          for (int k = 0; k < kKeys; ++k) {
            batch.push_back(Write(TestKey(1, std::to_string(k)), round * kThreads + thread, "same of all"));
          }
          const auto counts = store_->Merge(Writes(batch), {.durable = round % 2 == 0});
          ASSERT_TRUE(counts) << counts.error().ToString();
          EXPECT_EQ(counts->written + counts->kept, kKeys);
          written += counts->written;
        }
      });
    }
  }
  EXPECT_GE(written.load(), kKeys);
  for (const auto& [key, row] : ScanAll(*store_, "")) {
    EXPECT_EQ(ReadPackedHeader(std::as_bytes(std::span(row)))->order.event.us, kRounds * kThreads - 1);
  }
}

// Each merge writes one generation to all keys; a lookup of all keys must never see two generations.
TEST_P(OnlineStoreConformance, ALookupAndAScanSeeOneSnapshot) {
  constexpr int kKeys = 50;
  std::vector<std::string> keys;
  for (int k = 0; k < kKeys; ++k)
    keys.push_back(TestKey(1, std::to_string(k)));
  const auto write_generation = [&](std::int64_t generation) {
    std::vector<TestWrite> batch;
    for (const std::string& key : keys)
      batch.push_back(Write(key, generation, std::to_string(generation)));
    return store_->Merge(Writes(batch), {}).has_value();
  };
  ASSERT_TRUE(write_generation(0));
  std::atomic<bool> is_over{false};
  std::atomic<std::int64_t> lookups{0};
  {
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < 3; ++reader) {
      readers.emplace_back([&, reader] {
        while (!is_over.load()) {
          std::vector<std::string> payloads;
          if (reader == 0) {
            for (const auto& [key, row] : ScanAll(*store_, "")) {
              payloads.push_back(TestPayload(std::as_bytes(std::span(row))));
            }
          } else {
            for (const std::string& row : GetAll(*store_, keys)) {
              payloads.push_back(TestPayload(std::as_bytes(std::span(row))));
            }
          }
          ASSERT_EQ(payloads.size(), static_cast<std::size_t>(kKeys));
          ASSERT_THAT(payloads, testing::Each(payloads.front()));
          ++lookups;
        }
      });
    }
    for (std::int64_t generation = 1; generation <= 100 || lookups.load() < 30; ++generation) {
      if (!write_generation(generation)) break;
    }
    is_over = true;
  }
  EXPECT_GE(lookups.load(), 30);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnlineStoreConformance);

}  // namespace tidemark::testing_support
