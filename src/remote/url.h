// Addresses of servers, and what goes into the target of a request.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidemark::remote {

/// Where a server listens.
struct ServerUrl {
  bool is_tls = false;
  std::string host;    // without the brackets of an IPv6 address
  std::string port;    // digits
  std::string prefix;  // in front of every path; empty, or "/x" without a slash at its end
  std::string text;    // as it is shown: "http://host:6566/x"
};

/// Reads "http://host[:port][/prefix]" or https. Without a port: 80 or 443, as the scheme has it.
/// kInvalidArgument with the reason for anything else; a user name or password is refused and not repeated.
Result<ServerUrl> ParseServerUrl(std::string_view text);

/// `text` as one segment of a path or one value of a query: all but unreserved characters percent-encoded.
std::string Encode(std::string_view text);

/// A path and a query put together: "/v1/p/views", then "?a=1&b=2".
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  /// One more segment of the path.
  Target& Segment(std::string_view segment);
  /// One more value of the query; `Set` only if it is not empty.
  Target& Add(std::string_view name, std::string_view value);
  Target& Set(std::string_view name, std::string_view value) {
    return value.empty() ? *this : Add(name, value);
  }
  Target& Flag(std::string_view name, bool value) { return value ? Add(name, "true") : *this; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

}  // namespace tidemark::remote
