// Goal: a server's streams, which are tried again for as long as it runs, stop at messages that do not fit
// until they do.
#include "wiring/store_streams.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "wiring/streams_testing.h"

namespace tidemark::testing_support {
namespace {

class StoreStreamsTest : public StreamsTest {
 protected:
  /// As a server has it, but that it tries again at once.
  StoreStreams Streams() {
    StoreStreams::Parts parts;
    parts.folder = folder_.path() / kOwnFolder;
    parts.clock = scene_.shared_clock();
    parts.catalog = [this]() -> Result<std::shared_ptr<const Catalog>> {
      const std::lock_guard lock(mutex_);
      return catalog_;
    };
    parts.tables = [this] { return tables_->Open(); };
    parts.decoder = MakeMessageDecoder;
    parts.open = [this](const StreamSource&, const StreamOpening&) -> Result<std::unique_ptr<Stream>> {
      ++opened_;
      return topic_.Open();
    };
    parts.try_again_after = std::chrono::milliseconds(1);
    return StoreStreams(std::move(parts));
  }

  /// The view of before, whose event time comes in a member `at`.
  void MendDefinition() {
    std::string mended = kClicks;
    const std::string mapping = R"("gone": "is_deleted")";
    mended.replace(mended.find(mapping), mapping.size(), mapping + R"(, "at": "event_timestamp")");
    scene_.Apply(mended);
    const std::lock_guard lock(mutex_);
    catalog_ = scene_.catalog();
  }

  void AddThatDoNotFit(int count) {
    for (int i = 0; i < count; ++i)
      AddRaw(0, R"({"user": 1, "n": 1, "at": "2024-05-01T00:00:00Z"})");
  }
  std::ptrdiff_t Rows() {
    const std::string rows = Column("n");
    return std::ranges::count(rows, '1');
  }
  std::ptrdiff_t Rejected() {
    const std::string rows = Column("partition", "clicks__rejected");
    return std::ranges::count(rows, '0');
  }

  static bool Comes(const std::function<bool()>& what) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!what()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::mutex mutex_;  // guards catalog_ while streams are read
  std::atomic<int> opened_ = 0;
};

TEST_F(StoreStreamsTest, MessagesThatDoNotFitAreNotRejectedBitByBitByTryingAgain) {
  const StoreStreams streams = Streams();
  std::stop_source stop;
  const std::jthread server([&] {
    EXPECT_TRUE(streams.Run({"clicks"}, {.group = "g", .keep_trying = true, .stop = stop.get_token()}));
  });
  AddThatDoNotFit(90);
  EXPECT_TRUE(Comes([&] { return Rejected() == 90; }));
  AddThatDoNotFit(20);
  EXPECT_TRUE(Comes([&] { return opened_ >= 5; }));
  const std::ptrdiff_t rejected = Rejected();
  EXPECT_LT(rejected, 100);
  MendDefinition();
  EXPECT_TRUE(Comes([&] { return Rows() == 110 - rejected; }));
  EXPECT_EQ(Rejected(), rejected);
  stop.request_stop();
}

}  // namespace
}  // namespace tidemark::testing_support
