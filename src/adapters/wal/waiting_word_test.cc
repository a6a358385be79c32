// Goal: a thread that waits goes on when its own word is set, however many others wait and have its place.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include "adapters/wal/waiting_word_internal.h"

namespace tidemark::wal {
namespace {

TEST(WaitingWords, EachThreadWaitsForItsOwn) {
  constexpr std::size_t kThreads = 70;  // more than there are places
  WaitingWords words;
  std::array<WaitingWord, kThreads> own;
  for (WaitingWord& word : own)
    words.Admit(word);
  std::array<std::latch, 2> done{std::latch(kThreads / 2), std::latch(kThreads / 2)};
  std::atomic<std::size_t> awake = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      words.WaitWhile(own[i], 0);
      EXPECT_EQ(own[i].load(), i + 1);
      ++awake;
      done[i % 2].count_down();
    });
  }
  for (std::size_t half = 0; half < 2; ++half) {
    EXPECT_EQ(awake.load(), half * kThreads / 2);
    {
      WaitingWords::Setting setting(words);
      for (std::size_t i = half; i < kThreads; i += 2)
        setting.Set(own[i], static_cast<std::uint32_t>(i + 1));
    }
    done[half].wait();
  }
}

TEST(WaitingWords, NobodyWaitsForAWordThatIsSet) {
  WaitingWords words;
  WaitingWord word;
  words.Admit(word);
  WaitingWords::Setting(words).Set(word, 7);
  words.WaitWhile(word, 0);
  EXPECT_EQ(word.load(), 7);
  word.Reset(0);
  words.WaitWhile(word, 7);
}

}  // namespace
}  // namespace tidemark::wal
