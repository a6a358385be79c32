// Works on array data, whose children are whole: slices and nulls of the parents stay as they are.
#include "adapters/iceberg/nested_columns.h"

#include <arrow/array/util.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <charconv>

#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark::iceberg {
namespace {

using Data = std::shared_ptr<arrow::ArrayData>;
using Shape = SchemaField::Shape;

/// The id that a file states for a field; -1 if it states none.
std::int32_t IdOf(const arrow::Field& field) {
  std::int32_t id = -1;
  const int place = field.HasMetadata() ? field.metadata()->FindKey("PARQUET:field_id") : -1;
  if (place < 0) return id;
  const std::string& text = field.metadata()->value(place);
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
}

Result<Data> Reshape(const Data& data, const arrow::DataType& stored, const SchemaField& field);

Result<Data> NullsOf(const SchemaField& member, std::int64_t length) {
  TM_ASSIGN(const DataType type, TypeOf(member));
  TM_ASSIGN(const auto nulls, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(type), length, BufferPool())));
  return nulls->data();
}

Result<Data> ReshapeStruct(const Data& data, const arrow::DataType& stored, const SchemaField& field) {
  const bool has_ids =
      std::ranges::any_of(stored.fields(), [](const auto& member) { return IdOf(*member) >= 0; });
  if (!has_ids || data->child_data.size() != stored.fields().size()) return data;
  Data out = data->Copy();
  out->child_data.clear();
  arrow::FieldVector fields;
  for (const SchemaField& member : field.children) {
    const auto found = std::ranges::find_if(
        stored.fields(), [&](const auto& candidate) { return IdOf(*candidate) == member.id; });
    Data child;
    if (found == stored.fields().end()) {
      TM_ASSIGN(child, NullsOf(member, data->offset + data->length));
    } else {
      const auto place = static_cast<std::size_t>(found - stored.fields().begin());
      TM_ASSIGN(child, Reshape(data->child_data[place], *(*found)->type(), member));
    }
    fields.push_back(arrow::field(member.name, child->type));
    out->child_data.push_back(std::move(child));
  }
  out->type = arrow::struct_(fields);
  return out;
}

Result<Data> ReshapeMap(const Data& data, const arrow::DataType& stored, const SchemaField& field) {
  const auto& map = static_cast<const arrow::MapType&>(stored);
  Data out = data->Copy();
  Data entries = data->child_data.front()->Copy();
  TM_ASSIGN(entries->child_data[0], Reshape(entries->child_data[0], *map.key_type(), field.children[0]));
  TM_ASSIGN(entries->child_data[1], Reshape(entries->child_data[1], *map.item_type(), field.children[1]));
  const auto type = arrow::map(entries->child_data[0]->type, entries->child_data[1]->type);
  entries->type = static_cast<const arrow::MapType&>(*type).value_type();
  out->child_data.front() = std::move(entries);
  out->type = type;
  return out;
}

Result<Data> Reshape(const Data& data, const arrow::DataType& stored, const SchemaField& field) {
  if (data->type->id() != stored.id()) return data;
  if (stored.id() == arrow::Type::STRUCT && field.shape == Shape::kStruct)
    return ReshapeStruct(data, stored, field);
  if (stored.id() == arrow::Type::MAP && field.shape == Shape::kMap) return ReshapeMap(data, stored, field);
  const bool is_large = stored.id() == arrow::Type::LARGE_LIST;
  if ((stored.id() != arrow::Type::LIST && !is_large) || field.shape != Shape::kList) return data;
  Data out = data->Copy();
  TM_ASSIGN(out->child_data.front(),
            Reshape(data->child_data.front(), *stored.field(0)->type(), field.children.front()));
  const auto& item = out->child_data.front()->type;
  out->type = is_large ? arrow::large_list(item) : arrow::list(item);
  return out;
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> Reshaped(const std::shared_ptr<arrow::Array>& array,
                                               const arrow::DataType& stored, const SchemaField& field) {
  if (field.shape == Shape::kPrimitive) return array;
  TM_ASSIGN(const Data data, Reshape(array->data(), stored, field));
  return arrow::MakeArray(data);
}

}  // namespace tidemark::iceberg
