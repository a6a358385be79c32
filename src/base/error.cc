// The table of error codes, and how an error is printed.
#include "tidemark/error.h"

#include <array>

namespace tidemark {
namespace {

// In the order of ErrorCode. Exit codes: 2 is bad usage, 3 not found, 4 bad data, 5 the environment's fault.
constexpr std::array<ErrorCodeInfo, 15> kCodes{{
    {"INVALID_ARGUMENT", 400, 2},
    {"NOT_FOUND", 404, 3},
    {"ALREADY_EXISTS", 409, 2},
    {"TYPE_MISMATCH", 422, 4},
    {"INVALID_DATA", 422, 4},
    {"CORRUPTION", 500, 6},
    {"BUSY", 503, 5},
    {"OUT_OF_SPACE", 507, 5},
    {"IO", 500, 5},
    {"UNSUPPORTED", 501, 2},
    {"CANCELLED", 499, 130},
    {"UNKNOWN_FATE", 500, 7},
    {"PERMISSION_DENIED", 403, 5},
    {"UNAVAILABLE", 503, 5},
    {"INTERNAL", 500, 70},
}};

}  // namespace

ErrorCodeInfo Describe(ErrorCode code) {
  return kCodes.at(static_cast<std::size_t>(code));
}

std::string Error::ToString() const {
  return context.empty() ? message : context + ": " + message;
}

Error Error::In(std::string_view place) && {
  if (context == place || context.starts_with(std::string(place) + ": ")) return std::move(*this);
  context = context.empty() ? std::string(place) : std::string(place) + ": " + context;
  return std::move(*this);
}

}  // namespace tidemark
