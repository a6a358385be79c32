#include "adapters/iceberg/name_mapping.h"
#include "base/json.h"

#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace tidemark::iceberg {
namespace {

using Mapping = std::vector<MappedField>;

// What any table's columns stay below.
constexpr int kDepthMax = 64;

Json TreeOf(const std::vector<SchemaField>& fields) {
  Json list = Json::array();
  for (const SchemaField& field : fields) {
    Json mapped = {{"field-id", field.id}, {"names", {field.name}}};
    if (!field.children.empty()) mapped["fields"] = TreeOf(field.children);
    list.push_back(std::move(mapped));
  }
  return list;
}

Json TreeOf(const Mapping& fields) {
  Json list = Json::array();
  for (const MappedField& field : fields) {
    Json mapped = {{"names", field.names}};
    if (field.id) mapped["field-id"] = *field.id;
    if (!field.fields.empty()) mapped["fields"] = TreeOf(field.fields);
    list.push_back(std::move(mapped));
  }
  return list;
}

std::unexpected<Error> NoMapping(std::string_view why) {
  return Fail(ErrorCode::kCorruption,
              fmt::format("the table's property {} is no name mapping: {}", kNameMappingProperty, why));
}

Result<Mapping> FieldsOf(const Json& list, int depth) {
  if (!list.is_array()) return NoMapping("it is no list");
  if (depth > kDepthMax) return NoMapping("it nests too deep");
  Mapping fields;
  for (const Json& each : list) {
    if (!each.is_object()) return NoMapping("a member is no object");
    MappedField field;
    if (const auto id = each.find("field-id"); id != each.end() && !id->is_null()) {
      const std::int64_t number = id->is_number_integer() ? id->get<std::int64_t>() : -1;
      if (number < 0 || number > std::numeric_limits<std::int32_t>::max())
        return NoMapping("a field id is no whole number of 32 bits");
      field.id = static_cast<std::int32_t>(number);
    }
    const auto names = each.find("names");
    if (names == each.end() || !names->is_array()) return NoMapping("a field has no list of names");
    for (const Json& name : *names) {
      if (!name.is_string()) return NoMapping("a name is no text");
      field.names.push_back(name.get<std::string>());
    }
    if (const auto inner = each.find("fields"); inner != each.end() && !inner->is_null()) {
      TM_ASSIGN(field.fields, FieldsOf(*inner, depth + 1));
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

const MappedField* Find(const Mapping& mapping, std::string_view name) {
  const auto found = std::ranges::find_if(mapping, [&](const MappedField& field) {
    return std::ranges::find(field.names, name) != field.names.end();
  });
  return found == mapping.end() ? nullptr : &*found;
}

std::shared_ptr<arrow::DataType> TypeWithIds(const Mapping& inner,
                                             const std::shared_ptr<arrow::DataType>& type);

std::shared_ptr<arrow::Field> FieldWithIds(const Mapping& mapping, std::string_view name,
                                           const std::shared_ptr<arrow::Field>& field) {
  const MappedField* const mapped = Find(mapping, name);
  if (mapped == nullptr) return field;
  auto made = field->WithType(TypeWithIds(mapped->fields, field->type()));
  if (!mapped->id) return made;
  return made->WithMetadata(arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(*mapped->id)}));
}

std::shared_ptr<arrow::DataType> TypeWithIds(const Mapping& inner,
                                             const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::STRUCT: {
      arrow::FieldVector members;
      for (const auto& member : type->fields())
        members.push_back(FieldWithIds(inner, member->name(), member));
      return arrow::struct_(members);
    }
    case arrow::Type::LIST:
      return arrow::list(FieldWithIds(inner, "element", type->field(0)));
    case arrow::Type::LARGE_LIST:
      return arrow::large_list(FieldWithIds(inner, "element", type->field(0)));
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      return std::make_shared<arrow::MapType>(FieldWithIds(inner, "key", map.key_field()),
                                              FieldWithIds(inner, "value", map.item_field()),
                                              map.keys_sorted());
    }
    default:
      return type;
  }
}

}  // namespace

std::string NameMappingJson(const Schema& schema, const Mapping& others) {
  Json tree = TreeOf(schema.fields);
  for (Json& other : TreeOf(others))
    tree.push_back(std::move(other));
  return tree.dump();
}

MappedField WithoutIds(std::string name, const arrow::DataType& type) {
  MappedField field{.names = {std::move(name)}};
  switch (type.id()) {
    case arrow::Type::STRUCT:
      for (const auto& member : type.fields())
        field.fields.push_back(WithoutIds(member->name(), *member->type()));
      return field;
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      field.fields.push_back(WithoutIds("element", *type.field(0)->type()));
      return field;
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      field.fields = {WithoutIds("key", *map.key_type()), WithoutIds("value", *map.item_type())};
      return field;
    }
    default:
      return field;
  }
}

void GiveMappedIds(MappedField& field, std::int32_t& last_id) {
  field.id = ++last_id;
  for (MappedField& inner : field.fields)
    GiveMappedIds(inner, last_id);
}

Result<Mapping> ParseNameMapping(std::string_view json) {
  const Result<Json> tree = ParseJson(json);
  if (!tree) return NoMapping("it is no JSON");
  return FieldsOf(*tree, 1);
}

std::int32_t MappedId(const Mapping& mapping, std::string_view name) {
  const MappedField* const found = Find(mapping, name);
  return found == nullptr ? -1 : found->id.value_or(-1);
}

std::shared_ptr<arrow::DataType> WithMappedIds(const Mapping& mapping, std::string_view name,
                                               const std::shared_ptr<arrow::DataType>& type) {
  const MappedField* const found = Find(mapping, name);
  return found == nullptr ? type : TypeWithIds(found->fields, type);
}

}  // namespace tidemark::iceberg
