// What a feature_store.yaml asks for is met by local stores, or is an error: never passed over in silence.
#include "wiring/feast_config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/name.h"

namespace tidemark {
namespace {

/// A setting with a `type`, given as text or as a map, and the types that a local store of ours stands for.
struct LocalPart {
  std::string_view setting;
  std::string_view type_member;
  std::span<const std::string_view> types;
  std::string_view instead;  // what holds its rows here
};

constexpr std::array<std::string_view, 1> kLocal{"local"};
constexpr std::array<std::string_view, 1> kNoAuth{"no_auth"};
constexpr std::array<std::string_view, 2> kOnlineTypes{"sqlite", ""};
constexpr std::array<std::string_view, 4> kOfflineTypes{"file", "dask", "duckdb", ""};
constexpr std::array<std::string_view, 2> kEngineTypes{"local", "local.engine"};
constexpr std::array<LocalPart, 4> kParts{
    LocalPart{"online_store", "type", kOnlineTypes, "a local online store of its own stands for sqlite"},
    LocalPart{"offline_store", "type", kOfflineTypes, "files are read where they lie, as by file and duckdb"},
    LocalPart{"batch_engine", "type", kEngineTypes, "the engine works in the process"},
    LocalPart{"auth", "type", kNoAuth, "keys of a server are made by `tidemark keys create`"}};

/// How Feast itself works; nothing here depends on them.
constexpr std::array<std::string_view, 6> kPassedOver{"entity_key_serialization_version",
                                                      "flags",
                                                      "coerce_tz_aware",
                                                      "materialization",
                                                      "project_description",
                                                      "feature_server"};

Result<std::string> Scalar(const std::string& name, const YAML::Node& node) {
  if (!node.IsScalar())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("setting '{}' needs one value", name));
  return node.as<std::string>();
}

Result<void> CheckPart(const LocalPart& part, const YAML::Node& node) {
  if (node.IsNull()) return {};
  std::string type;
  if (node.IsMap()) {
    const YAML::Node stated = node[std::string(part.type_member)];
    if (stated && !stated.IsNull()) {
      TM_ASSIGN(type, Scalar(fmt::format("{}.{}", part.setting, part.type_member), stated));
    } else if (std::ranges::find(part.types, "") == part.types.end()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("setting '{}' names no type", part.setting));
    }
  } else {
    TM_ASSIGN(type, Scalar(std::string(part.setting), node));
  }
  if (std::ranges::find(part.types, type) != part.types.end()) return {};
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("setting '{}': type {} has no counterpart here: {}; take the setting out, or write a "
                  "tidemark.yaml, which goes before this file",
                  part.setting, Quoted(type), part.instead));
}

/// A registry in a file: ours takes its place. Another one may be shared with other programs.
Result<void> CheckRegistry(const YAML::Node& node) {
  std::string type = "file";
  std::string path;
  if (node.IsMap()) {
    if (const YAML::Node stated = node["registry_type"]; stated) {
      TM_ASSIGN(type, Scalar("registry.registry_type", stated));
    }
    if (const YAML::Node stated = node["path"]; stated) {
      TM_ASSIGN(path, Scalar("registry.path", stated));
    }
  } else if (!node.IsNull()) {
    TM_ASSIGN(path, Scalar("registry", node));
  }
  const bool is_sqlite = type == "sql" && path.starts_with("sqlite:");
  if ((type == "file" && path.find("://") == std::string::npos) || is_sqlite) return {};
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("setting 'registry': the registry '{}' is not a local file; definitions are kept in the "
                  "store's own folder: name a file, such as data/registry.db",
                  type == "file" ? path : type));
}

/// `${NAME}` and `$NAME` as the environment has them; the text as it stands where it has none.
std::string WithEnvironment(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool is_braced = text.compare(at, 2, "${") == 0;
    const std::size_t begin = at + (is_braced ? 2 : 1);
    std::size_t end = begin;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
      ++end;
    const bool is_name =
        text[at] == '$' && end > begin && (!is_braced || (end < text.size() && text[end] == '}'));
    const char* const value = is_name ? std::getenv(text.substr(begin, end - begin).c_str()) : nullptr;
    if (value == nullptr) {
      out += text[at++];
    } else {
      out += value;
      at = end + (is_braced ? 1 : 0);
    }
  }
  return out;
}

Result<void> ApplyMember(const std::string& name, const YAML::Node& node, Config& config) {
  if (name == "project") {
    TM_ASSIGN(const std::string project, Scalar(name, node));
    TM_TRY_IN(CheckName("project", project), "setting 'project'");
    config.project = project;
    return {};
  }
  if (name == "provider") {
    TM_ASSIGN(const std::string provider, Scalar(name, node));
    if (std::ranges::find(kLocal, provider) != kLocal.end()) return {};
    return Fail(ErrorCode::kUnsupported,
                fmt::format("setting 'provider': {} has no counterpart here: the provider is local",
                            Quoted(provider)));
  }
  if (name == "registry") return CheckRegistry(node);
  for (const LocalPart& part : kParts) {
    if (part.setting == name) return CheckPart(part, node);
  }
  if (std::ranges::find(kPassedOver, name) != kPassedOver.end()) return {};
  std::vector<std::string> known{"project", "provider", "registry"};
  for (const LocalPart& part : kParts)
    known.emplace_back(part.setting);
  known.insert(known.end(), kPassedOver.begin(), kPassedOver.end());
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("setting {} has no counterpart here{}; take it out, or write a tidemark.yaml, which goes "
                  "before this file",
                  Quoted(name), Suggest(name, known)));
}

}  // namespace

Result<void> ApplyFeastConfig(std::string_view yaml, Config& config) {
  try {
    const YAML::Node root = YAML::Load(WithEnvironment(std::string(yaml)));
    if (!root.IsMap()) return Fail(ErrorCode::kInvalidArgument, "settings are members: `name: value`");
    for (const auto& member : root)
      TM_TRY(ApplyMember(member.first.as<std::string>(), member.second, config));
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("not valid YAML: {}", error.what()));
  }
  return {};
}

}  // namespace tidemark
