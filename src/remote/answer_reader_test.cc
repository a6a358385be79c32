// Whatever pieces an answer comes in, it is read whole, or it is known not to be.
#include "remote/answer_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

namespace tidemark::remote {
namespace {

using Kind = NetworkError::Kind;

/// Gives a text out in pieces, then the end.
class Pieces final : public Connection {
 public:
  Pieces(std::string text, std::size_t piece_bytes) : text_(std::move(text)), piece_bytes_(piece_bytes) {}

  NetworkResult<std::size_t> Read(std::span<char> into, const Waiting& /*waiting*/) override {
    const std::size_t size = std::min({into.size(), piece_bytes_, text_.size() - given_});
    std::copy_n(text_.data() + given_, size, into.data());
    given_ += size;
    return size;
  }
  NetworkResult<void> Write(std::string_view /*bytes*/, const Waiting& /*waiting*/) override { return {}; }
  bool HasInput() override { return false; }

 private:
  std::string text_;
  std::size_t piece_bytes_;
  std::size_t given_ = 0;
};

const Waiting kWaiting(std::chrono::milliseconds(1'000), {});

/// All of the body, read a few bytes at a time.
NetworkResult<std::string> BodyOf(AnswerReader& reader) {
  std::string body;
  std::array<char, 7> bytes{};
  while (true) {
    const auto got = reader.ReadBody(bytes, kWaiting);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return body;
    body.append(bytes.data(), *got);
  }
}

class AnswerIn : public testing::TestWithParam<std::size_t> {};

TEST_P(AnswerIn, PiecesWithALength) {
  Pieces connection("HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\nX-Some: thing\r\n\r\nhello world",
                    GetParam());
  AnswerReader reader(connection);
  ASSERT_TRUE(reader.ReadHead(kWaiting));
  EXPECT_EQ(reader.status(), 404);
  EXPECT_EQ(reader.Header("x-some"), "thing");
  EXPECT_EQ(reader.Header("other"), "");
  EXPECT_FALSE(reader.is_reusable());
  EXPECT_EQ(BodyOf(reader), "hello world");
  EXPECT_TRUE(reader.is_reusable());
}

TEST_P(AnswerIn, PiecesInChunks) {
  Pieces connection(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;a=b\r\n \r\n5\r\nworld\r\n0\r\n\r\n",
      GetParam());
  AnswerReader reader(connection);
  ASSERT_TRUE(reader.ReadHead(kWaiting));
  EXPECT_EQ(reader.status(), 200);
  EXPECT_EQ(BodyOf(reader), "hello world");
  EXPECT_TRUE(reader.is_reusable());
}

TEST_P(AnswerIn, PiecesThatBreakOffIsNotWhole) {
  for (const std::string text : {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
    Pieces connection(text, GetParam());
    AnswerReader reader(connection);
    ASSERT_TRUE(reader.ReadHead(kWaiting));
    const auto body = BodyOf(reader);
    ASSERT_FALSE(body) << text;
    EXPECT_EQ(body.error().kind, Kind::kBroken);
    EXPECT_FALSE(reader.is_reusable());
  }
}

TEST_P(AnswerIn, PiecesThatAreNoHttp) {
  for (const std::string text : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Pieces connection(text, GetParam());
    AnswerReader reader(connection);
    const auto head = reader.ReadHead(kWaiting);
    if (!head) {
      EXPECT_NE(head.error().kind, Kind::kCancelled);
      continue;
    }
    EXPECT_FALSE(BodyOf(reader)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(OfBytes, AnswerIn, testing::Values(1, 3, 16, 100'000));

TEST(AnswerReader, KnowsWhetherAnythingCame) {
  Pieces nothing("", 10);
  AnswerReader reader(nothing);
  const auto head = reader.ReadHead(kWaiting);
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().kind, Kind::kBroken);
  EXPECT_FALSE(reader.has_begun());
}

TEST(AnswerReader, LimitsTheHead) {
  Pieces endless("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x'), 1 << 16);
  AnswerReader reader(endless);
  const auto head = reader.ReadHead(kWaiting);
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().kind, Kind::kProtocol);
}

TEST(AnswerReader, ReusesNoConnectionThatIsToBeClosed) {
  Pieces connection("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 100);
  AnswerReader reader(connection);
  ASSERT_TRUE(reader.ReadHead(kWaiting));
  EXPECT_EQ(BodyOf(reader), "");
  EXPECT_FALSE(reader.is_reusable());
}

}  // namespace
}  // namespace tidemark::remote
