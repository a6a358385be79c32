// Goal: a call whose client is gone is told to stop, and no more calls are taken than may be.
#include "server/flight/call_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace tidemark::server::flight {
namespace {

TEST(CallWatch, TellsACallThatItsClientIsGone) {
  CallWatch watch(2);
  std::atomic<bool> gone = false;
  const auto stays = watch.Watch([] { return false; });
  const auto goes = watch.Watch([&gone] { return gone.load(); });
  std::promise<void> told;
  const std::stop_callback callback(goes->stop(), [&told] { told.set_value(); });
  gone = true;
  told.get_future().wait();
  EXPECT_FALSE(stays->stop().stop_requested());
}

TEST(CallWatch, TakesNoMoreThanItMay) {
  CallWatch watch(1);
  auto first = watch.Watch([] { return false; });
  EXPECT_EQ(watch.Watch([] { return false; }), nullptr);
  first.reset();
  EXPECT_NE(watch.Watch([] { return false; }), nullptr);
}

}  // namespace
}  // namespace tidemark::server::flight
