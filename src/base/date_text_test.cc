// Dates as text, at the ends of what has one.
#include "base/date_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>
#include <utility>

namespace tidemark {
namespace {

TEST(FormatDate, IsExactForEveryDateOf32Bits) {
  const std::pair<std::int64_t, std::string_view> dates[] = {
      {0, "1970-01-01"},
      {-719'163, "0000-12-31"},
      {2'932'896, "9999-12-31"},
      {13'890'172, "+40000-01-01"},
      {std::numeric_limits<std::int32_t>::max(), "+5881580-07-11"},
  };
  for (const auto& [days, text] : dates)
    EXPECT_EQ(FormatDate(days), text);
}

}  // namespace
}  // namespace tidemark
