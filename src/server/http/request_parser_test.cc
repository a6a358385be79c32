// Goal: requests are read the same however their bytes are cut, and what is no request breaks with its
// status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/http/request_parser_internal.h"

namespace tidemark::http {
namespace {

using State = RequestParser::State;

class Gathered final : public BodySink {
 public:
  void Take(std::string_view bytes) override { body.append(bytes); }
  std::string body;
};

/// Feeds `bytes` in pieces of `piece` until the request is done or broken; the rest is left over.
struct Parsed {
  State state = State::kHead;
  int status = 0;
  std::string seen;  // method, path, query, fields, body
  std::string rest;
};
Parsed Parse(std::string bytes, std::size_t piece, std::uint64_t body_max = 1000) {
  RequestParser parser(512);
  Gathered sink;
  std::string held;
  Parsed parsed;
  bool had_head = false;
  while (true) {
    std::size_t used = 0;
    parsed.state = parser.Feed(held, used, sink);
    held.erase(0, used);
    if (!had_head && parsed.state != State::kHead && parsed.state != State::kBroken) {
      had_head = true;
      Request request;
      parser.Fill(request);
      parsed.seen = std::string(NameOf(request.method))
                        .append(" ")
                        .append(request.path)
                        .append("?")
                        .append(request.query);
      for (const auto& field : request.headers()) {
        parsed.seen.append(";").append(field.name).append("=").append(field.value);
      }
      parser.set_body_bytes_max(body_max);
      continue;
    }
    if (parsed.state == State::kDone || parsed.state == State::kBroken || bytes.empty()) break;
    held.append(bytes, 0, piece);
    bytes.erase(0, piece);
  }
  parsed.status = parser.status();
  parsed.seen.append("|").append(sink.body);
  parsed.rest = held + bytes;
  return parsed;
}

TEST(RequestParserTest, CutsDoNotMatter) {
  const std::string request =
      "POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: t\r\n\r\nGET / HTTP/1.1\r\n";
  for (std::size_t piece = 1; piece <= request.size(); ++piece) {
    const Parsed parsed = Parse(request, piece);
    ASSERT_EQ(parsed.state, State::kDone) << piece;
    EXPECT_EQ(parsed.seen, "POST /a%20b?x=1;host=h;x-y=z;transfer-encoding=chunked|abc0123456789abcdef");
    EXPECT_EQ(parsed.rest, "GET / HTTP/1.1\r\n") << piece;
  }
}

TEST(RequestParserTest, BodiesOfALength) {
  const Parsed parsed = Parse("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcdef", 5);
  EXPECT_EQ(parsed.state, State::kDone);
  EXPECT_EQ(parsed.seen, "PUT /?;host=h;content-length=3|abc");
  EXPECT_EQ(parsed.rest, "def");
}

TEST(RequestParserTest, TargetsOfProxies) {
  EXPECT_EQ(Parse("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n", 100).seen, "GET /p?q;host=h|");
  EXPECT_EQ(Parse("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", 100).seen, "GET /?;host=h|");
  EXPECT_EQ(Parse("GET HTTPS://h?x=/p HTTP/1.1\r\nHost: h\r\n\r\n", 100).seen, "GET /?x=/p;host=h|");
}

TEST(RequestParserTest, WhatIsNoRequestBreaks) {
  const auto status = [](const std::string& text) {
    const Parsed parsed = Parse(text, 7, 4);
    return parsed.state == State::kBroken ? parsed.status : 0;
  };
  EXPECT_EQ(status("hello\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(status("GET x HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(status("GET ://h/x HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(status("GET x/http:// HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(status("BREW / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(600, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(status("GET /" + std::string(600, 'x')), 431);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"), 413);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"), 413);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na"), 400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"),
            400);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
  EXPECT_EQ(status(std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 38)), 400);
}

TEST(RequestParserTest, WhereABodyEndsIsBeyondDoubt) {
  const auto status = [](const std::string& fields, const std::string& version = "1.1") {
    const Parsed parsed =
        Parse("POST / HTTP/" + version + "\r\n" + fields + "\r\n3\r\nabc\r\n0\r\n\r\n", 100);
    return parsed.state == State::kBroken ? parsed.status : 0;
  };
  const std::string host = "Host: h\r\n";
  EXPECT_EQ(status(host + "Transfer-Encoding: Chunked\r\n"), 0);
  for (const std::string_view encoding :
       {"identity", "xchunked", "chunked, identity", "identity, chunked", "gzip, chunked", "chunked, chunked",
        "chunked;q=1", "\"chunked\"", ""}) {
    EXPECT_EQ(status(host + "Transfer-Encoding: " + std::string(encoding) + "\r\n"), 400) << encoding;
  }
  EXPECT_EQ(status(host + "Transfer-Encoding: chunked\r\n", "1.0"), 400);
  EXPECT_EQ(status(host + host), 400) << "two hosts";
}

TEST(RequestParserTest, AChunkBeyondTheLimitIsRefusedAtItsHead) {
  const auto status = [](const std::string& size) {
    const Parsed parsed =
        Parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + size + "\r\n", 100, 4);
    return parsed.state == State::kBroken ? parsed.status : 0;
  };
  EXPECT_EQ(status("4"), 0);
  EXPECT_EQ(status("5"), 413);
  EXPECT_EQ(status("ffffffffffffffff"), 413);
}

TEST(RequestParserTest, EmptyLinesInFrontArePassedOver) {
  for (const std::size_t piece : {1UL, 100UL}) {
    const Parsed parsed = Parse("\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", piece);
    EXPECT_EQ(parsed.state, State::kDone);
    EXPECT_EQ(parsed.seen, "GET /a?;host=h|");
  }
}

TEST(RequestParserTest, KeepsAliveAsTheVersionSays) {
  const auto keeps = [](const std::string& text) {
    RequestParser parser(512);
    Gathered sink;
    std::size_t used = 0;
    parser.Feed(text, used, sink);
    return parser.keep_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

}  // namespace
}  // namespace tidemark::http
