// The cases of the suite: what is read, from where, and who reads it.
#include "store/stream_testing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr auto kPatience = std::chrono::seconds(30);

/// A reader that keeps what it got, by partition.
class TestReader {
 public:
  explicit TestReader(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {
    handlers_.assigned = [this](std::span<const std::string> partitions) -> Result<std::vector<StreamStart>> {
      std::vector<StreamStart> answer;
      for (const std::string& partition : partitions) {
        has.insert(partition);
        const auto start = starts.find(partition);
        answer.push_back(start == starts.end() ? StreamStart{} : start->second);
      }
      return answer;
    };
    handlers_.revoked = [this](std::span<const std::string> partitions, bool /*is_lost*/) -> Result<void> {
      for (const std::string& partition : partitions)
        has.erase(partition);
      return {};
    };
  }

  Result<void> PollOnce(const PollOptions& options = {}) {
    TM_ASSIGN(const PolledMessages polled, stream_->Poll(options, handlers_));
    std::size_t at = 0;
    for (const auto& run : polled.runs) {
      for (std::size_t i = 0; i < run.count; ++i, ++at) {
        const StreamMessage& message = polled.messages[at];
        const auto text = [](std::span<const std::byte> bytes) {
          return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        };
        read[run.partition].push_back(text(message.key) + "=" +
                                      (message.has_value ? text(message.value) : "(none)"));
        offsets[run.partition].push_back(polled.offsets[at]);
        EXPECT_GT(message.timestamp_us, 0);
      }
    }
    EXPECT_EQ(at, polled.messages.size());
    for (const auto& end : polled.at_end)
      at_end.insert(end.partition);
    batches.push_back(at);
    return {};
  }

  /// Polls until it is so; fails the test if that takes too long.
  void Until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it does not come";
      const auto polled = PollOnce();
      ASSERT_TRUE(polled) << polled.error().ToString();
    }
  }
  void UntilRead(std::size_t count) {
    Until([&] { return Count() >= count; });
  }
  std::size_t Count() const {
    std::size_t count = 0;
    for (const auto& [partition, messages] : read)
      count += messages.size();
    return count;
  }
  void Close() {
    const auto closed = stream_->Close(handlers_);
    EXPECT_TRUE(closed) << closed.error().ToString();
  }
  Stream& stream() { return *stream_; }

  std::map<std::string, StreamStart> starts;
  std::map<std::string, std::vector<std::string>> read;
  std::map<std::string, std::vector<StreamOffset>> offsets;
  std::set<std::string> has;
  std::set<std::string> at_end;
  std::vector<std::size_t> batches;

 private:
  std::unique_ptr<Stream> stream_;
  StreamHandlers handlers_;
};

}  // namespace

TEST_P(StreamConformance, MessagesOfAPartitionComeInOrderAndOnce) {
  const auto topic = GetParam().make();
  for (int i = 0; i < 50; ++i)
    topic->Add(i % 2, "k" + std::to_string(i), "v" + std::to_string(i));
  topic->Add(0, "gone", std::nullopt);
  TestReader reader(topic->Open("g"));
  reader.Until([&] { return reader.at_end.size() == 2 && reader.Count() >= 51; });
  EXPECT_EQ(reader.Count(), 51U);
  EXPECT_EQ(reader.read["0"].front(), "k0=v0");
  EXPECT_EQ(reader.read["0"].back(), "gone=(none)");
  EXPECT_EQ(reader.read["1"].back(), "k49=v49");
  for (const auto& [partition, offsets] : reader.offsets)
    EXPECT_TRUE(std::ranges::is_sorted(offsets)) << partition;
  reader.Close();
  EXPECT_THAT(reader.has, IsEmpty());
}

TEST_P(StreamConformance, ReadingGoesOnWhereItIsTold) {
  const auto topic = GetParam().make();
  for (int i = 0; i < 10; ++i)
    topic->Add(i % 2, "k", std::to_string(i));
  TestReader first(topic->Open("g"));
  first.UntilRead(10);
  first.Close();
  TestReader second(topic->Open("g"));
  second.starts["0"] = {StreamStart::Kind::kAt, first.offsets["0"][3]};
  second.starts["1"] = {StreamStart::Kind::kAfter, first.offsets["1"][3]};
  second.UntilRead(3);
  EXPECT_THAT(second.read["0"], ElementsAre("k=6", "k=8"));
  EXPECT_THAT(second.read["1"], ElementsAre("k=9"));
  second.Close();
}

TEST_P(StreamConformance, APollIsBounded) {
  const auto topic = GetParam().make();
  for (int i = 0; i < 20; ++i)
    topic->Add(0, "k", std::string(1'000, 'x'));
  TestReader reader(topic->Open("g"));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (reader.Count() < 20 && std::chrono::steady_clock::now() < deadline)
    ASSERT_TRUE(reader.PollOnce({.messages_max = 3, .bytes_max = std::size_t{1} << 20}));
  EXPECT_LE(std::ranges::max(reader.batches), 3U);
  reader.Close();
  TestReader small(topic->Open("g"));
  while (small.Count() < 20 && std::chrono::steady_clock::now() < deadline)
    ASSERT_TRUE(small.PollOnce({.messages_max = 100, .bytes_max = 1'500}));
  EXPECT_LE(std::ranges::max(small.batches), 2U);
  small.Close();
}

TEST_P(StreamConformance, TheLagIsWhatIsNotRead) {
  const auto topic = GetParam().make();
  for (int i = 0; i < 6; ++i)
    topic->Add(0, "k", "v");
  TestReader reader(topic->Open("g"));
  reader.UntilRead(6);
  const auto none = reader.stream().Lags({});
  ASSERT_TRUE(none) << none.error().ToString();
  ASSERT_EQ(none->size(), 2U);
  const auto some = reader.stream().Lags({{"0", reader.offsets["0"][3]}});
  ASSERT_TRUE(some) << some.error().ToString();
  EXPECT_EQ((*some)[0].partition, "0");
  // A stream that counts no messages says nothing.
  if ((*none)[0].messages) {
    EXPECT_EQ((*none)[0].messages, 6);
    EXPECT_EQ((*some)[0].messages, 2);
    EXPECT_EQ((*some)[1].messages, 0);
  }
  reader.Close();
}

TEST_P(StreamConformance, MembersOfAGroupShareThePartitions) {
  if (!GetParam().has_groups) GTEST_SKIP() << "there are no groups";
  const auto topic = GetParam().make();
  TestReader first(topic->Open("g"));
  first.Until([&] { return first.has.size() == 2; });
  TestReader second(topic->Open("g"));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while ((first.has.size() != 1 || second.has.size() != 1) && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(first.PollOnce());
    ASSERT_TRUE(second.PollOnce());
  }
  EXPECT_EQ(first.has.size(), 1U);
  EXPECT_EQ(second.has.size(), 1U);
  EXPECT_NE(*first.has.begin(), *second.has.begin());
  second.Close();
  first.Until([&] { return first.has.size() == 2; });
  topic->Add(0, "a", "1");
  topic->Add(1, "b", "2");
  first.UntilRead(2);
  first.Close();
}

TEST_P(StreamConformance, WhatIsThereNoMoreIsAnError) {
  const auto topic = GetParam().make();
  topic->Add(0, "k", "v");
  TestReader reader(topic->Open("g"));
  reader.starts["0"] = {StreamStart::Kind::kAt, StreamOffset(1'000'000)};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  Result<void> polled;
  while (polled && std::chrono::steady_clock::now() < deadline)
    polled = reader.PollOnce();
  ASSERT_FALSE(polled);
  EXPECT_EQ(polled.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(polled.error().message, testing::HasSubstr("partition 0"));
}

std::string StreamName(const testing::TestParamInfo<StreamUnderTest>& info) {
  return info.param.name;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StreamConformance);

}  // namespace tidemark::testing_support
