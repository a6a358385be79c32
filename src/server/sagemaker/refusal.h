// Why a request is refused, and how the two APIs of SageMaker Feature Store word it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::sagemaker {

enum class Api : std::uint8_t { kRuntime, kControl };

enum class Why : std::uint8_t {
  kInvalid,           // ValidationError; ValidationException of the control plane
  kNotFound,          // ResourceNotFound
  kConflict,          // ConflictException: a later record is stored
  kInUse,             // ResourceInUse: the name is taken
  kLimit,             // ResourceLimitExceeded
  kForbidden,         // AccessForbidden; AccessDeniedException of the control plane
  kThrottled,         // ThrottlingException
  kUnavailable,       // ServiceUnavailable: the same request may work later
  kInternal,          // InternalFailure
  kUnknownOperation,  // UnknownOperationException
  kUnreadable,        // SerializationException: what was sent is no JSON, or of another shape
};

struct Refusal {
  Why why = Why::kInternal;
  std::string message;

  Refusal(Why reason, std::string text) : why(reason), message(std::move(text)) {}
  /// What the store says.
  Refusal(const Error& error);  // NOLINT(google-explicit-constructor): TM_TRY turns one into the other
};

template <typename T>
using Answer = std::expected<T, Refusal>;

inline std::unexpected<Refusal> Refuse(Why why, std::string message) {
  return std::unexpected(Refusal(why, std::move(message)));
}

struct ErrorName {
  std::string_view code;
  int status;
};
ErrorName NameOf(Why why, Api api);

/// Which API a request is of.
Api ApiOf(const http::Request& request);

/// Fills the answer with an error: code in header and body, as clients of either API look for it.
void WriteRefusal(const http::Request& request, std::string_view code, int status, std::string_view message,
                  http::Response& response);
void WriteRefusal(const http::Request& request, const Refusal& refusal, http::Response& response);

/// What every answer has: its content type and the request's id.
void WriteHead(const http::Request& request, http::Response& response);

}  // namespace tidemark::sagemaker
