// The columns of a warehouse table as Tidemark reads them: what is selected for each, and what becomes of it.
//
// Most columns come as they are. Types that ADBC hands over as something else are read by their meaning:
// PostgreSQL's numeric exactly, uuid, json and enum as text. What has no counterpart keeps a type that
// nothing reads, with a hint (kColumnHint) that errors show. Private to this folder.
#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/adbc/sql_dialect_internal.h"
#include "base/result.h"
#include "model/type.h"

namespace tidemark {

struct WarehouseColumn {
  std::string column;                         // in the warehouse
  std::string expression;                     // what is selected for it
  std::shared_ptr<arrow::Field> field;        // as it is read, by its name in definitions
  std::shared_ptr<arrow::DataType> arriving;  // what the driver gives for the expression
  std::optional<DataType> exact = {};         // numbers that arrive as text
  bool may_be_infinite = false;  // times of PostgreSQL, of which its driver makes others without a word
  bool is_unreadable = false;
};

struct ColumnPlan {
  SqlDialect dialect = SqlDialect::kStandard;
  std::map<std::string, std::string> field_mapping;  // column -> name in definitions
  std::map<std::string, DataType> declared;          // by the name in definitions
  /// Which of types that nothing else is known of are enums; by their names, or "unnamed<oid:17>" for one
  /// that the driver has not heard of yet.
  std::function<Result<std::vector<std::string>>(const std::vector<std::string>& types)> enums;
};

/// All columns of `arriving`, the schema of SELECT *. kAlreadyExists: two columns with one name.
Result<std::vector<WarehouseColumn>> PlanColumns(const arrow::Schema& arriving, const ColumnPlan& plan);

/// Values of a column as they arrived, in the type of its field. Errors name the column and the row.
Result<std::shared_ptr<arrow::Array>> ReadColumn(const WarehouseColumn& column,
                                                 const std::shared_ptr<arrow::Array>& values,
                                                 std::int64_t first_row);

}  // namespace tidemark
