// Goal: frames come through whole, however many bytes, and what hinders one is told apart.
#include "adapters/python_workers/worker_frame_internal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "adapters/python_workers/worker_pool.h"

namespace tidemark::python_workers {
namespace {

using testing::HasSubstr;

class WorkerFrameTest : public testing::Test {
 protected:
  WorkerFrameTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_.data()), 0);
    stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  }
  ~WorkerFrameTest() override {
    for (const int end : ends_)
      close(end);
    close(stop_);
  }

  static Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }
  static Deadline Now() { return std::chrono::steady_clock::now(); }
  Channel here() const { return {.socket = ends_[0], .stop = stop_}; }
  Channel there() const { return {.socket = ends_[1], .stop = stop_}; }

  std::array<int, 2> ends_{};
  int stop_ = -1;
};

TEST_F(WorkerFrameTest, MoreThanASocketHolds) {
  const std::string body(8UL << 20U, 'x');
  std::jthread other([&] { EXPECT_TRUE(SendFrame(there(), R"({"a":1})", body, Later())); });
  const auto frame = ReceiveFrame(here(), body.size(), Later());
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->head, R"({"a":1})");
  EXPECT_EQ(frame->body, body);
}

TEST_F(WorkerFrameTest, WhatHindersAFrameIsToldApart) {
  EXPECT_EQ(ReceiveFrame(here(), 1, Now()).error(), Broken::kTooLate);
  const std::uint64_t one = 1;
  ASSERT_EQ(write(stop_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  EXPECT_EQ(ReceiveFrame(here(), 1, Later()).error(), Broken::kStopped);
  ASSERT_TRUE(SendFrame(there(), "{}", "too long", Later()));
  EXPECT_EQ(ReceiveFrame(here(), 3, Later()).error(), Broken::kWrong);
  close(ends_[1]);
  ends_[1] = -1;
  EXPECT_EQ(SendFrame(here(), "{}", {}, Later()).error(), Broken::kEnded);
}

TEST(WorkerPool, WhatCannotBeStartedIsSaidAtOnce) {
  const auto fails = [](const PythonWorkersOptions& options) {
    const auto pool = StartWorkerPool(options);
    return pool ? "started" : pool.error().ToString();
  };
  EXPECT_THAT(fails({.interpreter = "no-such-program"}), HasSubstr("no-such-program cannot be run"));
  EXPECT_THAT(fails({.interpreter = "false"}), HasSubstr("ended with exit code 1"));
  EXPECT_THAT(fails({.workers = 0}), HasSubstr("from 1 to"));
  EXPECT_THAT(fails({.memory_bytes_max = 1}), HasSubstr("at least 256MiB"));
  EXPECT_THAT(fails({.interpreter = "cat", .start_us_max = 100'000}), HasSubstr("cannot run the package"));
}

}  // namespace
}  // namespace tidemark::python_workers
