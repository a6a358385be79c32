// Requests to other systems over HTTP and HTTPS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::http {

/// Who asks, of a server that wants it so (RFC 7617).
struct BasicAuth {
  std::string user;
  std::string password;
};

/// Who asks, of AWS's services: the request is signed (Signature Version 4).
struct AwsAuth {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
  std::string region;
  std::string service;  // as signatures name it: "kinesis"
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers = {};  // "Name: value"
  std::optional<std::string> body = {};   // none: a GET; else a POST
  bool is_put = false;                    // with a body: a PUT instead
  std::optional<BasicAuth> basic_auth = {};
  std::optional<AwsAuth> aws_auth = {};
  std::int64_t connect_timeout_us = 5'000'000;
  std::int64_t timeout_us = 30'000'000;  // for all of it
  std::size_t answer_bytes_max = std::size_t{16} << 20;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// Keeps its connections. Used by one thread at a time.
class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> Make();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Whatever the status is; one that sends elsewhere is not followed. kUnavailable if there is no answer
  /// (which of the request the server has seen is not known then), kInvalidArgument for a URL that is none or
  /// neither http nor https, kInvalidData for an answer longer than `answer_bytes_max`.
  Result<HttpAnswer> Send(const HttpRequest& request);

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The URL as messages show it: without who asks, and without its query.
std::string ShownUrl(const std::string& url);

}  // namespace tidemark::http
