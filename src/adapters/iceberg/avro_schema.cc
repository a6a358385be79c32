#include "adapters/iceberg/avro_schema.h"
#include "base/json.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

namespace tidemark::iceberg {
namespace {

using TypePtr = std::shared_ptr<const AvroType>;

constexpr int kDepthMax = 64;

constexpr std::array<std::pair<std::string_view, AvroKind>, 8> kPrimitives{{
    {"null", AvroKind::kNull},
    {"boolean", AvroKind::kBoolean},
    {"int", AvroKind::kInt},
    {"long", AvroKind::kLong},
    {"float", AvroKind::kFloat},
    {"double", AvroKind::kDouble},
    {"bytes", AvroKind::kBytes},
    {"string", AvroKind::kString},
}};

std::unexpected<Error> Wrong(std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("its Avro schema cannot be read: {}", what));
}

class Parser {
 public:
  Result<TypePtr> Type(const Json& json, int depth) {
    if (depth > kDepthMax) return Wrong("it is nested too deep");
    if (json.is_string()) return Named(json.text());
    if (json.is_array()) return Union(json, depth);
    if (!json.is_object() || !json.contains("type")) return Wrong("a type is neither name, list nor object");
    const Json& type = json["type"];
    if (!type.is_string()) return Type(type, depth + 1);
    const auto& kind = type.text();
    if (kind == "record" || kind == "error") return Record(json, depth);
    if (kind == "array") return Item(json, "items", AvroKind::kArray, depth);
    if (kind == "map") return Item(json, "values", AvroKind::kMap, depth);
    if (kind == "fixed") return Fixed(json);
    if (kind == "enum") return Enum(json);
    return Named(kind);
  }

 private:
  Result<TypePtr> Named(const std::string& name) {
    for (const auto& [primitive, kind] : kPrimitives) {
      if (name != primitive) continue;
      AvroType type;
      type.kind = kind;
      return std::make_shared<const AvroType>(std::move(type));
    }
    const auto found = named_.find(name);
    if (found == named_.end()) return Wrong(fmt::format("no type is named '{}'", name));
    if (found->second == nullptr) {
      return Fail(ErrorCode::kUnsupported, fmt::format("its Avro schema has a recursive type '{}'", name));
    }
    return found->second;
  }

  Result<TypePtr> Union(const Json& json, int depth) {
    AvroType type;
    type.kind = AvroKind::kUnion;
    for (const Json& branch : json) {
      TM_ASSIGN(auto parsed, Type(branch, depth + 1));
      type.branches.push_back(std::move(parsed));
    }
    if (type.branches.empty()) return Wrong("a union has no branch");
    return std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Item(const Json& json, const char* member, AvroKind kind, int depth) {
    if (!json.contains(member)) return Wrong(fmt::format("an array or map has no '{}'", member));
    AvroType type;
    type.kind = kind;
    TM_ASSIGN(auto item, Type(json[member], depth + 1));
    type.branches.push_back(std::move(item));
    return std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Record(const Json& json, int depth) {
    if (!json.contains("fields") || !json["fields"].is_array()) return Wrong("a record has no fields");
    const std::string name = NameOf(json);
    named_[name] = nullptr;
    AvroType type;
    type.kind = AvroKind::kRecord;
    for (const Json& field : json["fields"]) {
      if (!field.is_object() || !field.contains("type")) return Wrong("a field has no type");
      AvroField out;
      out.name = NameOf(field);
      if (const auto id = field.find("field-id"); id != field.end() && id->is_number_integer())
        out.id = id->get<int>();
      TM_ASSIGN(out.type, Type(field["type"], depth + 1));
      type.fields.push_back(std::move(out));
    }
    return named_[name] = std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Fixed(const Json& json) {
    if (!json.contains("size") || !json["size"].is_number_unsigned()) return Wrong("a fixed has no size");
    AvroType type;
    type.kind = AvroKind::kFixed;
    type.size = json["size"].get<std::size_t>();
    return named_[NameOf(json)] = std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Enum(const Json& json) {
    if (!json.contains("symbols") || !json["symbols"].is_array()) return Wrong("an enum has no symbols");
    AvroType type;
    type.kind = AvroKind::kEnum;
    type.size = json["symbols"].size();
    return named_[NameOf(json)] = std::make_shared<const AvroType>(std::move(type));
  }

  static std::string NameOf(const Json& json) {
    const auto name = json.find("name");
    return name != json.end() && name->is_string() ? name->get<std::string>() : "";
  }

  std::map<std::string, TypePtr> named_;  // a null pointer: being read
};

}  // namespace

Result<TypePtr> ParseAvroSchema(std::string_view json) {
  const Result<Json> parsed = ParseJson(json);
  if (!parsed) return Wrong("it is no JSON");
  return Parser().Type(*parsed, 0);
}

}  // namespace tidemark::iceberg
