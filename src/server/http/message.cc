// Requests and answers: looking things up in them, percent-encoding.
#include "server/http/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace tidemark::http {
namespace {

constexpr std::array<std::string_view, 8> kMethodNames = {"GET",    "HEAD",  "PUT",     "POST",
                                                          "DELETE", "PATCH", "OPTIONS", "?"};

/// The value of a hexadecimal digit, or -1.
int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Calls `found(name, value)` for each pair of the query, decoded, until it answers false. Pairs that are not
/// properly encoded are passed over.
template <typename Found>
void EachPair(std::string_view query, const Found& found) {
  std::string name;
  std::string value;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (!PercentDecode(pair.substr(0, equals), name)) continue;
    value.clear();
    if (equals != std::string_view::npos && !PercentDecode(pair.substr(equals + 1), value)) continue;
    if (!found(name, value)) return;
  }
}

}  // namespace

std::string_view NameOf(Method method) {
  return kMethodNames.at(static_cast<std::size_t>(method));
}

bool PercentDecode(std::string_view text, std::string& out) {
  const std::size_t plain = std::min(text.find('%'), text.size());
  out.assign(text.substr(0, plain));
  for (std::size_t i = plain; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = Digit(text[i + 1]);
    const int low = Digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

std::optional<std::string_view> Request::Header(std::string_view name) const {
  for (const Field& field : headers_) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

std::string_view Request::Part(std::string_view name) const {
  for (const auto& [part, value] : parts_) {
    if (part == name) return value;
  }
  TM_CHECK(false, "a handler asked for a part of the path that its route does not have");
  return {};
}

std::optional<std::string> Request::Query(std::string_view name) const {
  std::optional<std::string> first;
  EachPair(query, [&](const std::string& key, const std::string& value) {
    if (key == name) first = value;
    return !first.has_value();
  });
  return first;
}

std::vector<std::string> Request::QueryAll(std::string_view name) const {
  std::vector<std::string> all;
  EachPair(query, [&](const std::string& key, const std::string& value) {
    if (key == name) all.push_back(value);
    return true;
  });
  return all;
}

Result<void> Request::CheckQuery() const {
  std::string decoded;
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (PercentDecode(pair, decoded)) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the query has '{}', where a '%' without two hexadecimal digits behind it stands "
                            "for nothing: write %25 for a '%'",
                            pair));
  }
  return {};
}

void Request::Clear() {
  method = Method::kOther;
  target = path = query = body = id = peer = route = project = {};
  stream = nullptr;
  is_tls = on_worker = false;
  caller = {};
  stop = {};
  headers_.clear();
  parts_.clear();
}

void Response::Clear() {
  status = 200;
  content_type = "application/json";
  headers.clear();
  body.clear();
  needs_worker = false;
  stream = nullptr;
}

}  // namespace tidemark::http
