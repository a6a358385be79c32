// Goal: what goes into the pipe comes out in order, whole or with its error, and a slow reader stops the
// writer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "server/http/body_pipe_internal.h"

namespace tidemark::http {
namespace {

std::string ReadAll(BodyPipe& pipe) {
  std::string all;
  std::array<std::byte, 1000> buffer;
  while (true) {
    const auto count = pipe.Read(buffer);
    if (!count) return all.append("!").append(count.error().message);
    if (*count == 0) return all;
    all.append(reinterpret_cast<const char*>(buffer.data()), *count);
  }
}

TEST(BodyPipeTest, BytesComeOutInOrderWhileTheyComeIn) {
  BodyPipe pipe([] {});
  std::string expected;
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i) {
      const std::string piece(static_cast<std::size_t>(i % 50), static_cast<char>('a' + i % 26));
      expected.append(piece);
      pipe.Take(piece);
    }
    pipe.End();
  });
  const std::string read = ReadAll(pipe);
  writer.join();
  EXPECT_EQ(read, expected);
}

TEST(BodyPipeTest, AFullPipeSaysSoAndTellsWhenThereIsRoom) {
  int drained = 0;
  BodyPipe pipe([&drained] { ++drained; });
  pipe.Take(std::string(2'000'000, 'x'));
  EXPECT_TRUE(pipe.IsFull());
  std::array<std::byte, 100'000> buffer;
  std::size_t taken = 0;
  while (drained == 0 && taken < 2'000'000)
    taken += pipe.Read(buffer).value();
  EXPECT_EQ(drained, 1);
  EXPECT_LT(taken, 2'000'000U);
  EXPECT_FALSE(pipe.IsFull());
}

TEST(BodyPipeTest, ABrokenBodyIsAnErrorAndNotAnEnd) {
  BodyPipe pipe([] {});
  pipe.Take("abc");
  pipe.Break({.code = ErrorCode::kUnavailable, .message = "gone", .context = {}});
  EXPECT_EQ(ReadAll(pipe), "!gone");
  BodyPipe whole([] {});
  whole.Take("abc");
  whole.End();
  whole.Break({.code = ErrorCode::kUnavailable, .message = "gone", .context = {}});
  EXPECT_EQ(ReadAll(whole), "abc") << "it was whole before";
}

}  // namespace
}  // namespace tidemark::http
