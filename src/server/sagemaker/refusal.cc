// Codes and statuses as the clients of both APIs expect them.
#include "server/sagemaker/refusal.h"

#include "server/json/json_text.h"

namespace tidemark::sagemaker {
namespace {

Why WhyOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTypeMismatch:
    case ErrorCode::kInvalidData:
    case ErrorCode::kUnsupported:
      return Why::kInvalid;
    case ErrorCode::kNotFound:
      return Why::kNotFound;
    case ErrorCode::kAlreadyExists:
      return Why::kInUse;
    case ErrorCode::kBusy:
    case ErrorCode::kOutOfSpace:
    case ErrorCode::kCancelled:
    case ErrorCode::kUnavailable:
      return Why::kUnavailable;
    case ErrorCode::kPermissionDenied:
      return Why::kForbidden;
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kUnknownFate:
    case ErrorCode::kInternal:
      break;
  }
  return Why::kInternal;
}

}  // namespace

Refusal::Refusal(const Error& error) : why(WhyOf(error.code)), message(error.ToString()) {}

ErrorName NameOf(Why why, Api api) {
  const bool is_control = api == Api::kControl;
  switch (why) {
    case Why::kInvalid:
      return {is_control ? "ValidationException" : "ValidationError", 400};
    case Why::kNotFound:
      return {"ResourceNotFound", is_control ? 400 : 404};
    case Why::kConflict:
      return {"ConflictException", is_control ? 400 : 409};
    case Why::kInUse:
      return {"ResourceInUse", 400};
    case Why::kLimit:
      return {"ResourceLimitExceeded", 400};
    case Why::kForbidden:
      return {is_control ? "AccessDeniedException" : "AccessForbidden", 403};
    case Why::kThrottled:
      return {"ThrottlingException", is_control ? 400 : 429};
    case Why::kUnavailable:
      return {"ServiceUnavailable", 503};
    case Why::kUnknownOperation:
      return {"UnknownOperationException", 400};
    case Why::kUnreadable:
      return {"SerializationException", 400};
    case Why::kInternal:
      break;
  }
  return {"InternalFailure", 500};
}

Api ApiOf(const http::Request& request) {
  return request.path == "/" ? Api::kControl : Api::kRuntime;
}

void WriteHead(const http::Request& request, http::Response& response) {
  response.content_type = ApiOf(request) == Api::kControl ? "application/x-amz-json-1.1" : "application/json";
  response.headers.emplace_back("x-amzn-RequestId", request.id);
}

void WriteRefusal(const http::Request& request, std::string_view code, int status, std::string_view message,
                  http::Response& response) {
  WriteHead(request, response);
  response.headers.emplace_back("x-amzn-ErrorType", code);
  response.status = status;
  response.body = "{\"__type\":";
  json::AppendText(response.body, code);
  response.body.append(ApiOf(request) == Api::kControl ? ",\"message\":" : ",\"Message\":");
  json::AppendText(response.body, message);
  response.body.push_back('}');
}

void WriteRefusal(const http::Request& request, const Refusal& refusal, http::Response& response) {
  const ErrorName name = NameOf(refusal.why, ApiOf(request));
  WriteRefusal(request, name.code, name.status, refusal.message, response);
}

}  // namespace tidemark::sagemaker
