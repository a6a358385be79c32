// Goal: records that were put together come apart as the producer library's own consumer takes them apart,
// and nothing else is taken for such a record.
#include <gmock/gmock.h>

#include "adapters/kinesis/aggregated_record_internal.h"
#include "adapters/kinesis/fake_kinesis_testing.h"

namespace tidemark::kinesis {
namespace {

TEST(AggregatedRecord, ComesApart) {
  const auto records = UnpackAggregated(Aggregated({{"a", "1"}, {"b", std::string(300, 'x')}, {"a", ""}}));
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 3);
  EXPECT_EQ((*records)[0].key, "a");
  EXPECT_EQ((*records)[0].data, "1");
  EXPECT_EQ((*records)[1].key, "b");
  EXPECT_EQ((*records)[1].data, std::string(300, 'x'));
  EXPECT_EQ((*records)[2].data, "");
  // int(hashlib.md5(b"a").hexdigest(), 16)
  EXPECT_EQ((*records)[0].hash_key, "16955237001963240173058271559858726497");
}

TEST(AggregatedRecord, WhatIsNoneIsLeftAsItIs) {
  const std::string whole = Aggregated({{"a", "1"}});
  EXPECT_FALSE(UnpackAggregated(""));
  EXPECT_FALSE(UnpackAggregated("\xF3\x89\x9A\xC2"));
  EXPECT_FALSE(UnpackAggregated(R"({"user": 1})"));
  EXPECT_FALSE(UnpackAggregated(whole.substr(0, whole.size() - 1)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(UnpackAggregated(damaged)) << at;
  }
}

TEST(AggregatedRecord, RecordsOfAnotherShardAreNotOfThisOne) {
  const PackedRecord record{.key = "a", .data = "1", .hash_key = "100"};
  EXPECT_TRUE(IsInRange(record, {}));
  EXPECT_TRUE(IsInRange(record, {.first = "100", .last = "100"}));
  EXPECT_FALSE(IsInRange(record, {.first = "101", .last = "1000"}));
  EXPECT_FALSE(IsInRange(record, {.first = "0", .last = "99"}));
}

}  // namespace
}  // namespace tidemark::kinesis
