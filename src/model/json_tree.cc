// Builds the tree itself rather than by nlohmann's own handler, to refuse what that takes: members that are
// there twice, and any depth.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "model/json_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Add(nullptr) != nullptr; }
  bool boolean(bool value) override { return Add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return Add(value) != nullptr; }
  bool string(string_t& value) override { return Add(std::move(value)) != nullptr; }
  bool binary(binary_t& /*value*/) override { return Refuse("binary values are not JSON"); }

  bool start_object(std::size_t /*members*/) override { return Open(Json::object()); }
  bool start_array(std::size_t /*items*/) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (!open_.back().names.insert(name).second)
      return Refuse(fmt::format("member {} is there twice", Quoted(name)));
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& problem) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view text = problem.what();
    const std::size_t bracket = text.find("] ");
    return Refuse(bracket == std::string_view::npos ? text : text.substr(bracket + 2));
  }

  Result<Json> Take(bool complete) && {
    if (complete) return std::move(root_);
    return Fail(ErrorCode::kInvalidArgument, "cannot read the JSON text: " + problem_);
  }

 private:
  struct Level {
    Json* value;
    std::unordered_set<std::string> names;  // of an object's members so far
  };

  bool Refuse(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  // Puts `value` where the text is now. The pointer holds until the level that it was put in gets another.
  Json* Add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // Appended as the vector it is: its own insertion would look through all members for each.
    auto& members = parent.get_ref<Json::object_t&>();
    members.emplace_back(std::move(key_), std::move(value));
    return &members.back().second;
  }

  bool Open(Json empty) {
    if (open_.size() >= kTreeDepthMax)
      return Refuse(fmt::format("it nests more than {} deep", kTreeDepthMax));
    Json* value = Add(std::move(empty));
    open_.push_back({value, {}});
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Level> open_;
  std::string key_;
  std::string problem_;
};

std::string_view KindName(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "true or false";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    default:
      return "a number";
  }
}

}  // namespace

Result<Json> ParseJsonTree(std::string_view text) {
  TreeBuilder builder;
  const bool complete = Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Take(complete);
}

std::string DumpJsonTree(const Json& tree, int indent) {
  return tree.dump(indent, ' ', false, Json::error_handler_t::replace);
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
  for (const auto& member : value.items()) {
    if (std::ranges::find(known, member.key()) != known.end()) continue;
    const std::string near = Suggest(member.key(), {known.begin(), known.end()});
    return Fail(ErrorCode::kInvalidArgument,
                near.empty() ? fmt::format("unknown member {}; there are {}", Quoted(member.key()),
                                           fmt::join(known, ", "))
                             : fmt::format("unknown member {}{}", Quoted(member.key()), near));
  }
  return Members(value, text_scalars);
}

const Json* Members::Find(std::string_view name) const {
  for (const auto& [key, value] : object_->get_ref<const Json::object_t&>()) {
    if (key == name) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

Result<void> Members::Text(std::string_view name, std::string& out) const {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (!value->is_string()) return WrongKind(name, "a string", *value);
  out = value->get_ref<const std::string&>();
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
  const auto& text = value->get_ref<const std::string&>();
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
  for (const auto& [key, text] : value->get_ref<const Json::object_t&>()) {
    if (!text.is_string()) return WrongKind(fmt::format("{} {}", name, Quoted(key)), "a string", text);
    out.emplace(key, text.get_ref<const std::string&>());
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
    out.push_back(item.get_ref<const std::string&>());
  }
  return {};
}

}  // namespace tidemark
