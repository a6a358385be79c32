// A table with a column of each plain type, and rows for it.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/catalog.h"
#include "store/memory_source_testing.h"

namespace tidemark::testing_support {

inline const auto kMicrosUtc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");

inline CatalogView ViewOf(const std::vector<std::pair<std::string, DataType>>& fields,
                          bool keeps_created = false, TypeKind second_key = TypeKind::kString) {
  CatalogView view;
  view.id = 7;
  view.version = 3;
  view.definition.name = "rides";
  view.definition.table.timestamp_field = "at";
  if (keeps_created) view.definition.table.created_timestamp_column = "made";
  for (const auto& [name, type] : fields) {
    Field field;
    field.name = name;
    field.type = type;
    field.id = static_cast<std::int32_t>(view.definition.fields.size() + 1);
    view.definition.fields.push_back(std::move(field));
  }
  view.join_keys = {{.name = "city", .type = DataType{.kind = second_key}},
                    {.name = "key", .type = DataType{.kind = TypeKind::kInt64}}};
  return view;
}

inline CatalogView ViewOfAll() {
  return ViewOf({{"flag", {.kind = TypeKind::kBool}},
                 {"small", {.kind = TypeKind::kInt32}},
                 {"price", {.kind = TypeKind::kDecimal, .precision = 20, .scale = 2}},
                 {"text", {.kind = TypeKind::kString}},
                 {"bytes", {.kind = TypeKind::kBinary}},
                 {"ratio", {.kind = TypeKind::kFloat32}},
                 {"day", {.kind = TypeKind::kDate}},
                 {"seen", {.kind = TypeKind::kTimestamp}}},
                /*keeps_created=*/true);
}

inline std::shared_ptr<arrow::RecordBatch> RowsOfAll() {
  return BatchOf({{"key", arrow::int64(), "[1, 2, 3]"},
                  {"at", kMicrosUtc, "[1735689600000001, 1735689600000002, 1735689600000003]"},
                  {"made", kMicrosUtc, "[1735689600000004, 1735689600000005, 1735689600000006]"},
                  {"flag", arrow::boolean(), "[true, null, false]"},
                  {"small", arrow::int32(), "[-5, null, 7]"},
                  {"price", arrow::decimal128(20, 2), R"(["1.25", null, "-3.50"])"},
                  {"text", arrow::utf8(), R"(["a longer text than eight bytes", null, ""])"},
                  {"bytes", arrow::binary(), R"(["x", null, "yz"])"},
                  {"ratio", arrow::float32(), "[0.5, null, -0.25]"},
                  {"day", arrow::date32(), "[1, null, 3]"},
                  {"seen", kMicrosUtc, "[10, null, 30]"},
                  {"city", arrow::utf8(), R"(["Bonn", "", "Köln"])"}});
}

}  // namespace tidemark::testing_support
