// Finds secrets in options, connection strings and messages.
#include "adapters/adbc/redaction.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace tidemark {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsNameChar(char c) {
  const char low = Lower(c);
  return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = Lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 && HexValue(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// Where a secret stands in a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The value of `name=value` whose '=' is at `equals`: up to the closing quote, or to a separator.
Span ValueAt(std::string_view text, std::size_t equals) {
  std::size_t begin = equals + 1;
  while (begin < text.size() && text[begin] == ' ') ++begin;
  if (begin < text.size() && (text[begin] == '\'' || text[begin] == '"')) {
    const char quote = text[begin++];
    std::size_t end = begin;
    while (end < text.size() && text[end] != quote)
      end += text[end] == '\\' ? 2 : 1;
    return {begin, std::min(end, text.size())};
  }
  std::size_t end = begin;
  while (end < text.size() && !IsSpace(text[end]) && text[end] != '&' && text[end] != ';')
    ++end;
  return {begin, end};
}

// The values behind the names of secrets: "password=x", "auth_token = 'x y'".
std::vector<Span> NamedSecrets(std::string_view text) {
  std::vector<Span> found;
  for (std::size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    std::size_t name_end = at;
    while (name_end > 0 && text[name_end - 1] == ' ') --name_end;
    std::size_t name_begin = name_end;
    while (name_begin > 0 && IsNameChar(text[name_begin - 1])) --name_begin;
    if (!IsSecretOption(text.substr(name_begin, name_end - name_begin))) continue;
    const Span value = ValueAt(text, at);
    if (value.begin < value.end) found.push_back(value);
  }
  return found;
}

// The password of "scheme://user:password@host"; the user information ends with the last @ of `limits`, as
// a password may have one that was not encoded.
std::optional<Span> PasswordOfUri(std::string_view text, std::size_t scheme_end, std::string_view limits) {
  const std::size_t begin = scheme_end + 3;
  const std::size_t end = std::min(text.find_first_of(limits, begin), text.size());
  const std::size_t at = text.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return std::nullopt;
  const std::size_t colon = text.find(':', begin);
  if (colon == std::string_view::npos || colon + 1 >= at) return std::nullopt;
  return Span{colon + 1, at};
}

void AddSecret(std::string_view secret, std::vector<std::string>& secrets) {
  for (std::string form : {std::string(secret), PercentDecoded(secret)}) {
    if (!form.empty() && std::ranges::find(secrets, form) == secrets.end()) secrets.push_back(std::move(form));
  }
}

void ReplaceAll(std::string& text, const std::string& secret) {
  for (std::size_t at = text.find(secret); at != std::string::npos;) {
    text.replace(at, secret.size(), kRedacted);
    at = text.find(secret, at + kRedacted.size());
  }
}

void RedactUris(std::string& text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    if (const auto password = PasswordOfUri(text, at, " \t\r\n\"'")) {
      text.replace(password->begin, password->end - password->begin, kRedacted);
    }
  }
}

}  // namespace

bool IsSecretOption(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kSigns = {
      "password",  "passwd",     "pwd",     "passphrase", "passcode", "token",         "secret", "private_key",
      "privatekey", "credential", "api_key", "apikey",     "jwt",      "access_key"};
  std::string low(name);
  std::ranges::transform(low, low.begin(), [](char c) { return c == '-' ? '_' : Lower(c); });
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return low.find(sign) != std::string::npos; });
}

std::vector<std::string> SecretsOf(const std::map<std::string, std::string>& options) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : options) {
    if (IsSecretOption(name)) {
      AddSecret(value, secrets);
      continue;
    }
    if (const std::size_t scheme = value.find("://"); scheme != std::string::npos) {
      // As the standard reads it, and as someone may have meant it who did not encode "/", "?" or "#".
      for (const std::string_view limits : {"/?#", "?#", ""}) {
        if (const auto password = PasswordOfUri(value, scheme, limits)) {
          AddSecret(std::string_view(value).substr(password->begin, password->end - password->begin), secrets);
        }
      }
    }
    for (const Span& span : NamedSecrets(value)) {
      AddSecret(std::string_view(value).substr(span.begin, span.end - span.begin), secrets);
    }
  }
  std::ranges::stable_sort(secrets, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return secrets;
}

std::string Redact(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    ReplaceAll(text, secret);
  RedactUris(text);
  const std::vector<Span> named = NamedSecrets(text);
  for (auto span = named.rbegin(); span != named.rend(); ++span) {
    // Values may lie within each other ("a_token=b_token=x"): the outer one is replaced last.
    text.replace(span->begin, std::min(span->end, text.size()) - span->begin, kRedacted);
  }
  return text;
}

}  // namespace tidemark
