// Undoes what the client's libraries do to values.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "model/name.h"
#include "server/semantix/request_values_internal.h"
#include "tidemark/store.h"

namespace tidemark::server::semantix {
namespace {

constexpr std::size_t kListDepth = 4;

struct Spelling {
  std::string_view python;
  std::string_view json;
};

constexpr std::array<Spelling, 3> kSpellings{{
    {"NaN", "null"},
    {"Infinity", "\"Infinity\""},
    {"-Infinity", "\"-Infinity\""},
}};

}  // namespace

std::optional<std::string> FormValue(const http::Request& request, std::string_view name) {
  std::string_view query = request.query;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    std::string pair(query.substr(0, end));
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    std::ranges::replace(pair, '+', ' ');
    const std::size_t equals = pair.find('=');
    std::string decoded;
    if (!http::PercentDecode(std::string_view(pair).substr(0, equals), decoded) || decoded != name) continue;
    if (equals == std::string::npos) return std::string();
    if (http::PercentDecode(std::string_view(pair).substr(equals + 1), decoded)) return decoded;
  }
  return std::nullopt;
}

Result<std::optional<std::vector<std::string>>> NameList(const http::Request& request,
                                                         std::string_view name) {
  const auto text = FormValue(request, name);
  if (!text) return std::nullopt;
  const auto wrong = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is a JSON list of names, [\"a\", \"b\"], and not {}", name, Quoted(*text)));
  };
  const auto document = JsonDocument::Parse(*text, kListDepth);
  if (!document) return wrong();
  simdjson::dom::array list;
  if (document->root().get(list) != simdjson::SUCCESS) return wrong();
  std::vector<std::string> names;
  for (const simdjson::dom::element item : list) {
    std::string_view one;
    if (item.get(one) != simdjson::SUCCESS) return wrong();
    names.emplace_back(one);
  }
  return names;
}

Result<std::size_t> CountValue(const http::Request& request, std::string_view name, std::size_t otherwise,
                               std::size_t most) {
  const auto text = FormValue(request, name);
  if (!text) return otherwise;
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
  if (error == std::errc{} && end == text->data() + text->size() && count >= 1 && count <= most) return count;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is a whole number from 1 to {}, and not {}", name, most, Quoted(*text)));
}

Result<std::optional<std::int64_t>> TimeValue(const http::Request& request, std::string_view name) {
  const auto text = FormValue(request, name);
  if (!text || text->empty()) return std::nullopt;
  auto time = ParseTime(*text);
  if (!time) return std::unexpected(std::move(time).error().In(name));
  return *time;
}

AskedEntities::const_iterator Find(const AskedEntities& entities, std::string_view name) {
  return std::ranges::find_if(entities, [name](const auto& entity) { return entity.first == name; });
}

Result<AskedEntities> ReadEntities(const JsonDocument& document) {
  const auto wrong = [] {
    return Fail(ErrorCode::kInvalidArgument,
                "entities is a JSON list like [{\"entity\": \"id\", \"value\": [1, 2]}]");
  };
  simdjson::dom::array list;
  if (document.root().get(list) != simdjson::SUCCESS) return wrong();
  AskedEntities entities;
  for (const simdjson::dom::element item : list) {
    std::string_view name;
    simdjson::dom::array values;
    if (item["entity"].get(name) != simdjson::SUCCESS || item["value"].get(values) != simdjson::SUCCESS)
      return wrong();
    if (Find(entities, name) != entities.end())
      return Fail(ErrorCode::kInvalidArgument, fmt::format("entity {} is given twice", Quoted(name)));
    entities.emplace_back(name, values);
  }
  return entities;
}

std::string_view FeatureOf(std::string_view reference, std::string_view table) {
  const std::size_t colon = reference.find(':');
  return reference.substr(0, colon) == table && colon != std::string_view::npos ? reference.substr(colon + 1)
                                                                                : reference;
}

std::string PlainJson(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (is_quoted && c == '\\' && i + 1 < text.size()) {
      plain.append(text.substr(i, 2));
      i += 2;
      continue;
    }
    if (c == '"') is_quoted = !is_quoted;
    const auto* const found =
        is_quoted ? kSpellings.end() : std::ranges::find_if(kSpellings, [&](const Spelling& spelling) {
          return text.substr(i).starts_with(spelling.python);
        });
    if (found == kSpellings.end()) {
      plain.push_back(c);
      ++i;
      continue;
    }
    plain.append(found->json);
    i += found->python.size();
  }
  return plain;
}

}  // namespace tidemark::server::semantix
