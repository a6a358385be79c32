// Goal: every task runs once and only when it may, steps between passes hold nobody up, few jobs are open at
// a time, and the first error ends it.
#include "engine/two_passes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>

namespace tidemark {
namespace {

// Counts what is called, and checks the order.
class CountingJob : public TwoPassJob {
 public:
  CountingJob(std::size_t first, std::size_t second, std::atomic<int>& open)
      : first_(first), second_(second), open_(open) {}

  std::size_t first_tasks() const override { return first_; }
  Result<void> First(std::size_t task, std::size_t) override {
    Begin();
    EXPECT_LT(task, first_);
    EXPECT_FALSE(between_);
    ++firsts_;
    return {};
  }
  Result<void> Between(std::size_t threads) override {
    Begin();
    EXPECT_GE(threads, 1U);
    EXPECT_EQ(firsts_, first_);
    EXPECT_FALSE(between_.exchange(true));
    return {};
  }
  std::size_t second_tasks() const override { return second_; }
  Result<void> Second(std::size_t task) override {
    EXPECT_LT(task, second_);
    EXPECT_TRUE(between_);
    ++seconds_;
    return {};
  }
  Result<void> End(std::size_t) override {
    EXPECT_TRUE(between_);
    EXPECT_EQ(seconds_, second_);
    --open_;
    ++ends_;
    return {};
  }

  int ends() const { return ends_; }
  int open_max() const { return open_max_; }

 private:
  void Begin() {
    if (begun_.exchange(true)) return;
    open_max_ = ++open_;
  }

  const std::size_t first_;
  const std::size_t second_;
  std::atomic<int>& open_;
  std::atomic<bool> begun_{false};
  std::atomic<bool> between_{false};
  std::atomic<std::size_t> firsts_{0};
  std::atomic<std::size_t> seconds_{0};
  std::atomic<int> ends_{0};
  std::atomic<int> open_max_{0};
};

TEST(TwoPasses, RunsEverythingOnceAndInOrder) {
  std::mt19937 random(3);
  for (int n = 0; n < 300; ++n) {
    std::atomic<int> open{0};
    std::vector<std::unique_ptr<TwoPassJob>> jobs;
    for (std::size_t job = random() % 6; job > 0; --job)
      jobs.push_back(std::make_unique<CountingJob>(random() % 5, random() % 5, open));
    const std::size_t at_once = 1 + random() % 3;
    std::vector<std::size_t> begun;
    const auto done = RunTwoPasses(jobs, {.threads = 1 + random() % 4,
                                          .jobs_at_once = at_once,
                                          .stop = {},
                                          .on_begin = [&](std::size_t job) { begun.push_back(job); }});
    ASSERT_TRUE(done);
    for (const auto& job : jobs) {
      EXPECT_EQ(static_cast<const CountingJob&>(*job).ends(), 1);
      EXPECT_LE(static_cast<const CountingJob&>(*job).open_max(), static_cast<int>(at_once));
    }
    for (std::size_t i = 0; i < begun.size(); ++i)
      EXPECT_EQ(begun[i], i);
    EXPECT_LE(begun.size(), jobs.size());
  }
}

// A meeting of two threads: neither goes on without the other.
class Meeting {
 public:
  void Arrive() {
    std::unique_lock lock(mutex_);
    ++here_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return here_ >= 2; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int here_ = 0;
};

class MeetingJob final : public CountingJob {
 public:
  MeetingJob(std::atomic<int>& open, Meeting* in_first, Meeting* in_between)
      : CountingJob(1, 1, open), in_first_(in_first), in_between_(in_between) {}
  Result<void> First(std::size_t task, std::size_t thread) override {
    if (in_first_ != nullptr) in_first_->Arrive();
    return CountingJob::First(task, thread);
  }
  Result<void> Between(std::size_t threads) override {
    if (in_between_ != nullptr) in_between_->Arrive();
    threads_ = threads;
    return CountingJob::Between(threads);
  }
  std::size_t threads() const { return threads_; }

 private:
  Meeting* const in_first_;
  Meeting* const in_between_;
  std::size_t threads_ = 0;
};

TEST(TwoPasses, TheNextJobsFirstPassRunsBesideTheStepInBetween) {
  std::atomic<int> open{0};
  Meeting meeting;
  std::vector<std::unique_ptr<TwoPassJob>> jobs;
  jobs.push_back(std::make_unique<MeetingJob>(open, nullptr, &meeting));
  jobs.push_back(std::make_unique<MeetingJob>(open, &meeting, nullptr));
  ASSERT_TRUE(RunTwoPasses(jobs, {.threads = 2, .stop = {}, .on_begin = {}}));
}

TEST(TwoPasses, AStepThatAllWaitForMayUseAllThreads) {
  std::atomic<int> open{0};
  std::vector<std::unique_ptr<TwoPassJob>> jobs;
  jobs.push_back(std::make_unique<MeetingJob>(open, nullptr, nullptr));
  ASSERT_TRUE(RunTwoPasses(jobs, {.threads = 4, .stop = {}, .on_begin = {}}));
  EXPECT_EQ(static_cast<const MeetingJob&>(*jobs[0]).threads(), 4U);
}

class FailingJob final : public CountingJob {
 public:
  FailingJob(std::atomic<int>& open, int where) : CountingJob(3, 3, open), where_(where) {}
  Result<void> First(std::size_t task, std::size_t thread) override {
    return where_ == 0 ? Fail(ErrorCode::kInvalidData, "first") : CountingJob::First(task, thread);
  }
  Result<void> Between(std::size_t threads) override {
    return where_ == 1 ? Fail(ErrorCode::kInvalidData, "between") : CountingJob::Between(threads);
  }
  Result<void> Second(std::size_t task) override {
    return where_ == 2 ? Fail(ErrorCode::kInvalidData, "second") : CountingJob::Second(task);
  }
  Result<void> End(std::size_t threads) override {
    return where_ == 3 ? Fail(ErrorCode::kInvalidData, "end") : CountingJob::End(threads);
  }

 private:
  const int where_;
};

TEST(TwoPasses, AnErrorEndsIt) {
  for (const int where : {0, 1, 2, 3}) {
    for (const std::size_t threads : {1U, 3U}) {
      std::atomic<int> open{0};
      std::vector<std::unique_ptr<TwoPassJob>> jobs;
      jobs.push_back(std::make_unique<FailingJob>(open, where));
      jobs.push_back(std::make_unique<CountingJob>(2, 2, open));
      const auto done = RunTwoPasses(jobs, {.threads = threads, .stop = {}, .on_begin = {}});
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, ErrorCode::kInvalidData);
    }
  }
}

TEST(TwoPasses, AStopEndsIt) {
  std::atomic<int> open{0};
  std::vector<std::unique_ptr<TwoPassJob>> jobs;
  jobs.push_back(std::make_unique<CountingJob>(2, 2, open));
  std::stop_source stop;
  stop.request_stop();
  const auto done = RunTwoPasses(jobs, {.threads = 2, .stop = stop.get_token(), .on_begin = {}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidemark
