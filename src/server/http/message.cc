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

/// Whether the percent-encoded `text` stands for `name`.
bool Means(std::string_view text, std::string_view name) {
  if (text.find('%') == std::string_view::npos) return text == name;
  std::string decoded;
  return PercentDecode(text, decoded) && decoded == name;
}

/// Calls `found(value)` for each pair of the query with that name, decoded, until it answers false. Pairs
/// that are not properly encoded are passed over.
template <typename Found>
void EachValue(std::string_view query, std::string_view name, const Found& found) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::string_view own_name = pair.substr(0, pair.find('='));
    if (!Means(own_name, name)) continue;
    std::string value;
    if (!PercentDecode(pair.substr(std::min(own_name.size() + 1, pair.size())), value)) continue;
    if (!found(std::move(value))) return;
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
  EachValue(query, name, [&](std::string value) {
    first = std::move(value);
    return false;
  });
  return first;
}

std::vector<std::string> Request::QueryAll(std::string_view name) const {
  std::vector<std::string> all;
  EachValue(query, name, [&](std::string value) {
    all.push_back(std::move(value));
    return true;
  });
  return all;
}

Result<void> Request::CheckQuery() const {
  if (query.find('%') == std::string_view::npos) return {};
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
