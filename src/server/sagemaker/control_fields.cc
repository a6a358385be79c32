// Over a tree: requests of the control plane are rare and small.
#include "server/sagemaker/control_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "model/name.h"

namespace tidemark::sagemaker {
namespace {

std::unexpected<Refusal> Unlike(std::string_view name, std::string_view wanted) {
  return Refuse(Why::kUnreadable, fmt::format("{} is not {}", name, wanted));
}

}  // namespace

struct Fields::Node {
  Json object;

  const Json* Find(std::string_view name) const {
    const Json* found = object.member(name);
    return found == nullptr || found->is_null() ? nullptr : found;
  }
};

Answer<Fields> Fields::Parse(std::string_view body, std::size_t depth_max) {
  auto node = std::make_shared<Node>();
  node->object = Json::object();
  if (!body.empty()) {
    auto parsed = ParseJson(body, {.depth_max = depth_max});
    if (!parsed) return Refuse(Why::kUnreadable, parsed.error().ToString());
    node->object = *std::move(parsed);
  }
  if (node->object.is_object()) return Fields(std::move(node));
  return Refuse(Why::kUnreadable, "the body is no JSON object");
}

bool Fields::Has(std::string_view name) const {
  return node_->Find(name) != nullptr;
}

Answer<std::optional<std::string>> Fields::Text(std::string_view name) const {
  const Json* value = node_->Find(name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return Unlike(name, "a string");
  return std::optional(value->text());
}

Answer<std::string> Fields::RequiredText(std::string_view name) const {
  TM_ASSIGN(auto text, Text(name));
  if (text) return *std::move(text);
  return Refuse(Why::kInvalid, fmt::format("{} is missing: it is required", name));
}

Answer<std::optional<std::string>> Fields::Text(std::string_view name, std::size_t bytes_max) const {
  TM_ASSIGN(auto text, Text(name));
  if (!text || text->size() <= bytes_max) return text;
  return Refuse(Why::kInvalid,
                fmt::format("{} has {} characters; it may have {}", name, text->size(), bytes_max));
}

Answer<std::optional<std::string>> Fields::Choice(std::string_view name,
                                                  const std::vector<std::string_view>& choices) const {
  TM_ASSIGN(auto text, Text(name));
  if (!text || std::ranges::find(choices, *text) != choices.end()) return text;
  return Refuse(Why::kInvalid,
                fmt::format("{} is {}; it may be {}", name, Quoted(*text), fmt::join(choices, ", ")));
}

Answer<std::optional<bool>> Fields::Flag(std::string_view name) const {
  const Json* value = node_->Find(name);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_boolean()) return Unlike(name, "true or false");
  return std::optional(value->get<bool>());
}

Answer<std::optional<std::int64_t>> Fields::Integer(std::string_view name) const {
  const Json* value = node_->Find(name);
  if (value == nullptr) return std::optional<std::int64_t>();
  if (!value->is_number_integer() ||
      (value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{INT64_MAX})) {
    return Unlike(name, "a whole number");
  }
  return std::optional(value->get<std::int64_t>());
}

Answer<std::optional<std::int64_t>> Fields::Integer(std::string_view name, std::int64_t min,
                                                    std::int64_t max) const {
  TM_ASSIGN(const auto value, Integer(name));
  if (!value || (*value >= min && *value <= max)) return value;
  return Refuse(Why::kInvalid, fmt::format("{} is {}; it may be {} to {}", name, *value, min, max));
}

Answer<std::optional<std::int64_t>> Fields::Time(std::string_view name) const {
  const Json* value = node_->Find(name);
  if (value == nullptr) return std::optional<std::int64_t>();
  if (!value->is_number()) return Unlike(name, "a point in time, in seconds since 1970");
  const double us = value->get<double>() * 1e6;
  if (!(std::fabs(us) < 0x1p62)) return Unlike(name, "a point in time, in seconds since 1970");
  return std::optional(std::int64_t{std::llround(us)});
}

Answer<std::optional<Fields>> Fields::Object(std::string_view name) const {
  const Json* value = node_->Find(name);
  if (value == nullptr) return std::optional<Fields>();
  if (!value->is_object()) return Unlike(name, "an object");
  return std::optional(Fields(std::make_shared<Node>(Node{*value})));
}

Answer<std::vector<Fields>> Fields::Objects(std::string_view name) const {
  const Json* value = node_->Find(name);
  std::vector<Fields> objects;
  if (value == nullptr) return objects;
  if (!value->is_array()) return Unlike(name, "a list");
  for (const Json& each : *value) {
    if (!each.is_object()) return Unlike(fmt::format("{}[{}]", name, objects.size()), "an object");
    objects.push_back(Fields(std::make_shared<Node>(Node{each})));
  }
  return objects;
}

Answer<std::vector<std::string>> Fields::Texts(std::string_view name) const {
  const Json* value = node_->Find(name);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) return Unlike(name, "a list");
  for (const Json& each : *value) {
    if (!each.is_string()) return Unlike(fmt::format("{}[{}]", name, texts.size()), "a string");
    texts.push_back(each.text());
  }
  return texts;
}

Answer<std::map<std::string, std::string>> Fields::Pairs(std::string_view name, std::size_t max) const {
  TM_ASSIGN(const auto objects, Objects(name));
  if (objects.size() > max) {
    return Refuse(Why::kInvalid,
                  fmt::format("{} has {} elements; it may have {}", name, objects.size(), max));
  }
  std::map<std::string, std::string> pairs;
  for (const Fields& each : objects) {
    TM_ASSIGN(std::string key, each.RequiredText("Key"));
    TM_ASSIGN(std::string value, each.RequiredText("Value"));
    if (key.empty()) return Refuse(Why::kInvalid, fmt::format("{}: a key is empty", name));
    if (!pairs.emplace(key, std::move(value)).second)
      return Refuse(Why::kInvalid, fmt::format("{} has the key {} twice", name, Quoted(key)));
  }
  return pairs;
}

std::string Fields::ToJson() const {
  return node_->object.dump();
}

}  // namespace tidemark::sagemaker
