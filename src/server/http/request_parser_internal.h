// Reads requests from bytes as they arrive: Boost.Beast's parser, with the fields kept in one flat buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.h"

namespace tidemark::http {

/// What takes a body's bytes.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void Take(std::string_view bytes) = 0;
};

/// Parses one request after another of a connection. Not thread safe.
class RequestParser {
 public:
  explicit RequestParser(std::size_t header_bytes_max);
  ~RequestParser();

  enum class State : std::uint8_t { kHead, kBody, kDone, kBroken };

  /// Takes bytes off the front of `bytes`. Returns after the head is complete (so that the request can be
  /// routed before its body is read), when the request is done, or when more bytes are needed; `used` says
  /// how many were taken. After kBroken nothing more is to be read from the connection.
  State Feed(std::string_view bytes, std::size_t& used, BodySink& sink);
  State state() const { return state_; }
  /// Whether anything of a request has arrived.
  bool has_begun() const { return begun_; }

  /// Before the body: longer ones break with 413.
  void set_body_bytes_max(std::uint64_t bytes) { body_bytes_max_ = bytes; }

  /// Fills method, target, path, query and headers, whose text stays until Reset.
  void Fill(Request& request);
  bool keep_alive() const { return keep_alive_; }
  bool is_http_1_0() const { return is_http_1_0_; }
  bool expects_continue() const { return expects_continue_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  std::uint64_t body_bytes() const { return body_bytes_; }

  /// What was wrong, for kBroken.
  int status() const { return status_; }
  const std::string& problem() const { return problem_; }

  /// Gets ready for the next request.
  void Reset();

 private:
  struct Impl;
  void Break(int status, std::string problem);
  void FinishHead();
  std::string ProblemOfFields() const;

  const std::size_t header_bytes_max_;
  std::uint64_t body_bytes_max_ = 0;
  std::unique_ptr<Impl> impl_;
  State state_ = State::kHead;
  int empty_lines_ = 0;  // passed over in front of the request
  bool begun_ = false;
  bool keep_alive_ = false;
  bool is_http_1_0_ = false;
  bool expects_continue_ = false;
  std::optional<std::uint64_t> content_length_;
  std::uint64_t body_bytes_ = 0;
  int status_ = 0;
  std::string problem_;

  // The head: texts one behind the other, told apart by where they end.
  Method method_ = Method::kOther;
  std::string text_;
  std::size_t target_end_ = 0;
  struct FieldEnds {
    std::size_t name = 0;
    std::size_t value = 0;
  };
  std::vector<FieldEnds> fields_;
};

}  // namespace tidemark::http
