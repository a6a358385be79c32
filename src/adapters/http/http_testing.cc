// Blocking sockets; every connection is closed behind its answer.
#include "adapters/http/http_testing.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace tidemark::http {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

/// How long the request is as its head says; 0 as long as the head is not there.
std::size_t LengthOf(const std::string& request) {
  const auto head = request.find(kHeadEnd);
  if (head == std::string::npos) return 0;
  constexpr std::string_view kLength = "content-length:";
  std::string lower = request.substr(0, head);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
  const auto at = lower.find(kLength);
  const std::size_t body =
      at == std::string::npos ? 0 : std::strtoull(lower.c_str() + at + kLength.size(), nullptr, 10);
  return head + kHeadEnd.size() + body;
}

}  // namespace

TestServer::TestServer(std::function<TestAnswer(const std::string& request)> answer)
    : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  TM_CHECK(bind(listener_, any, size) == 0 && listen(listener_, 16) == 0, "a port to listen on");
  TM_CHECK(getsockname(listener_, any, &size) == 0, "the port's number");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

TestServer::~TestServer() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::string TestServer::host() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::vector<std::string> TestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TestServer::Serve() {
  while (true) {
    const int connection = accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    ServeConnection(connection);
    close(connection);
  }
}

void TestServer::ServeConnection(int connection) {
  std::string request;
  while (true) {
    const std::size_t length = LengthOf(request);
    if (length > 0 && request.size() >= length) break;
    char bytes[4'096];
    const ssize_t count = recv(connection, bytes, sizeof(bytes), 0);
    if (count <= 0) return;
    request.append(bytes, static_cast<std::size_t>(count));
  }
  const TestAnswer answer = answer_(request);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  const std::string text =
      fmt::format("HTTP/1.1 {} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", answer.status,
                  answer.body.size(), answer.body);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace tidemark::http
