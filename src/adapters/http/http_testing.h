// A small HTTP server for tests, on a port of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidemark::http {

struct TestAnswer {
  int status = 200;
  std::string body = {};
};

/// Answers each request by a function, one connection at a time.
class TestServer {
 public:
  /// `answer` is given the request's head and body as they came.
  explicit TestServer(std::function<TestAnswer(const std::string& request)> answer);
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer();

  /// `127.0.0.1:<port>`
  std::string host() const;
  /// What has been asked, in its order.
  std::vector<std::string> requests() const;

 private:
  void Serve();
  void ServeConnection(int connection);

  const std::function<TestAnswer(const std::string& request)> answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace tidemark::http
