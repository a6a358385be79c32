// The store gives JSON text; a text that is not what it promises is a defect of it.
#include "cli/definition_documents.h"
#include "base/json.h"

#include <fmt/format.h>

namespace tidemark::cli {

Result<std::vector<Json>> ListObjects(const Store& store, ObjectType type) {
  TM_ASSIGN(const std::string text, store.List(type));
  const Json made = ParseJson(text).value_or(nullptr);
  if (!made.is_array()) return Fail(ErrorCode::kInternal, "the store's list is not a JSON array");
  return std::vector<Json>(made.begin(), made.end());
}

Result<Json> DescribeObject(const Store& store, ObjectType type, const std::string& name) {
  TM_ASSIGN(const std::string text, store.Describe(type, name));
  Json made = ParseJson(text).value_or(nullptr);
  if (!made.is_object()) return Fail(ErrorCode::kInternal, "the store's description is not a JSON object");
  return made;
}

Result<std::vector<ColumnInfo>> JoinKeysOf(const Store& store, const std::string& view) {
  TM_ASSIGN(const Json described, DescribeObject(store, ObjectType::kFeatureView, view));
  const Json definition = described.value("definition", Json::object());
  std::vector<ColumnInfo> keys;
  for (const Json& name : definition.value("entities", Json::array())) {
    TM_ASSIGN(const Json entity, DescribeObject(store, ObjectType::kEntity, name.get<std::string>()));
    const Json entity_definition = entity.value("definition", Json::object());
    for (const Json& key : entity_definition.value("join_keys", Json::array())) {
      if (key.is_object()) {
        keys.push_back({key.value("name", ""), key.value("type", "string")});
      } else {
        keys.push_back({key.get<std::string>(), "string"});
      }
    }
  }
  return keys;
}

Result<FeatureName> SplitFeature(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() ||
      text.find(':', colon + 1) != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a feature: write it as view:feature", text));
  }
  return FeatureName{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace tidemark::cli
