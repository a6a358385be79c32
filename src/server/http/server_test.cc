// Goal: over real sockets, every way in which a request can come and be answered, and every limit that the
// server keeps by itself.
#include "server/http/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/file_descriptor.h"

namespace tidemark::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// A gate that a handler waits at until the test opens it.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  /// Waits for Open, or for `stop`; true if it was the first.
  bool Wait(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    arrived_.notify_all();
    return opened_.wait(lock, stop, [this] { return is_open_; });
  }
  void AwaitWaiters(int count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this, count] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any opened_;
  std::condition_variable arrived_;
  bool is_open_ = false;
  int waiting_ = 0;
};

class TestDialect final : public Dialect {
 public:
  std::string_view name() const override { return "test"; }
  std::vector<Route> Routes() override {
    return {
        {Method::kPost, "/inline", Scope::kRead, Runs::kInline, Body::kWhole, Echo},
        {Method::kPost, "/worker", Scope::kRead, Runs::kWorker, Body::kWhole, Echo},
        {Method::kGet, "/gate", Scope::kRead, Runs::kWorker, Body::kWhole,
         [this](const Request& request, Response& response) -> Result<void> {
           const bool opened = gate.Wait(request.stop);
           if (!opened) stopped.set_value();
           response.body = opened ? "opened" : "stopped";
           return {};
         }},
        {Method::kGet, "/inline-gate", Scope::kRead, Runs::kInline, Body::kWhole,
         [this](const Request& /*request*/, Response& response) -> Result<void> {
           gate.Wait({});
           response.body = "opened";
           return {};
         }},
        {Method::kPost, "/count", Scope::kRead, Runs::kWorker, Body::kStream, Count},
        {Method::kPost, "/refuse", Scope::kRead, Runs::kWorker, Body::kStream,
         [](const Request& /*request*/, Response& /*response*/) -> Result<void> {
           return Fail(ErrorCode::kInvalidArgument, "not this one");
         }},
        {Method::kGet, "/bytes/{count}", Scope::kRead, Runs::kWorker, Body::kWhole, Bytes},
        {Method::kGet, "/throws", Scope::kRead, Runs::kInline, Body::kWhole,
         [](const Request& /*request*/, Response& /*response*/) -> Result<void> { throw std::bad_alloc(); }},
    };
  }
  bool Claims(const Request& /*request*/) const override { return true; }
  void WriteError(const Request& /*request*/, int status, const Error& error, Response& response) override {
    response.body = fmt::format("{}: {}", status, error.ToString());
  }

  Gate gate;
  std::promise<void> stopped;

 private:
  static Result<void> Echo(const Request& request, Response& response) {
    response.content_type = "text/plain";
    response.body.append(request.body);
    return {};
  }
  static Result<void> Count(const Request& request, Response& response) {
    std::array<std::byte, 10'000> buffer;
    std::size_t bytes = 0;
    while (true) {
      TM_ASSIGN(const std::size_t count, request.stream->Read(buffer));
      if (count == 0) break;
      bytes += count;
    }
    response.body = std::to_string(bytes);
    return {};
  }
  // So many bytes, then an error if there is to be one.
  static Result<void> Bytes(const Request& request, Response& response) {
    const std::size_t wanted = std::stoul(std::string(request.Part("count")));
    const bool fails = request.Query("fail").has_value();
    response.stream = [wanted, fails](BodyWriter& out) -> Result<void> {
      const std::string piece(1000, 'x');
      for (std::size_t written = 0; written < wanted; written += piece.size())
        TM_TRY(out.Write(piece));
      if (fails) return Fail(ErrorCode::kIo, "half way");
      return {};
    };
    return {};
  }
};

/// A blocking connection of a client.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// What comes until it has `end` in it, or the connection closes.
  std::string Receive(std::string_view end = "") {
    std::string got;
    std::array<char, 65536> buffer;
    while (end.empty() || got.find(end) == std::string::npos) {
      const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      got.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return got;
  }
  std::string Ask(std::string_view request) {
    Send(request);
    return Receive();
  }
  void Close() { socket_.Close(); }
  /// Nothing more is sent; answers are still read.
  void CloseHalf() { shutdown(socket_.get(), SHUT_WR); }

 private:
  FileDescriptor socket_;
};

std::string Post(std::string_view path, std::string_view body,
                 std::string_view more = "Connection: close\r\n") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\n{}Content-Length: {}\r\n\r\n{}", path, more, body.size(),
                     body);
}
std::string Get(std::string_view path, std::string_view more = "Connection: close\r\n") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n{}\r\n", path, more);
}

class ServerTest : public testing::Test {
 protected:
  void Start(Limits limits = {}, std::size_t threads = 2, std::chrono::microseconds busy_poll = {}) {
    ServerSettings settings{
        .port = 0, .threads = threads, .workers = 8, .busy_poll = busy_poll, .limits = limits};
    auto server = Server::Start(settings, {dialect_}, NoKeys(), metrics_);
    ASSERT_TRUE(server.has_value()) << server.error().ToString();
    server_ = *std::move(server);
  }
  Client Connect() { return Client(server_->port()); }

  std::shared_ptr<TestDialect> dialect_ = std::make_shared<TestDialect>();
  std::shared_ptr<Metrics> metrics_ = std::make_shared<Metrics>();
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, BodiesComeAndGoWholeInlineAndOnWorkers) {
  Start();
  const std::string body(300'000, 'b');
  for (const std::string_view path : {"/inline", "/worker"}) {
    EXPECT_THAT(Connect().Ask(Post(path, "abc")), EndsWith("\r\n\r\nabc"));
    EXPECT_THAT(Connect().Ask(Post(path, body)), EndsWith("\r\n\r\n" + body));
    EXPECT_THAT(Connect().Ask(Post(path, "")), HasSubstr("Content-Length: 0\r\n"));
  }
}

TEST_F(ServerTest, RequestsOneBehindTheOtherAreAnsweredInOrder) {
  Start();
  Client client = Connect();
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests.append(Post(i % 2 == 0 ? "/inline" : "/worker", fmt::format("<{}>", i), ""));
  client.Send(requests.append(Post("/inline", "<end>")));
  const std::string answers = client.Receive();
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find(fmt::format("\r\n\r\n<{}>HTTP/1.1 200 OK\r\n", i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

// Goal: a thread that looks for requests finds those that come while it looks and while it sleeps, and ends.
TEST_F(ServerTest, ThreadsThatLookForRequestsAnswerThem) {
  for (const std::chrono::microseconds busy_poll :
       {std::chrono::microseconds(1), std::chrono::microseconds(60'000'000)}) {
    Start({}, 1, busy_poll);
    Client client = Connect();
    for (int i = 0; i < 20; ++i) {
      client.Send(Post(i % 2 == 0 ? "/inline" : "/worker", fmt::format("<{}>", i), ""));
      EXPECT_THAT(client.Receive(fmt::format("<{}>", i)), StartsWith("HTTP/1.1 200 "));
    }
    client.Close();
    EXPECT_TRUE(server_->Stop());
  }
}

TEST_F(ServerTest, AStreamedBodyOfAnySizeIsReadAsItComes) {
  Start();
  EXPECT_THAT(Connect().Ask(Post("/count", std::string(5'000'000, 'x'))), EndsWith("\r\n\r\n5000000"));
  Client chunked = Connect();
  chunked.Send("POST /count HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i)
    chunked.Send("5\r\nabcde\r\n");
  chunked.Send("0\r\n\r\n");
  EXPECT_THAT(chunked.Receive(), EndsWith("\r\n\r\n500"));
  EXPECT_THAT(Connect().Ask(Post("/count", "")), EndsWith("\r\n\r\n0"));
}

TEST_F(ServerTest, ABrokenStreamedBodyIsAnErrorOfTheHandler) {
  Start();
  Client client = Connect();
  client.Send("POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerTest, AnAnswerBeforeTheBodyWasReadArrives) {
  Start();
  const std::string answer = Connect().Ask(Post("/refuse", std::string(3'000'000, 'x')));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, EndsWith("400: not this one"));
}

TEST_F(ServerTest, StreamedAnswersAreChunkedAndSlowReadersHoldThemUp) {
  Start();
  const std::string answer = Connect().Ask(Get("/bytes/20000000"));
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n0\r\n\r\n"));
  EXPECT_GT(answer.size(), 20'000'000U);
  EXPECT_LT(answer.size(), 20'010'000U);
  EXPECT_THAT(Connect().Ask("GET /bytes/1000 HTTP/1.0\r\n\r\n"),
              EndsWith("\r\n\r\n" + std::string(1000, 'x')));
  EXPECT_THAT(Connect().Ask(Get("/bytes/0")), EndsWith("\r\n\r\n0\r\n\r\n"));
}

TEST_F(ServerTest, AStreamThatFailsIsAnErrorFirstAndABrokenConnectionLater) {
  Start();
  EXPECT_THAT(Connect().Ask(Get("/bytes/0?fail=1")), StartsWith("HTTP/1.1 500 "));
  const std::string broken = Connect().Ask(Get("/bytes/1000000?fail=1"));
  EXPECT_THAT(broken, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(broken.find("\r\n0\r\n\r\n"), std::string::npos);
}

TEST_F(ServerTest, ClientsThatGoAwayStopTheirHandler) {
  Start();
  {
    Client client = Connect();
    client.Send(Get("/gate"));
    dialect_->gate.AwaitWaiters(1);
  }
  dialect_->stopped.get_future().wait();
  Client reader = Connect();  // of a stream: it goes away in the middle
  reader.Send(Get("/bytes/500000000"));
  reader.Receive("xxxx");
  reader.Close();
  EXPECT_THAT(Connect().Ask(Get("/bytes/1000")), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, AClientThatClosesItsHalfIsAnswered) {
  Start();
  for (const std::string_view body : {"", "x"}) {
    Client client = Connect();
    client.Send(Post("/worker", body));
    client.CloseHalf();
    EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 200 "));
  }
  Client stream = Connect();
  stream.Send(Post("/count", "12345"));
  stream.CloseHalf();
  EXPECT_THAT(stream.Receive(), EndsWith("\r\n\r\n5"));

  Client several = Connect();
  several.Send(Post("/worker", "<1>", "") + Post("/worker", "<2>", "") + Post("/inline", "<3>", ""));
  several.CloseHalf();
  EXPECT_THAT(several.Receive(), AllOf(HasSubstr("<1>"), HasSubstr("<2>"), EndsWith("<3>")));

  Client patient = Connect();  // longer than until the server asks whether anybody reads
  patient.Send(Get("/gate"));
  patient.CloseHalf();
  EXPECT_EQ(patient.Receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  dialect_->gate.Open();
  const std::string answer = patient.Receive();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("opened"));
}

TEST_F(ServerTest, WhatThrowsEndsTheRequestOnly) {
  Start();
  EXPECT_THAT(Connect().Ask(Get("/throws")), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(Connect().Ask(Post("/inline", "x")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, WhatARouteDoesNotTakeIsSaidWithWhatItTakes) {
  Start();
  const std::string method = Connect().Ask(Get("/inline"));
  EXPECT_THAT(method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(method, HasSubstr("\r\nAllow: POST\r\n"));
  EXPECT_THAT(Connect().Ask(Post("/inline", "x", "Connection: close\r\nContent-Encoding: gzip\r\n")),
              StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Connect().Ask(Post("/inline", "x", "Connection: close\r\nContent-Encoding: identity\r\n")),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, LimitsOfBodiesAndOfTheirSum) {
  Start({.body_bytes_max = 100'000, .stream_bytes_max = 200'000, .memory_bytes_max = 50'000});
  EXPECT_THAT(Connect().Ask(Post("/inline", std::string(100'001, 'x'))), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Connect().Ask(Post("/count", std::string(200'001, 'x'))), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Connect().Ask(Post("/inline", std::string(60'000, 'x'))), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Connect().Ask(Post("/inline", std::string(40'000, 'x'))), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(metrics_->memory_bytes.load(), 0);
}

TEST_F(ServerTest, RequestsBeyondThoseInFlightAreRefusedForNow) {
  Start({.in_flight_max = 2});
  Client first = Connect();
  Client second = Connect();
  first.Send(Get("/gate"));
  second.Send(Get("/gate"));
  dialect_->gate.AwaitWaiters(2);
  const std::string refused = Connect().Ask(Post("/inline", ""));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
  dialect_->gate.Open();
  EXPECT_THAT(first.Receive(), EndsWith("opened"));
  EXPECT_THAT(second.Receive(), EndsWith("opened"));
  EXPECT_THAT(Connect().Ask(Post("/inline", "")), StartsWith("HTTP/1.1 200 "));
}

// Goal: a client with one request at a time needs one place, though each connection has another thread.
TEST_F(ServerTest, WhoeverHasAnAnswerHasGivenItsPlaceBack) {
  Start({.in_flight_max = 1}, 4);
  // Busy processors hold the server up between an answer and what it does after it.
  const auto spin = [](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
    }
  };
  const std::array<std::jthread, 4> busy{std::jthread(spin), std::jthread(spin), std::jthread(spin),
                                         std::jthread(spin)};
  const std::array<std::pair<std::string, std::string_view>, 5> requests_and_ends{{
      {Post("/inline", "<end>", ""), "<end>"},
      {Post("/worker", "<end>", ""), "<end>"},
      {Post("/worker", std::string(300'000, 'x') + "<end>", ""), "<end>"},
      {Get("/bytes/200000", ""), "\r\n0\r\n\r\n"},
      {Post("/count", "<end>", ""), "\r\n\r\n5"},
  }};
  for (const auto& [request, end] : requests_and_ends) {
    for (int i = 0; i < 100; ++i) {
      Client client = Connect();
      client.Send(request);
      ASSERT_THAT(client.Receive(end).substr(0, 13), "HTTP/1.1 200 ") << i << ": " << request.substr(0, 20);
    }
  }
}

TEST_F(ServerTest, WhatTakesTooLongEnds) {
  using std::chrono::milliseconds;
  Start({.request_time_max = milliseconds(300),
         .silence_max = milliseconds(300),
         .answer_time_max = milliseconds(300),
         .idle_time_max = milliseconds(300)});
  EXPECT_THAT(Connect().Ask("POST /inline HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"),
              StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(Connect().Ask("POST /inl"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(Connect().Ask("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"),
              StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(Connect().Ask(Get("/gate")), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(Connect().Receive(), "") << "nothing was sent: it is only closed";
  Client kept = Connect();
  kept.Send(Post("/inline", "abc", ""));
  EXPECT_THAT(kept.Receive(), EndsWith("abc"));
}

// The loop is held up while requests arrive, on a connection that it knows and on one that it does not: when
// it goes on, it is told to stop before it has looked at them.
TEST_F(ServerTest, StoppingAnswersWhatNobodyHasLookedAtYet) {
  Start({}, 1);
  Client known = Connect();
  known.Send(Post("/inline", "first", ""));
  EXPECT_THAT(known.Receive("first"), EndsWith("first"));
  Client holds = Connect();
  holds.Send(Get("/inline-gate"));
  dialect_->gate.AwaitWaiters(1);
  known.Send(Post("/inline", "second", ""));
  Client fresh = Connect();
  fresh.Send(Post("/inline", "third", ""));
  auto stopped = std::async(std::launch::async, [this] { return server_->Stop(); });
  // Whichever comes first, all are answered; mostly it is the word to stop.
  for (int i = 0; i < 1000; ++i)
    std::this_thread::yield();
  dialect_->gate.Open();
  EXPECT_THAT(known.Receive(), EndsWith("second"));
  EXPECT_THAT(fresh.Receive(), EndsWith("third"));
  EXPECT_TRUE(stopped.get()) << "nothing was cut off";
}

TEST_F(ServerTest, StoppingAnswersWhatHasArrived) {
  Start();
  Client idle = Connect();
  idle.Send(Post("/inline", "kept", ""));
  EXPECT_THAT(idle.Receive("kept"), EndsWith("kept"));
  Client waiting = Connect();
  waiting.Send(Get("/gate", ""));
  dialect_->gate.AwaitWaiters(1);
  auto stopped = std::async(std::launch::async, [this] { return server_->Stop(); });
  EXPECT_EQ(idle.Receive(), "");
  dialect_->gate.Open();
  const std::string answer = waiting.Receive();
  EXPECT_THAT(answer, EndsWith("opened"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(stopped.get());
}

TEST_F(ServerTest, StoppingCutsOffWhatDoesNotEnd) {
  Start({.drain_time_max = std::chrono::milliseconds(100)});
  Client waiting = Connect();
  waiting.Send(Get("/gate", ""));
  dialect_->gate.AwaitWaiters(1);
  EXPECT_FALSE(server_->Stop());
  EXPECT_EQ(waiting.Receive(), "");
}

TEST_F(ServerTest, APortThatIsTakenAndAnAddressThatIsNone) {
  Start();
  const FileDescriptor taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(taken.get(), 1), 0);
  ASSERT_EQ(getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto second = Server::Start({.port = ntohs(address.sin_port)}, {dialect_}, NoKeys(), metrics_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  const auto nowhere = Server::Start({.host = "not-an-address"}, {dialect_}, NoKeys(), metrics_);
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  Start();
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([this, i, &wrong] {
      for (int round = 0; round < 30; ++round) {
        const std::string body = fmt::format("{}-{}", i, round);
        if (!Connect().Ask(Post("/worker", body)).ends_with("\r\n\r\n" + body)) ++wrong;
        if (!Connect().Ask(Post("/inline", body)).ends_with("\r\n\r\n" + body)) ++wrong;
        if (!Connect().Ask(Post("/count", std::string(100'000, 'x'))).ends_with("100000")) ++wrong;
        if (!Connect().Ask(Get("/bytes/200000")).ends_with("0\r\n\r\n")) ++wrong;
      }
    });
  }
  for (std::thread& client : clients)
    client.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace tidemark::http
