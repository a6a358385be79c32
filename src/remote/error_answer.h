// Errors as a server tells them.
#pragma once

#include <optional>
#include <string_view>

#include "tidemark/error.h"

namespace tidemark::remote {

/// The error in the body of an answer that is no success: code, message and context as the server has them.
/// One of a body that Tidemark has not written (a proxy's, another program's) names the URL and the status.
Error ErrorOfAnswer(std::string_view url, int status, std::string_view body);

/// The object {"code", "message", "context"} as JSON text; nothing if it is none.
std::optional<Error> ErrorFromJson(std::string_view object);

}  // namespace tidemark::remote
