// The messages are Pydantic's, so that a client which reads them finds what it knows.
#include "server/feast/body_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "model/name.h"
#include "rows/json_columns.h"
#include "rows/json_place.h"
#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

constexpr std::size_t kShownBytesMax = 2048;  // of an input that is sent back

/// Collects the elements of {"detail": [...]}.
class Details {
 public:
  /// `place` is JSON: `"df","driver_id",3`; empty for the body itself.
  void Add(std::string_view type, std::string_view place, std::string_view message, element input) {
    std::string shown = simdjson::minify(input);
    if (shown.size() > kShownBytesMax) shown = "null";
    AddText(type, place, message, shown);
  }
  void AddText(std::string_view type, std::string_view place, std::string_view message,
               std::string_view input, std::string_view cause = {}) {
    if (!list_.empty()) list_.push_back(',');
    list_.append("{\"type\":");
    json::AppendText(list_, type);
    list_.append(",\"loc\":[\"body\"");
    if (!place.empty()) list_.append(",").append(place);
    list_.append("],\"msg\":");
    json::AppendText(list_, message);
    list_.append(",\"input\":").append(input);
    if (!cause.empty()) {
      list_.append(",\"ctx\":{\"error\":");
      json::AppendText(list_, cause);
      list_.push_back('}');
    }
    list_.push_back('}');
  }
  bool empty() const { return list_.empty(); }
  Refusal Finish() const { return {422, fmt::format("{{\"detail\":[{}]}}", list_)}; }

 private:
  std::string list_;
};

std::string Place(std::string_view name) {
  std::string place;
  json::AppendText(place, name);
  return place;
}

void WantText(element value, std::string_view place, Details& details) {
  if (!value.is_string()) details.Add("string_type", place, "Input should be a valid string", value);
}

/// What Pydantic takes for a bool; nothing for anything else.
std::optional<bool> FlagIn(element value) {
  if (value.is_bool()) return bool{value};
  if (value.is_int64()) {
    const auto number = std::int64_t{value};
    if (number == 0 || number == 1) return number == 1;
    return std::nullopt;
  }
  if (!value.is_string()) return std::nullopt;
  const std::string word = FoldName(std::string_view{value});
  constexpr std::array<std::string_view, 6> kTrue{"true", "1", "yes", "on", "t", "y"};
  constexpr std::array<std::string_view, 6> kFalse{"false", "0", "no", "off", "f", "n"};
  if (std::ranges::find(kTrue, word) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, word) != kFalse.end()) return false;
  return std::nullopt;
}

void WantFlag(element value, std::string_view place, Details& details) {
  if (FlagIn(value)) return;
  if (value.is_string() || value.is_number()) {
    details.Add("bool_parsing", place, "Input should be a valid boolean, unable to interpret input", value);
  } else {
    details.Add("bool_type", place, "Input should be a valid boolean", value);
  }
}

void WantNumber(element value, std::string_view place, Details& details) {
  if (!value.is_number()) details.Add("float_type", place, "Input should be a valid number", value);
}

template <typename Want>
void WantList(element value, std::string_view place, Details& details, const Want& want) {
  if (!value.is_array()) return details.Add("list_type", place, "Input should be a valid list", value);
  std::size_t index = 0;
  for (const element each : array{value})
    want(each, fmt::format("{},{}", place, index++), details);
}

void WantColumns(element value, std::string_view place, Details& details) {
  if (!value.is_object()) return details.Add("dict_type", place, "Input should be a valid dictionary", value);
  for (const auto field : object{value}) {
    if (field.value.is_array()) continue;
    details.Add("list_type", fmt::format("{},{}", place, Place(field.key)), "Input should be a valid list",
                field.value);
  }
}

void Want(const BodyField& field, element value, Details& details) {
  const std::string place = Place(field.name);
  switch (field.shape) {
    case Shape::kText:
      return WantText(value, place, details);
    case Shape::kTextOrNull:
      return value.is_null() ? void() : WantText(value, place, details);
    case Shape::kFlag:
      return WantFlag(value, place, details);
    case Shape::kTexts:
      return WantList(value, place, details, WantText);
    case Shape::kTextsOrNull:
      return value.is_null() ? void() : WantList(value, place, details, WantText);
    case Shape::kNumberOrNull:
      return value.is_null() ? void() : WantNumber(value, place, details);
    case Shape::kNumbersOrNull:
      return value.is_null() ? void() : WantList(value, place, details, WantNumber);
    case Shape::kObject:
      if (!value.is_object()) details.Add("dict_type", place, "Input should be a valid dictionary", value);
      return;
    case Shape::kColumns:
      return WantColumns(value, place, details);
    case Shape::kAnything:
      return;
  }
}

}  // namespace

Answer<element> BodyReader::Read(std::string_view body, std::size_t depth_max) {
  if (parser_.capacity() < body.size() || parser_.max_depth() != depth_max) {
    const std::size_t capacity = std::max<std::size_t>(body.size() + body.size() / 4, 4096);
    if (parser_.allocate(capacity, depth_max) != simdjson::SUCCESS) {
      return Refuse(503, "there is no memory for a body of this size");
    }
  }
  text_.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  text_.assign(body);
  element tree;
  const auto code = ParseJsonTree(parser_, text_, true, tree);
  if (code == simdjson::SUCCESS) return tree;
  Details details;
  const auto place = json::FindProblem(body, depth_max);
  details.AddText("json_invalid", std::to_string(place ? place->byte : 0), "JSON decode error", "{}",
                  place ? fmt::format("{} ({})", simdjson::error_message(code), place->Told())
                        : std::string(simdjson::error_message(code)));
  return std::unexpected(details.Finish());
}

Answer<object> BodyReader::Read(std::string_view body, std::size_t depth_max,
                                std::span<const BodyField> fields) {
  Details details;
  if (body.empty()) {
    details.AddText("missing", "", "Field required", "null");
    return std::unexpected(details.Finish());
  }
  TM_ASSIGN(const element tree, Read(body, depth_max));
  if (!tree.is_object()) {
    details.Add("model_attributes_type", "",
                "Input should be a valid dictionary or object to extract fields from", tree);
    return std::unexpected(details.Finish());
  }
  const object root{tree};
  for (const BodyField& field : fields) {
    const auto value = Find(root, field.name);
    if (value) {
      Want(field, *value, details);
    } else if (field.is_required) {
      details.Add("missing", Place(field.name), "Field required", tree);
    }
  }
  if (!details.empty()) return std::unexpected(details.Finish());
  return root;
}

std::optional<element> Find(object body, std::string_view name) {
  std::optional<element> found;
  for (const auto field : body) {
    if (field.key == name) found = field.value;
  }
  return found;
}

std::optional<std::string_view> TextOf(object body, std::string_view name) {
  const auto value = Find(body, name);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string_view{*value};
}

bool FlagOf(object body, std::string_view name, bool otherwise) {
  const auto value = Find(body, name);
  return value ? FlagIn(*value).value_or(otherwise) : otherwise;
}

}  // namespace tidemark::server::feast
