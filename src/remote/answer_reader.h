// Reads one answer of HTTP/1.1 from a connection: the head, then the body as it arrives.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "remote/connection.h"
#include "remote/waiting.h"

namespace tidemark::remote {

/// Not thread safe. The connection must outlive it.
class AnswerReader {
 public:
  explicit AnswerReader(Connection& connection);
  ~AnswerReader();
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  /// Reads up to the end of the head; answers of 100 and the like are passed over.
  NetworkResult<void> ReadHead(const Waiting& waiting);
  int status() const;
  /// Empty if there is none of that name.
  std::string_view Header(std::string_view name) const;

  /// At least one byte of the body; 0 at its end. kBroken if the connection ends before the body does.
  NetworkResult<std::size_t> ReadBody(std::span<char> into, const Waiting& waiting);

  /// Any byte of an answer has come.
  bool has_begun() const;
  /// All of the answer was read, and the connection can take another request.
  bool is_reusable() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::remote
