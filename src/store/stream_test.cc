// Goal: offsets are ordered as numbers of any length, and the stream that other tests read keeps to the
// suite.
#include "store/stream.h"

#include <gtest/gtest.h>

#include "store/memory_stream_testing.h"
#include "store/stream_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;

TEST(StreamOffsetTest, OffsetsAreOrderedAsNumbers) {
  EXPECT_LT(StreamOffset(9), StreamOffset(10));
  EXPECT_LT(*StreamOffset::Parse("18446744073709551615"), *StreamOffset::Parse("18446744073709551616"));
  EXPECT_EQ(*StreamOffset::Parse("0"), StreamOffset());
  EXPECT_GT(*StreamOffset::Parse(std::string(100, '9')), StreamOffset(12));
}

TEST(StreamOffsetTest, MessagesThatCameAsOneHaveTheirPlacesInIt) {
  const StreamOffset nine(9);
  EXPECT_EQ(nine.At(10).text(), "9.10");
  EXPECT_LT(nine, nine.At(0));
  EXPECT_LT(nine.At(2), nine.At(10));
  EXPECT_LT(nine.At(10), StreamOffset(10));
  EXPECT_EQ(nine.At(2), *StreamOffset::Parse("9.2"));
  EXPECT_EQ(nine.At(2).whole(), nine);
  EXPECT_EQ(nine.At(2).place(), 2);
  EXPECT_EQ(nine.place(), std::nullopt);
}

TEST(StreamOffsetTest, NothingElseIsAnOffset) {
  for (const char* text : {"", "-1", "01", "1 ", "0x1", "1.", ".1", "1.01", "1.2.3", "01.1"})
    EXPECT_FALSE(StreamOffset::Parse(text)) << text;
  EXPECT_FALSE(StreamOffset::Parse(std::string(129, '1')));
}

class MemoryTestTopic final : public TestTopic {
 public:
  void Add(int partition, const std::string& key, const std::optional<std::string>& value) override {
    topic_.Add(static_cast<std::size_t>(partition), {key, value, 1'700'000'000'000'000, 0});
  }
  std::unique_ptr<Stream> Open(const std::string& /*group*/) override { return topic_.Open(); }

 private:
  MemoryTopic topic_{2};
};

INSTANTIATE_TEST_SUITE_P(Memory, StreamConformance,
                         testing::Values(StreamUnderTest{"memory",
                                                         [] { return std::make_unique<MemoryTestTopic>(); }}),
                         StreamName);

}  // namespace
}  // namespace tidemark
