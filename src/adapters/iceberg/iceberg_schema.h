// A table's schema in Iceberg's form: every column, nested ones too, has an id that it is found by.
#pragma once

#include <arrow/array/data.h>
#include <arrow/type.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// A column, a member of a struct, the element of a list, or key and value of a map.
struct SchemaField {
  enum class Shape : std::uint8_t { kPrimitive, kStruct, kList, kMap };

  std::int32_t id = 0;
  std::string name;
  bool required = false;
  Shape shape = Shape::kPrimitive;
  std::string primitive;                   // as Iceberg spells it: "long", "timestamptz", "decimal(10, 2)"
  std::vector<SchemaField> children = {};  // members; the element; key and value
  std::string doc;
  bool operator==(const SchemaField&) const = default;
};

struct Schema {
  std::int32_t id = 0;
  std::vector<SchemaField> fields = {};
  std::vector<std::int32_t> identifier_ids = {};
  bool operator==(const Schema&) const = default;
};

/// A column's field, ids given from `next_id` on, which moves.
SchemaField MakeField(const TableColumn& column, std::int32_t& next_id);

/// The Tidemark type of a field: int and long are int32 and int64, every timestamp is microseconds UTC, fixed
/// and uuid are binary. kUnsupported, naming the column, for `time` and types of later formats.
Result<DataType> TypeOf(const SchemaField& field);
Result<std::vector<TableColumn>> ColumnsOf(const Schema& schema);

/// The Arrow field that data files are written as: each level says its id in PARQUET:field_id.
Result<std::shared_ptr<arrow::Field>> ToArrowField(const SchemaField& field);

/// The same values under a type that differs only in the names, ids and nullability of its fields.
std::shared_ptr<arrow::ArrayData> Retyped(const arrow::ArrayData& data,
                                          const std::shared_ptr<arrow::DataType>& type);

/// The top-level field of a name, or of an id; a null pointer if there is none.
const SchemaField* FindField(const Schema& schema, std::string_view name);
const SchemaField* FindField(const Schema& schema, std::int32_t id);

/// The fields below which no list or map lies between them and their column: those that bounds are kept of.
/// Calls `visit` with each primitive one.
void VisitBounded(const SchemaField& field, const std::function<void(const SchemaField& leaf)>& visit);

/// The greatest id in the schema.
std::int32_t LastId(const Schema& schema);

}  // namespace tidemark::iceberg
