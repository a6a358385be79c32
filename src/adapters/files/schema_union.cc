// Which differences between files lose nothing.
#include "adapters/files/schema_union.h"

#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace tidemark {
namespace {

using TypePtr = std::shared_ptr<arrow::DataType>;

bool FitsInt64(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) && type.id() != arrow::Type::UINT64;
}

bool IsText(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING ||
         type.id() == arrow::Type::STRING_VIEW;
}

bool IsBytes(const arrow::DataType& type) {
  return type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY ||
         type.id() == arrow::Type::BINARY_VIEW;
}

TypePtr PlainType(const TypePtr& type) {
  if (type->id() != arrow::Type::DICTIONARY) return type;
  return static_cast<const arrow::DictionaryType&>(*type).value_type();
}

TypePtr UniteTimes(const arrow::TimestampType& a, const arrow::TimestampType& b) {
  const auto unit = std::max(a.unit(), b.unit());
  return arrow::timestamp(unit, a.timezone() == b.timezone() ? a.timezone() : "UTC");
}

// Types of text that can be read as the wider of the two, besides those of UniteTypes.
TypePtr WiderText(const TypePtr& a, const TypePtr& b) {
  if (a->id() == arrow::Type::INT64 && b->id() == arrow::Type::DOUBLE) return b;
  const bool seconds =
      b->id() == arrow::Type::TIMESTAMP && static_cast<const arrow::TimestampType&>(*b).timezone().empty();
  if (a->id() == arrow::Type::DATE32 && seconds) return b;
  return nullptr;
}

bool IsTime(const arrow::DataType& type) {
  return type.id() == arrow::Type::DATE32 || type.id() == arrow::Type::TIMESTAMP;
}

// Times of which only some are written with a zone, or as times at all, have no type but text that reads them
// all.
bool IsTimesInText(const arrow::DataType& a, const arrow::DataType& b) {
  const auto is_zoned = [](const arrow::DataType& type) {
    return type.id() == arrow::Type::TIMESTAMP &&
           !static_cast<const arrow::TimestampType&>(type).timezone().empty();
  };
  if (IsTime(a) && IsTime(b)) return is_zoned(a) != is_zoned(b);
  return (IsTime(a) && IsText(b)) || (IsText(a) && IsTime(b));
}

TypePtr UniteTexts(const TypePtr& a, const TypePtr& b) {
  if (TypePtr wider = WiderText(a, b)) return wider;
  return WiderText(b, a);
}

Result<void> CheckNoRepeats(const NamedSchema& named) {
  std::unordered_set<std::string_view> seen;
  for (const auto& field : named.schema->fields()) {
    if (!seen.insert(field->name()).second) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("file {} has two columns named '{}'", named.file, field->name()));
    }
  }
  return {};
}

Error Missing(const std::string& column, const NamedSchema& without, const NamedSchema& with) {
  return {
      ErrorCode::kTypeMismatch,
      fmt::format("column '{}' is in file {} but not in file {}: the files of a source must have the same "
                  "columns",
                  column, with.file, without.file),
      {}};
}

}  // namespace

TypePtr UniteTypes(const TypePtr& first, const TypePtr& second) {
  const TypePtr a = PlainType(first);
  const TypePtr b = PlainType(second);
  if (a->Equals(*b)) return a;
  if (a->id() == arrow::Type::NA) return b;
  if (b->id() == arrow::Type::NA) return a;
  if (FitsInt64(*a) && FitsInt64(*b)) return arrow::int64();
  if (arrow::is_floating(a->id()) && arrow::is_floating(b->id())) return arrow::float64();
  if (IsText(*a) && IsText(*b)) return arrow::utf8();
  if (IsBytes(*a) && IsBytes(*b)) return arrow::binary();
  if (a->id() == arrow::Type::TIMESTAMP && b->id() == arrow::Type::TIMESTAMP) {
    return UniteTimes(static_cast<const arrow::TimestampType&>(*a),
                      static_cast<const arrow::TimestampType&>(*b));
  }
  return nullptr;
}

TypePtr UniteCsvTypes(const TypePtr& a, const TypePtr& b) {
  if (a->Equals(*b)) return a;
  if (a->id() == arrow::Type::NA) return b;
  if (b->id() == arrow::Type::NA) return a;
  TypePtr united = UniteTexts(a, b);
  return united != nullptr ? united : arrow::utf8();
}

namespace {

/// A column as it is united so far, and the file that it was first found in.
struct United {
  std::string name;
  TypePtr type;
  const NamedSchema* first;
};

Result<TypePtr> UniteColumn(const United& column, const TypePtr& type, const NamedSchema& other,
                            bool from_text) {
  TypePtr united;
  if (from_text && IsTimesInText(*column.type, *type)) united = arrow::utf8();
  if (united == nullptr) united = UniteTypes(column.type, type);
  if (united == nullptr && from_text) united = UniteTexts(column.type, type);
  if (united != nullptr) return united;
  return Fail(
      ErrorCode::kTypeMismatch,
      fmt::format("column '{}' is {} in file {} but {} in file {}: the files of a source must have the "
                  "same types",
                  column.name, column.type->ToString(), column.first->file, type->ToString(), other.file));
}

}  // namespace

Result<std::shared_ptr<arrow::Schema>> UniteSchemas(const std::vector<NamedSchema>& schemas, bool from_text,
                                                    bool may_miss) {
  const NamedSchema& first = schemas.front();
  TM_TRY(CheckNoRepeats(first));
  std::vector<United> columns;
  for (const auto& field : first.schema->fields())
    columns.push_back({field->name(), PlainType(field->type()), &first});
  for (const NamedSchema& other : schemas) {
    if (&other == &first || other.schema->Equals(*first.schema)) continue;
    TM_TRY(CheckNoRepeats(other));
    for (const auto& field : other.schema->fields()) {
      if (std::ranges::find(columns, field->name(), &United::name) != columns.end()) continue;
      if (!may_miss) return std::unexpected(Missing(field->name(), first, other));
      columns.push_back({field->name(), PlainType(field->type()), &other});
    }
    for (United& column : columns) {
      const auto same = other.schema->GetFieldByName(column.name);
      if (same == nullptr && may_miss) continue;
      if (same == nullptr) return std::unexpected(Missing(column.name, other, first));
      TM_ASSIGN(column.type, UniteColumn(column, same->type(), other, from_text));
    }
  }
  arrow::FieldVector fields;
  for (United& column : columns)
    fields.push_back(arrow::field(column.name, std::move(column.type)));
  return arrow::schema(std::move(fields));
}

}  // namespace tidemark
