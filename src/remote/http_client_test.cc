// Goal: what a caller is told, and what is sent again, when the network or the server fails: nobody listens,
// an answer breaks off, nothing comes, a server puts a request off, a kept connection was closed.
#include "remote/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "base/file_descriptor.h"

namespace tidemark::remote {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kFine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// What the server does with one request, the n-th of all.
struct Reaction {
  std::string answer = std::string(kFine);
  bool closes = false;  // the connection, behind the answer
  bool waits = false;   // says nothing until the client has gone
};

/// A server of a few lines: it takes requests with bodies of a told length, one connection after the other.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Reaction> script) : script_(std::move(script)) {
    listener_ = FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), any, length), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    EXPECT_EQ(getsockname(listener_.get(), any, &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  /// The heads of the requests that came, in their order.
  std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }
  int connections() const { return connections_; }

 private:
  void Serve(const std::stop_token& stop) {
    while (IsReady(listener_.get(), stop)) {
      const FileDescriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++connections_;
      while (AnswerOne(client.get(), stop)) {
      }
    }
  }

  /// Whether to go on with the connection.
  bool AnswerOne(int client, const std::stop_token& stop) {
    std::string request;
    std::size_t wanted = std::string::npos;
    while (request.size() < wanted) {
      std::array<char, 4096> bytes{};
      if (!IsReady(client, stop)) return false;
      const auto got = read(client, bytes.data(), bytes.size());
      if (got <= 0) return false;
      request.append(bytes.data(), static_cast<std::size_t>(got));
      const std::size_t head = request.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      const std::size_t length = request.find("Content-Length: ");
      wanted = head + 4 + (length < head ? std::stoul(request.substr(length + 16)) : 0);
    }
    Reaction reaction;
    {
      const std::lock_guard lock(mutex_);
      if (heads_.size() < script_.size()) reaction = script_[heads_.size()];
      heads_.push_back(request.substr(0, request.find("\r\n\r\n")));
    }
    if (reaction.waits) {
      IsReady(client, stop);
      return false;
    }
    const auto sent = write(client, reaction.answer.data(), reaction.answer.size());
    return sent == static_cast<ssize_t>(reaction.answer.size()) && !reaction.closes;
  }

  /// Waits until something, or the end, can be read; false if the test is over.
  static bool IsReady(int descriptor, const std::stop_token& stop) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    while (!stop.stop_requested()) {
      if (poll(&wanted, 1, 10) > 0) return true;
    }
    return false;
  }

  const std::vector<Reaction> script_;
  FileDescriptor listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;  // last: it uses the others
};

ConnectOptions OptionsFor(const std::string& url) {
  ConnectOptions options;
  options.url = url;
  options.retry_wait = milliseconds(1);
  options.retries_max = 2;
  options.connect_time_max = milliseconds(2'000);
  options.answer_time_max = milliseconds(5'000);
  return options;
}

std::string Told(const Result<std::string>& body) {
  return body ? *body : std::string(Describe(body.error().code).name) + " " + body.error().ToString();
}

std::string CallTo(const std::string& url, Effect effect, std::string idempotency_key = {}) {
  const auto client = HttpClient::Make(OptionsFor(url)).value();
  Request request{.method = "POST", .target = "/v1/x"};
  request.effect = effect;
  request.body = "{}";
  request.idempotency_key = std::move(idempotency_key);
  return Told(client->Call(request));
}

/// A port that nobody listens on.
std::string ClosedUrl() {
  const ScriptedServer server({});
  return server.url();
}

TEST(HttpClient, AKeyThatWouldEndItsHeaderIsNotSent) {
  const ScriptedServer server({});
  for (const std::string key : {"a\r\nX: y", "a\nb", " a", "a ", "\xC3\xA4", "a\tb"}) {
    EXPECT_THAT(CallTo(server.url(), Effect::kRepeatable, key),
                AllOf(StartsWith("INVALID_ARGUMENT the idempotency key"), HasSubstr("cannot be sent")));
  }
  EXPECT_THAT(server.heads(), testing::IsEmpty());
}

TEST(HttpClient, AServerThatRefusesIsNamed) {
  const std::string url = ClosedUrl();
  for (const Effect effect : {Effect::kNone, Effect::kRepeatable, Effect::kOnce}) {
    EXPECT_THAT(CallTo(url, effect), AllOf(StartsWith("UNAVAILABLE the server " + url + " cannot be reached"),
                                           HasSubstr("refused")));
  }
}

TEST(HttpClient, AnAnswerThatBreaksOffIsAskedForAgain) {
  const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{\"a\"";
  const ScriptedServer server({{.answer = cut, .closes = true}, {.answer = "", .closes = true}});
  EXPECT_EQ(CallTo(server.url(), Effect::kNone), "{}");
  EXPECT_EQ(server.heads().size(), 3U);
}

TEST(HttpClient, AnAnswerThatAlwaysBreaksOffIsAnErrorInTheEnd) {
  const Reaction cut{.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                     .closes = true};
  const ScriptedServer server({cut, cut, cut, cut, cut});
  EXPECT_THAT(CallTo(server.url(), Effect::kNone), StartsWith("UNAVAILABLE the server "));
  EXPECT_EQ(server.heads().size(), 3U) << "one try and two more";
}

// The server knows by the key that it has the rows already.
TEST(HttpClient, AWriteIsRepeatedWithItsKeyOnly) {
  const Reaction lost{.answer = "", .closes = true};
  const ScriptedServer server({lost, {}});
  EXPECT_EQ(CallTo(server.url(), Effect::kRepeatable, "batch-7"), "{}");
  const auto heads = server.heads();
  ASSERT_EQ(heads.size(), 2U);
  for (const std::string& head : heads)
    EXPECT_THAT(head, HasSubstr("Idempotency-Key: batch-7"));
}

TEST(HttpClient, AChangeThatCannotBeRepeatedIsSentOnce) {
  const ScriptedServer server({{.answer = "HTTP/1.1 200 OK\r\nContent-", .closes = true}});
  EXPECT_THAT(CallTo(server.url(), Effect::kOnce),
              AllOf(StartsWith("UNKNOWN_FATE"), HasSubstr("look before")));
  EXPECT_EQ(server.heads().size(), 1U);
}

TEST(HttpClient, ASilentServerIsGivenUp) {
  const ScriptedServer server({{.waits = true}, {.waits = true}, {.waits = true}});
  ConnectOptions options = OptionsFor(server.url());
  options.answer_time_max = milliseconds(60);
  const auto client = HttpClient::Make(options).value();
  Request read{.method = "GET", .target = "/v1"};
  EXPECT_THAT(Told(client->Call(read)), AllOf(StartsWith("UNAVAILABLE"), HasSubstr("is silent")));
  Request write{.method = "POST", .target = "/v1"};
  write.effect = Effect::kRepeatable;
  write.idempotency_key = "k";
  EXPECT_THAT(Told(client->Call(write)), AllOf(StartsWith("UNKNOWN_FATE"), HasSubstr("idempotency key 'k'")));
  EXPECT_EQ(server.heads().size(), 2U) << "who waited so long is not made to wait again";
}

TEST(HttpClient, AStopEndsTheWait) {
  const ScriptedServer server(std::vector<Reaction>{{.waits = true}});
  const auto client = HttpClient::Make(OptionsFor(server.url())).value();
  std::stop_source stop;
  Request request{.method = "GET", .target = "/v1"};
  request.stop = stop.get_token();
  const std::jthread stopping([&] {
    while (server.heads().empty())
      std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_THAT(Told(client->Call(request)), StartsWith("CANCELLED"));
}

TEST(HttpClient, WhatIsPutOffIsSentAgainWhenTheServerSays) {
  const Reaction busy{.answer =
                          "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"};
  const Reaction later{
      .answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 9999\r\nContent-Length: 0\r\n\r\n"};
  const ScriptedServer server({busy, {}, busy, later});
  EXPECT_EQ(CallTo(server.url(), Effect::kRepeatable, "k"), "{}");
  EXPECT_THAT(CallTo(server.url(), Effect::kOnce), HasSubstr("429")) << "not what counts each time";
  EXPECT_THAT(CallTo(server.url(), Effect::kNone), HasSubstr("503")) << "nor in hours";
  EXPECT_EQ(server.heads().size(), 4U);
}

TEST(HttpClient, ConnectionsAreKeptAndThoseThatWereClosedReplaced) {
  const ScriptedServer server({{}, {.closes = true}, {}});
  const auto client = HttpClient::Make(OptionsFor(server.url())).value();
  for (int i = 0; i < 3; ++i) {
    Request request{.method = "GET", .target = "/v1"};
    EXPECT_EQ(Told(client->Call(request)), "{}");
  }
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(server.heads().size(), 3U);
}

TEST(HttpClient, WhatIsNoHttpIsSaidSo) {
  const ScriptedServer server({{.answer = "SSH-2.0-OpenSSH_9.2\r\n", .closes = true}});
  EXPECT_THAT(CallTo(server.url(), Effect::kNone),
              AllOf(StartsWith("UNAVAILABLE"), HasSubstr("not understood")));
}

}  // namespace
}  // namespace tidemark::remote
