#include "adapters/iceberg/foreign_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "model/name.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark::iceberg {
namespace {

using Shape = SchemaField::Shape;

/// A field of the type, without ids; nothing for a type that has no counterpart.
std::optional<SchemaField> FieldOf(const std::string& name, const arrow::DataType& type, std::size_t depth) {
  if (depth > kTypeDepthMax) return std::nullopt;
  SchemaField field;
  field.name = name;
  const auto add_child = [&](const std::string& child_name, const arrow::DataType& child_type) {
    auto child = FieldOf(child_name, child_type, depth + 1);
    if (!child) return false;
    field.children.push_back(*std::move(child));
    return true;
  };
  switch (type.id()) {
    case arrow::Type::STRUCT:
      field.shape = Shape::kStruct;
      for (const auto& member : type.fields()) {
        if (!add_child(member->name(), *member->type())) return std::nullopt;
      }
      if (field.children.empty()) return std::nullopt;
      return field;
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      field.shape = Shape::kList;
      if (!add_child("element", *type.field(0)->type())) return std::nullopt;
      return field;
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      field.shape = Shape::kMap;
      if (!add_child("key", *map.key_type()) || !add_child("value", *map.item_type())) return std::nullopt;
      field.children[0].required = true;
      return field;
    }
    case arrow::Type::DICTIONARY:
      return FieldOf(name, *static_cast<const arrow::DictionaryType&>(type).value_type(), depth);
    case arrow::Type::TIMESTAMP:
      field.primitive =
          static_cast<const arrow::TimestampType&>(type).timezone().empty() ? "timestamp" : "timestamptz";
      return field;
    default:
      break;
  }
  const auto plain = FromArrow(type);
  if (!plain || plain->is_nested()) return std::nullopt;
  std::int32_t unused = 1;
  field = MakeField({.name = name, .type = *plain}, unused);
  return field;
}

/// Ids after those of the field itself, those of one level in a row.
void GiveIds(std::vector<SchemaField>& fields, std::int32_t& last_id) {
  for (SchemaField& field : fields)
    field.id = ++last_id;
  for (SchemaField& field : fields)
    GiveIds(field.children, last_id);
}

std::string TextOf(const SchemaField& field) {
  const auto type = TypeOf(field);
  // The two kinds of timestamp are one type of Tidemark's, so that there Iceberg's word says more.
  return type && type->kind != TypeKind::kTimestamp ? type->ToString() : field.primitive;
}

bool IsWider(std::string_view from, std::string_view to) {
  return (from == "int" && to == "long") || (from == "float" && to == "double");
}

/// Precision and scale of "decimal(P, S)".
std::optional<std::pair<int, int>> DecimalOf(const SchemaField& field) {
  const auto type = TypeOf(field);
  if (!type || type->kind != TypeKind::kDecimal) return std::nullopt;
  return std::pair(type->precision, type->scale);
}

class Merge {
 public:
  Merge(std::int32_t& last_id, SchemaGrowth& growth) : last_id_(last_id), growth_(growth) {}

  Result<void> Members(const std::vector<SchemaField>& file, const std::set<std::string>& not_read,
                       std::vector<SchemaField>& table, const std::string& prefix) {
    for (const SchemaField& field : file) {
      if (not_read.contains(field.name)) continue;
      const auto same = std::ranges::find(table, field.name, &SchemaField::name);
      if (same != table.end()) {
        TM_TRY(One(field, *same, prefix + field.name));
        continue;
      }
      const auto alike = std::ranges::find_if(
          table, [&](const SchemaField& other) { return FoldName(other.name) == FoldName(field.name); });
      if (alike != table.end()) {
        return Fail(ErrorCode::kTypeMismatch,
                    fmt::format("column '{}' differs only in case from the table's '{}'", prefix + field.name,
                                alike->name));
      }
      Add(field, table);
      growth_.added.push_back(prefix + field.name);
    }
    return {};
  }

 private:
  void Add(const SchemaField& field, std::vector<SchemaField>& table) {
    std::vector<SchemaField> one{field};
    GiveIds(one, last_id_);
    table.push_back(std::move(one.front()));
  }

  Result<void> One(const SchemaField& file, SchemaField& table, const std::string& name) {
    if (file.shape != table.shape) return Mismatch(file, table, name);
    if (file.shape == Shape::kStruct) return Members(file.children, {}, table.children, name + ".");
    if (file.shape != Shape::kPrimitive) {
      for (std::size_t i = 0; i < file.children.size(); ++i)
        TM_TRY(One(file.children[i], table.children[i], name + "." + file.children[i].name));
      return {};
    }
    if (file.primitive == table.primitive || IsWider(file.primitive, table.primitive)) return {};
    if (IsWider(table.primitive, file.primitive)) return Widen(file, table, name);
    const auto from = DecimalOf(file);
    const auto to = DecimalOf(table);
    if (!from || !to || from->second != to->second) return Mismatch(file, table, name);
    return from->first <= to->first ? Result<void>() : Widen(file, table, name);
  }

  Result<void> Widen(const SchemaField& file, SchemaField& table, const std::string& name) {
    growth_.widened.push_back(fmt::format("{}: {} -> {}", name, TextOf(table), TextOf(file)));
    table.primitive = file.primitive;
    return {};
  }

  static std::unexpected<Error> Mismatch(const SchemaField& file, const SchemaField& table,
                                         const std::string& name) {
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format("column '{}' is {} in the file and {} in the table: the file is of another schema", name,
                    TextOf(file), TextOf(table)));
  }

  std::int32_t& last_id_;
  SchemaGrowth& growth_;
};

void Collect(const std::vector<SchemaField>& file, const std::vector<SchemaField>& table,
             std::map<std::int32_t, SchemaField>& found) {
  for (const SchemaField& field : file) {
    const auto same = std::ranges::find(table, field.name, &SchemaField::name);
    if (same == table.end()) continue;
    found.emplace(field.id, *same);
    Collect(field.children, same->children, found);
  }
}

}  // namespace

Result<FileSchema> SchemaOfFile(const arrow::Schema& stored) {
  FileSchema made;
  for (const auto& field : stored.fields()) {
    if (stored.GetAllFieldIndices(field->name()).size() > 1)
      return Fail(ErrorCode::kInvalidData, fmt::format("the file has two columns '{}'", field->name()));
    if (field->name().empty() || !IsUtf8(field->name()))
      return Fail(ErrorCode::kInvalidData, fmt::format("{} is no name of a column", Quoted(field->name())));
    auto own = FieldOf(field->name(), *field->type(), 1);
    if (own) {
      made.schema.fields.push_back(*std::move(own));
    } else {
      made.unmapped.push_back(WithoutIds(field->name(), *field->type()));
      made.left_out.push_back(fmt::format("{}: {}", field->name(), field->type()->ToString()));
    }
  }
  std::int32_t last_id = 0;
  GiveIds(made.schema.fields, last_id);
  return made;
}

Result<void> MergeFileSchema(const Schema& file, const std::set<std::string>& not_read, Schema& table,
                             std::int32_t& last_id, SchemaGrowth& growth) {
  return Merge(last_id, growth).Members(file.fields, not_read, table.fields, "");
}

std::map<std::int32_t, SchemaField> FieldsInTable(const Schema& file, const Schema& table) {
  std::map<std::int32_t, SchemaField> found;
  Collect(file.fields, table.fields, found);
  return found;
}

}  // namespace tidemark::iceberg
