// Names are looked up as the specification says: with their namespace, or in that around them.
#include "rows/avro_schema.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

#include "base/json.h"

namespace tidemark {
namespace {

using TypePtr = std::shared_ptr<const AvroType>;

constexpr int kAvroDepthMax = 64;
constexpr std::int64_t kScaleMax = 38;

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

std::unexpected<Error> WrongSchema(std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("its Avro schema cannot be read: {}", what));
}

/// Where a type stands: how deep, and in which namespace.
struct AvroPlace {
  int depth = 0;
  std::string space = {};
  AvroPlace Inner() const { return {.depth = depth + 1, .space = space}; }
};

class AvroParser {
 public:
  Result<TypePtr> Type(const Json& json, const AvroPlace& place) {
    if (place.depth > kAvroDepthMax) return WrongSchema("it is nested too deep");
    if (json.is_string()) return Named(json.text(), place);
    if (json.is_array()) return Union(json, place);
    if (!json.is_object() || !json.contains("type"))
      return WrongSchema("a type is neither name, list nor object");
    const Json& type = json["type"];
    if (!type.is_string()) return Type(type, place.Inner());
    const auto& kind = type.text();
    if (kind == "record" || kind == "error") return Record(json, place);
    if (kind == "array") return Item(json, "items", AvroKind::kArray, place);
    if (kind == "map") return Item(json, "values", AvroKind::kMap, place);
    if (kind == "fixed") return Fixed(json, place);
    if (kind == "enum") return Enum(json, place);
    TM_ASSIGN(const TypePtr named, Named(kind, place));
    AvroType logical = *named;
    ReadLogical(json, logical);
    return std::make_shared<const AvroType>(std::move(logical));
  }

 private:
  Result<TypePtr> Named(const std::string& name, const AvroPlace& place) const {
    for (const auto& [primitive, kind] : kPrimitives) {
      if (name != primitive) continue;
      AvroType type;
      type.kind = kind;
      return std::make_shared<const AvroType>(std::move(type));
    }
    auto found = named_.end();
    if (!place.space.empty() && !name.contains('.')) found = named_.find(place.space + "." + name);
    if (found == named_.end()) found = named_.find(name);
    if (found == named_.end()) return WrongSchema(fmt::format("no type is named '{}'", name));
    if (found->second == nullptr) {
      return Fail(ErrorCode::kUnsupported, fmt::format("its Avro schema has a recursive type '{}'", name));
    }
    return found->second;
  }

  Result<TypePtr> Union(const Json& json, const AvroPlace& place) {
    AvroType type;
    type.kind = AvroKind::kUnion;
    for (const Json& branch : json) {
      TM_ASSIGN(auto parsed, Type(branch, place.Inner()));
      type.branches.push_back(std::move(parsed));
    }
    if (type.branches.empty()) return WrongSchema("a union has no branch");
    return std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Item(const Json& json, const char* member, AvroKind kind, const AvroPlace& place) {
    if (!json.contains(member)) return WrongSchema(fmt::format("an array or map has no '{}'", member));
    AvroType type;
    type.kind = kind;
    TM_ASSIGN(auto item, Type(json[member], place.Inner()));
    type.branches.push_back(std::move(item));
    return std::make_shared<const AvroType>(std::move(type));
  }

  /// A logical type that does not go with its kind, or is not known, means nothing, as the specification has
  /// it.
  static void ReadLogical(const Json& json, AvroType& type) {
    const auto logical = json.find("logicalType");
    if (logical == json.end() || !logical->is_string()) return;
    std::string_view name = logical->text();
    if (name.starts_with("local-")) name.remove_prefix(std::string_view("local-").size());
    const bool is_long = type.kind == AvroKind::kLong;
    if (name == "date" && type.kind == AvroKind::kInt) type.logical = AvroLogical::kDate;
    if (name == "timestamp-millis" && is_long) type.logical = AvroLogical::kTimestampMillis;
    if (name == "timestamp-micros" && is_long) type.logical = AvroLogical::kTimestampMicros;
    if (name == "timestamp-nanos" && is_long) type.logical = AvroLogical::kTimestampNanos;
    if (name != "decimal" || (type.kind != AvroKind::kBytes && type.kind != AvroKind::kFixed)) return;
    const auto scale = json.find("scale");
    const std::int64_t digits =
        scale != json.end() && scale->is_number_integer() ? scale->get<std::int64_t>() : 0;
    if (digits < 0 || digits > kScaleMax) return;
    type.logical = AvroLogical::kDecimal;
    type.scale = static_cast<std::int32_t>(digits);
  }

  Result<TypePtr> Record(const Json& json, const AvroPlace& place) {
    if (!json.contains("fields") || !json["fields"].is_array()) return WrongSchema("a record has no fields");
    const std::string name = FullName(json, place);
    AvroPlace inner = place.Inner();
    inner.space = name.substr(0, name.contains('.') ? name.rfind('.') : 0);
    named_[name] = nullptr;
    AvroType type;
    type.kind = AvroKind::kRecord;
    for (const Json& field : json["fields"]) {
      if (!field.is_object() || !field.contains("type")) return WrongSchema("a field has no type");
      AvroField out;
      out.name = NameOf(field);
      if (const auto id = field.find("field-id"); id != field.end() && id->is_number_integer())
        out.id = id->get<int>();
      TM_ASSIGN(out.type, Type(field["type"], inner));
      type.fields.push_back(std::move(out));
    }
    return named_[name] = std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Fixed(const Json& json, const AvroPlace& place) {
    if (!json.contains("size") || !json["size"].is_number_unsigned())
      return WrongSchema("a fixed has no size");
    AvroType type;
    type.kind = AvroKind::kFixed;
    type.size = json["size"].get<std::size_t>();
    ReadLogical(json, type);
    return named_[FullName(json, place)] = std::make_shared<const AvroType>(std::move(type));
  }

  Result<TypePtr> Enum(const Json& json, const AvroPlace& place) {
    if (!json.contains("symbols") || !json["symbols"].is_array())
      return WrongSchema("an enum has no symbols");
    AvroType type;
    type.kind = AvroKind::kEnum;
    type.size = json["symbols"].size();
    for (const Json& symbol : json["symbols"]) {
      if (!symbol.is_string()) return WrongSchema("a symbol of an enum is no text");
      type.symbols.push_back(symbol.text());
    }
    return named_[FullName(json, place)] = std::make_shared<const AvroType>(std::move(type));
  }

  static std::string NameOf(const Json& json) {
    const auto name = json.find("name");
    return name != json.end() && name->is_string() ? name->get<std::string>() : "";
  }

  static std::string FullName(const Json& json, const AvroPlace& place) {
    std::string name = NameOf(json);
    if (name.contains('.')) return name;
    const auto stated = json.find("namespace");
    const std::string space =
        stated != json.end() && stated->is_string() ? stated->get<std::string>() : place.space;
    return space.empty() ? name : space + "." + name;
  }

  std::map<std::string, TypePtr> named_;  // a null pointer: being read
};

}  // namespace

Result<TypePtr> ParseAvroSchema(std::string_view json) {
  const Result<Json> parsed = ParseJson(json);
  if (!parsed) return WrongSchema("it is no JSON");
  return AvroParser().Type(*parsed, {});
}

}  // namespace tidemark
