// Strict: what JSON leaves open (members that are there twice, any depth) is refused.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/json_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

std::string_view KindName(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return "true or false";
    case Json::Kind::kText:
      return "a string";
    case Json::Kind::kObject:
      return "an object";
    case Json::Kind::kArray:
      return "a list";
    default:
      return "a number";
  }
}

}  // namespace

Result<Json> ParseJsonTree(std::string_view text) {
  return ParseJson(text, {.depth_max = kTreeDepthMax, .quote_repeated = Quoted});
}

std::string DumpJsonTree(const Json& tree, int indent) {
  return tree.dump(indent);
}

std::unexpected<Error> WrongKind(std::string_view member, std::string_view wanted, const Json& found) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} must be {}, not {}", member, wanted, KindName(found)));
}

Result<Members> Members::Of(const Json& value, bool text_scalars,
                            const std::vector<std::string_view>& known) {
  if (!value.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be an object with the members {}, not {}",
                                                         fmt::join(known, ", "), KindName(value)));
  }
  for (const auto& [name, member] : value.items()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::string near = Suggest(name, {known.begin(), known.end()});
    return Fail(ErrorCode::kInvalidArgument,
                near.empty()
                    ? fmt::format("unknown member {}; there are {}", Quoted(name), fmt::join(known, ", "))
                    : fmt::format("unknown member {}{}", Quoted(name), near));
  }
  return Members(value, text_scalars);
}

const Json* Members::Find(std::string_view name) const {
  for (const auto& [key, value] : object_->items()) {
    if (key == name) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

Result<void> Members::Text(std::string_view name, std::string& out) const {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (!value->is_string()) return WrongKind(name, "a string", *value);
  out = value->text();
  return {};
}

Result<void> Members::Text(std::string_view name, std::optional<std::string>& out) const {
  if (Find(name) == nullptr) return {};
  return Text(name, out.emplace());
}

Result<void> Members::RequiredText(std::string_view name, std::string& out) const {
  TM_TRY(Text(name, out));
  if (!out.empty()) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("member {} is missing or empty", Quoted(name)));
}

Result<void> Members::Truth(std::string_view name, bool& out) const {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (value->is_boolean()) {
    out = value->get<bool>();
    return {};
  }
  if (!text_scalars_ || !value->is_string()) return WrongKind(name, "true or false", *value);
  const auto& text = value->text();
  if (text != "true" && text != "false") {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be true or false, not {}", name, Quoted(text)));
  }
  out = text == "true";
  return {};
}

Result<void> Members::TextMap(std::string_view name, std::map<std::string, std::string>& out) const {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (!value->is_object()) return WrongKind(name, "an object of strings", *value);
  for (const auto& [key, text] : value->items()) {
    if (!text.is_string()) return WrongKind(fmt::format("{} {}", name, Quoted(key)), "a string", text);
    out.emplace(key, text.text());
  }
  return {};
}

Result<void> Members::TextList(std::string_view name, std::vector<std::string>& out) const {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (!value->is_array()) return WrongKind(name, "a list of strings", *value);
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& item = value->at(i);
    if (!item.is_string()) return WrongKind(fmt::format("{}[{}]", name, i), "a string", item);
    out.push_back(item.text());
  }
  return {};
}

}  // namespace tidemark
