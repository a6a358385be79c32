// Goal: a name mapping gives every column the id that it states, however deep, and text that is none is
// refused.
#include "adapters/iceberg/name_mapping.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidemark::iceberg {
namespace {

using testing::HasSubstr;

TEST(NameMappingTest, WhatIsWrittenIsRead) {
  MappedField column = WithoutIds("c", *arrow::list(arrow::struct_({arrow::field("a", arrow::int64())})));
  std::int32_t last_id = 6;
  GiveMappedIds(column, last_id);
  EXPECT_EQ(last_id, 9);
  const auto mapping = ParseNameMapping(NameMappingJson({}, {column}));
  ASSERT_TRUE(mapping) << mapping.error().ToString();
  EXPECT_EQ(*mapping, std::vector{column});
  EXPECT_EQ(MappedId(*mapping, "c"), 7);
  EXPECT_EQ(MappedId(*mapping, "d"), -1);
}

TEST(NameMappingTest, WhatIsNoneIsRefused) {
  for (const char* text : {"", "{}", "[1]", R"([{"field-id": 1}])", R"([{"names": "a"}])",
                           R"([{"names": [1]}])", R"([{"field-id": "1", "names": []}])",
                           R"([{"field-id": 1.5, "names": []}])", R"([{"names": [], "fields": {}}])"}) {
    const auto mapping = ParseNameMapping(text);
    ASSERT_FALSE(mapping) << text;
    EXPECT_EQ(mapping.error().code, ErrorCode::kCorruption) << text;
  }
}

// Of an id of more bits the lower ones would be another column's.
TEST(NameMappingTest, IdsHave32Bits) {
  for (const char* id : {"4294967297", "2147483648", "-1", "18446744073709551615", "1e3"}) {
    const auto mapping = ParseNameMapping(std::string(R"([{"names": ["a"], "field-id": )") + id + "}]");
    ASSERT_FALSE(mapping) << id;
    EXPECT_THAT(mapping.error().message, HasSubstr("32 bits")) << id;
  }
  EXPECT_EQ(MappedId(*ParseNameMapping(R"([{"names": ["a"], "field-id": 2147483647}])"), "a"), 2147483647);
}

}  // namespace
}  // namespace tidemark::iceberg
