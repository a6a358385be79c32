// What RFC 3986 allows, as far as a server's address needs it.
#include "remote/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "tidemark/remote.h"

namespace tidemark {

bool IsServerUrl(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

namespace remote {
namespace {

constexpr unsigned kPortMax = 65535;

bool IsUnreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_' || c == '~';
}

/// What follows the scheme, up to a path, query or fragment.
struct Authority {
  std::string_view host;
  std::string_view port;
};

Result<Authority> SplitAuthority(std::string_view text) {
  Authority made;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return Fail(ErrorCode::kInvalidArgument, "the '[' is not closed");
    made.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text[0] != ':') return Fail(ErrorCode::kInvalidArgument, "text follows the ']'");
    made.port = text.empty() ? text : text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    made.host = text.substr(0, colon);
    if (colon != std::string_view::npos) made.port = text.substr(colon + 1);
    const auto fits = [](char c) { return IsUnreserved(c); };
    if (!std::ranges::all_of(made.host, fits)) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no name of a host", made.host));
    }
  }
  if (made.host.empty()) return Fail(ErrorCode::kInvalidArgument, "it names no host");
  return made;
}

Result<void> CheckPort(std::string_view port) {
  unsigned number = 0;
  const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed == std::errc() && end == port.data() + port.size() && number >= 1 && number <= kPortMax)
    return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no port", port));
}

Result<ServerUrl> Parse(std::string_view text) {
  ServerUrl url;
  url.is_tls = text.starts_with("https://");
  std::string_view rest = text.substr(text.find("//") + 2);
  const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  TM_ASSIGN(const Authority authority, SplitAuthority(rest.substr(0, path)));
  rest.remove_prefix(path);
  while (rest.ends_with('/'))
    rest.remove_suffix(1);
  const auto fits = [](char c) { return IsUnreserved(c) || c == '/' || c == '%'; };
  if (!std::ranges::all_of(rest, fits)) {
    return Fail(ErrorCode::kInvalidArgument, "only a path may follow the host");
  }
  url.host = authority.host;
  url.port = url.is_tls ? "443" : "80";
  if (!authority.port.empty()) {
    TM_TRY(CheckPort(authority.port));
    url.port = authority.port;
  }
  url.prefix = rest;
  const bool is_v6 = url.host.find(':') != std::string::npos;
  url.text = fmt::format("{}://{}{}{}{}{}{}", url.is_tls ? "https" : "http", is_v6 ? "[" : "", url.host,
                         is_v6 ? "]" : "", authority.port.empty() ? "" : ":", authority.port, url.prefix);
  return url;
}

}  // namespace

Result<ServerUrl> ParseServerUrl(std::string_view text) {
  if (!IsServerUrl(text)) {
    return Fail(ErrorCode::kInvalidArgument, "a server's URL begins with http:// or https://");
  }
  const std::size_t begin = text.find("//") + 2;
  const std::string_view authority = text.substr(begin, text.find_first_of("/?#", begin) - begin);
  if (authority.find('@') != std::string_view::npos) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "a server's URL holds no user name or password: give the key as api_key or in TIDEMARK_API_KEY");
  }
  auto url = Parse(text);
  if (url) return url;
  return std::unexpected(std::move(url).error().In(fmt::format("URL '{}'", text)));
}

std::string Encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded.push_back(c);
    } else {
      encoded.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
  }
  return encoded;
}

Target& Target::Segment(std::string_view segment) {
  text_.append("/").append(Encode(segment));
  return *this;
}

Target& Target::Add(std::string_view name, std::string_view value) {
  text_.append(has_query_ ? "&" : "?").append(name).append("=").append(Encode(value));
  has_query_ = true;
  return *this;
}

}  // namespace remote
}  // namespace tidemark
