// The shape of errors is that of docs/http-api.md; other dialects have it as a member too.
#include "remote/error_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/json.h"

namespace tidemark::remote {
namespace {

constexpr std::size_t kErrorDepthMax = 128;
constexpr std::size_t kShownBytesMax = 200;

std::optional<ErrorCode> CodeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (Describe(code).name == name) return code;
  }
  return {};
}

std::string TextOf(const Json& object, const char* member) {
  const Json* const found = object.member(member);
  return found != nullptr && found->is_string() ? found->text() : std::string();
}

std::optional<Error> ErrorOf(const Json& object) {
  if (!object.is_object()) return {};
  const auto code = CodeNamed(TextOf(object, "code"));
  if (!code) return {};
  return Error{*code, TextOf(object, "message"), TextOf(object, "context")};
}

/// What can be printed of a body, on one line.
std::string Shown(std::string_view body) {
  std::string shown(body.substr(0, kShownBytesMax));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, ' ');
  return shown;
}

ErrorCode CodeOfStatus(int status) {
  if (status == 401 || status == 403) return ErrorCode::kPermissionDenied;
  return status >= 500 || status == 429 ? ErrorCode::kUnavailable : ErrorCode::kUnsupported;
}

}  // namespace

std::optional<Error> ErrorFromJson(std::string_view object) {
  const auto parsed = ParseJson(object, {.depth_max = kErrorDepthMax});
  return parsed ? ErrorOf(*parsed) : std::nullopt;
}

Error ErrorOfAnswer(std::string_view url, int status, std::string_view body) {
  if (const auto document = ParseJson(body, {.depth_max = kErrorDepthMax})) {
    if (const Json* const error = document->member("error")) {
      if (auto told = ErrorOf(*error)) return *std::move(told);
    }
  }
  return {CodeOfStatus(status),
          fmt::format("{} answered {}, not as a Tidemark server does: {}", url, status, Shown(body)),
          {}};
}

}  // namespace tidemark::remote
