// The canonical request, the string to sign, and the chain of keyed digests.
#include "server/keys/aws_signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/keyed_hash.h"
#include "base/sha256.h"
#include "server/http/access.h"

namespace tidemark::server {
namespace {

using http::Request;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kScopeEnd = "/aws4_request";
constexpr std::int64_t kClockErrorMaxUs = std::int64_t{15} * 60 * 1'000'000;
constexpr std::size_t kSignatureDigits = 64;
constexpr std::size_t kTimeLetters = 16;  // YYYYMMDDThhmmssZ
constexpr std::size_t kCachedKeysMax = 256;

std::unexpected<Error> Wrong(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kPermissionDenied,
                               .message = std::move(message),
                               .context = std::string(http::kWrongSignature)});
}

std::string_view Trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// The value of `name=` among what stands behind the algorithm.
std::string_view Member(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    const std::string_view part = Trimmed(header.substr(0, comma));
    header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
    if (part.starts_with(name) && part.substr(name.size()).starts_with('='))
      return part.substr(name.size() + 1);
  }
  return {};
}

std::optional<int> Number(std::string_view digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.front() == '-')
    return std::nullopt;
  return number;
}

/// Microseconds of YYYYMMDDThhmmssZ.
std::optional<std::int64_t> TimeUs(std::string_view text) {
  if (text.size() != kTimeLetters || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto year = Number(text.substr(0, 4));
  const auto month = Number(text.substr(4, 2));
  const auto day = Number(text.substr(6, 2));
  const auto hour = Number(text.substr(9, 2));
  const auto minute = Number(text.substr(11, 2));
  const auto second = Number(text.substr(13, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto seconds = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
                       std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  return std::chrono::duration_cast<std::chrono::microseconds>(seconds).count();
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text = text.substr(end + 1);
  }
}

/// The path as it was received, percent-encoded once more.
void AppendPath(std::string& out, std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : path) {
    const bool is_plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
    if (is_plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4U]);
    out.push_back(kDigits[byte & 15U]);
  }
}

/// Pairs as they were received, by name, then value.
void AppendQuery(std::string& out, std::string_view query) {
  if (query.empty()) return;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (const std::string_view pair : Split(query, '&')) {
    const std::size_t equals = pair.find('=');
    pairs.emplace_back(pair.substr(0, equals),
                       equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
  }
  std::ranges::sort(pairs);
  bool is_first = true;
  for (const auto& [name, value] : pairs) {
    if (!std::exchange(is_first, false)) out.push_back('&');
    out.append(name).append("=").append(value);
  }
}

/// Runs of blanks become one.
void AppendValue(std::string& out, std::string_view value) {
  bool was_blank = false;
  for (const char c : Trimmed(value)) {
    const bool is_blank = c == ' ';
    if (!(is_blank && was_blank)) out.push_back(c);
    was_blank = is_blank;
  }
}

void AppendHeaders(std::string& out, const Request& request, std::string_view signed_headers) {
  for (const std::string_view name : Split(signed_headers, ';')) {
    out.append(name).push_back(':');
    bool is_first = true;
    for (const Request::Field& field : request.headers()) {
      if (field.name != name) continue;
      if (!std::exchange(is_first, false)) out.push_back(',');
      AppendValue(out, field.value);
    }
    out.push_back('\n');
  }
}

std::string CanonicalRequest(const Request& request, std::string_view signed_headers) {
  std::string text(http::NameOf(request.method));
  text.push_back('\n');
  AppendPath(text, request.path);
  text.push_back('\n');
  AppendQuery(text, request.query);
  text.push_back('\n');
  AppendHeaders(text, request, signed_headers);
  text.push_back('\n');
  text.append(signed_headers);
  text.push_back('\n');
  text.append(ToHex(Sha256(request.body)));
  return text;
}

/// Four keyed digests that are the same all day: each thread keeps those that it has made.
Sha256Digest SigningKey(std::string_view secret, std::string_view scope) {
  thread_local std::unordered_map<std::string, Sha256Digest> made;
  std::string place = fmt::format("{}\n{}", secret, scope);
  if (const auto found = made.find(place); found != made.end()) return found->second;
  const std::string first = fmt::format("AWS4{}", secret);
  std::string key = first;
  Sha256Digest digest{};
  for (const std::string_view part : Split(scope, '/')) {
    digest = HmacSha256(std::as_bytes(std::span(key)), part);
    key.assign(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  if (made.size() >= kCachedKeysMax) made.clear();
  made.emplace(std::move(place), digest);
  return digest;
}

Result<void> CheckSigned(const Request& request, std::string_view signed_headers) {
  const std::vector<std::string_view> names = Split(signed_headers, ';');
  const auto is_signed = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  for (const std::string_view name : {"host", "x-amz-date"}) {
    if (!is_signed(name)) return Wrong(fmt::format("the header {} is not signed", name));
  }
  for (const Request::Field& field : request.headers()) {
    if (field.name.starts_with("x-amz-") && !is_signed(field.name))
      return Wrong(fmt::format("the header {} is not signed", field.name));
  }
  return {};
}

}  // namespace

bool IsAwsSigned(const Request& request) {
  return request.Header("authorization").value_or("").starts_with(kAlgorithm);
}

Result<AwsSignature> ReadAwsSignature(const Request& request, std::int64_t now_us) {
  const std::string_view header = request.Header("authorization").value_or("").substr(kAlgorithm.size());
  AwsSignature read;
  const std::string_view credential = Member(header, "Credential");
  read.signed_headers = Member(header, "SignedHeaders");
  read.signature = Member(header, "Signature");
  const std::size_t slash = credential.find('/');
  if (slash == std::string_view::npos || read.signed_headers.empty() ||
      read.signature.size() != kSignatureDigits) {
    return Wrong(
        "the header Authorization does not have a Credential, SignedHeaders and a Signature as AWS "
        "Signature Version 4 has them");
  }
  read.key_id = credential.substr(0, slash);
  read.scope = credential.substr(slash + 1);
  read.date = read.scope.substr(0, read.scope.find('/'));
  read.time = request.Header("x-amz-date").value_or("");
  if (std::ranges::count(read.scope, '/') != 3 || !read.scope.ends_with(kScopeEnd)) {
    return Wrong("the signature's credential is not of the form key/date/region/service/aws4_request");
  }
  const auto time_us = TimeUs(read.time);
  if (!time_us || read.time.substr(0, 8) != read.date) {
    return Wrong("the header x-amz-date is not a time like 20240501T120000Z on the day of the signature");
  }
  if (std::max(*time_us, now_us) - std::min(*time_us, now_us) > kClockErrorMaxUs) {
    return Wrong(
        fmt::format("the request was signed at {}, more than 15 minutes from the server's clock", read.time));
  }
  TM_TRY(CheckSigned(request, read.signed_headers));
  if (request.stream != nullptr)
    return Wrong("a body that is streamed cannot be signed: send the key as `Authorization: Bearer`");
  return read;
}

std::string ExpectedAwsSignature(const Request& request, const AwsSignature& signature,
                                 std::string_view secret) {
  const std::string text = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, signature.time, signature.scope,
                                       ToHex(Sha256(CanonicalRequest(request, signature.signed_headers))));
  const Sha256Digest key = SigningKey(secret, signature.scope);
  return ToHex(HmacSha256(key, text));
}

}  // namespace tidemark::server
