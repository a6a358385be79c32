// Errors as a Feast server words them, so that Feast's client raises what it raises from the original.
//
//   {"module","class","message"} as JSON, within a JSON string   errors of feast.errors
//   a JSON string of the message                                 everything else that is wrong
//   {"detail": ...}                                              what is no request at all (FastAPI's shape)
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::server::feast {

/// Why a request is not answered, ready to be sent.
struct Refusal {
  int status = 500;
  std::string body;

  Refusal(int code, std::string text) : status(code), body(std::move(text)) {}
  /// An error of the store, with the status of its code.
  Refusal(const Error& error);  // NOLINT(google-explicit-constructor): so that TM_ASSIGN passes errors on
};

/// What a handler gives, or why not.
template <typename T>
using Answer = std::expected<T, Refusal>;

/// An error that Feast's client raises as feast.errors.`name`.
std::unexpected<Refusal> RefuseAs(int status, std::string_view name, std::string_view message);
/// An error that it raises as a RuntimeError with the text.
std::unexpected<Refusal> Refuse(int status, std::string_view message);

std::unexpected<Refusal> NoSuchView(std::string_view view, std::string_view project);
std::unexpected<Refusal> NoSuchService(std::string_view service, std::string_view project);

/// What is not there at all, or not with this method: {"detail": `text`}.
Refusal NoSuchRoute(int status, std::string_view text);

/// Puts a refusal into the response.
void Send(const Refusal& refusal, http::Response& response);

}  // namespace tidemark::server::feast
