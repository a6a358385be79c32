// Finds secrets by where they stand: in a URI before the @, and behind a name that speaks of one.
#include "base/redaction.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tidemark {
namespace {

constexpr std::array<std::string_view, 15> kSecretWords{
    "password",    "passwd",     "pwd",     "passphrase", "passcode",   "secret",     "token",        "jwt",
    "private_key", "privatekey", "api_key", "apikey",     "access_key", "credential", "authorization"};
constexpr std::size_t kSecretLengthMin = 3;

/// Begin and end within a text.
using Span = std::pair<std::size_t, std::size_t>;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsWordCharacter(char c) {
  return (Lower(c) >= 'a' && Lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool IsVariable(std::string_view value) {
  return value.starts_with("${") && value.find('}') == value.size() - 1;
}

/// The passwords of URIs. A password may hold an @ or a slash that should have been written as %40 or %2F, so
/// that all up to the last @ counts as one.
void AddUriPasswords(std::string_view text, std::vector<Span>& spans) {
  constexpr std::string_view kScheme = "://";
  for (std::size_t at = text.find(kScheme); at != text.npos; at = text.find(kScheme, at + kScheme.size())) {
    const std::size_t begin = at + kScheme.size();
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\"'<>", begin), text.size());
    const std::string_view run = text.substr(begin, end - begin);
    std::size_t sign = run.substr(0, run.find('?')).rfind('@');
    if (sign == run.npos) sign = run.rfind('@');
    const std::size_t colon = run.find(':');
    if (sign == run.npos || colon >= sign) continue;
    spans.emplace_back(begin + colon + 1, begin + sign);
  }
}

/// The value that begins at `begin`: within quotes, or up to what ends one in a URI or a list of options.
Span ValueAt(std::string_view text, std::size_t begin) {
  while (begin < text.size() && text[begin] == ' ')
    ++begin;
  if (begin < text.size() && (text[begin] == '\'' || text[begin] == '"')) {
    std::size_t end = begin + 1;
    while (end < text.size() && text[end] != text[begin])
      end += text[end] == '\\' ? 2 : 1;
    return {begin + 1, std::min(end, text.size())};
  }
  return {begin, std::min(text.find_first_of(" \t\r\n&;,\"'", begin), text.size())};
}

/// Values behind names that speak of secrets: `password=x`, `auth_token = 'x y'`.
void AddNamedValues(std::string_view text, std::vector<Span>& spans) {
  for (std::size_t equals = text.find('='); equals != text.npos; equals = text.find('=', equals + 1)) {
    std::size_t end = equals;
    while (end > 0 && text[end - 1] == ' ')
      --end;
    std::size_t begin = end;
    while (begin > 0 && IsWordCharacter(text[begin - 1]))
      --begin;
    if (IsSecretOption(text.substr(begin, end - begin))) spans.push_back(ValueAt(text, equals + 1));
  }
}

/// In order and apart.
std::vector<Span> Merged(std::vector<Span> spans) {
  std::ranges::sort(spans);
  std::vector<Span> apart;
  for (const Span& span : spans) {
    if (!apart.empty() && span.first < apart.back().second) {
      apart.back().second = std::max(apart.back().second, span.second);
    } else if (span.second > span.first) {
      apart.push_back(span);
    }
  }
  return apart;
}

/// Where secrets stand in a text, in order and apart.
std::vector<Span> SecretSpans(std::string_view text) {
  std::vector<Span> spans;
  AddUriPasswords(text, spans);
  AddNamedValues(text, spans);
  return Merged(std::move(spans));
}

/// The same of an option: "user:password@account/database" is a URI of some drivers too.
std::vector<Span> SecretSpansOf(std::string_view option, std::string_view value) {
  std::vector<Span> spans = SecretSpans(value);
  const std::size_t colon = value.find(':');
  const std::size_t sign = value.substr(0, value.find('?')).rfind('@');
  const bool has_bare_user =
      option == "uri" && value.find("://") == value.npos && sign != value.npos && colon < sign;
  if (has_bare_user) spans.emplace_back(colon + 1, sign);
  return Merged(std::move(spans));
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (Lower(c) >= 'a' && Lower(c) <= 'f') return Lower(c) - 'a' + 10;
  return std::nullopt;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const auto low = high ? HexDigit(text[i + 2]) : std::nullopt;
    if (low) {
      decoded += static_cast<char>(*high * 16 + *low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

/// Spans are in order and apart.
void Hide(const std::vector<Span>& spans, std::string& text) {
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    const std::size_t length = span->second - span->first;
    if (!IsVariable(std::string_view(text).substr(span->first, length)))
      text.replace(span->first, length, kRedacted);
  }
}

void AddSecret(std::string_view secret, std::vector<std::string>& secrets) {
  for (const std::string& form : {std::string(secret), PercentDecoded(secret)}) {
    const bool is_plain = form == "true" || form == "false" || form == "none" || form == "null";
    if (form.size() >= kSecretLengthMin && !is_plain) secrets.push_back(form);
  }
}

}  // namespace

bool IsSecretOption(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c == '-' ? '_' : Lower(c); });
  return std::ranges::any_of(kSecretWords,
                             [&](std::string_view word) { return lower.find(word) != lower.npos; });
}

std::vector<std::string> SecretsOf(const std::map<std::string, std::string>& options) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : options) {
    if (IsSecretOption(name)) AddSecret(value, secrets);
    for (const auto& [begin, end] : SecretSpansOf(name, value))
      AddSecret(std::string_view(value).substr(begin, end - begin), secrets);
  }
  std::ranges::sort(secrets, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets.erase(std::ranges::unique(secrets).begin(), secrets.end());
  return secrets;
}

std::string Redact(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    for (std::size_t at = text.find(secret); at != text.npos; at = text.find(secret, at + kRedacted.size()))
      text.replace(at, secret.size(), kRedacted);
  }
  Hide(SecretSpans(text), text);
  return text;
}

std::string RedactOption(std::string_view name, const std::string& value) {
  if (IsSecretOption(name) && !value.empty() && !IsVariable(value)) return std::string(kRedacted);
  std::string shown = value;
  Hide(SecretSpansOf(name, value), shown);
  return shown;
}

}  // namespace tidemark
