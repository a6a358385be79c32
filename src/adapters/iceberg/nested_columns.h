// Nested columns of data files that were written before their table's schema changed inside them.
#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <memory>

#include "adapters/iceberg/iceberg_schema.h"
#include "base/result.h"

namespace tidemark::iceberg {

/// `array`, of a file's column of type `stored` (which says the fields' ids), with the members of its structs
/// as `field` has them by now: found by their ids, under their present names and in their present order;
/// those that the file does not have are null, those that are gone are left out. Where a file states no ids
/// below a column it stays as it is. The members' own types are not changed.
Result<std::shared_ptr<arrow::Array>> Reshaped(const std::shared_ptr<arrow::Array>& array,
                                               const arrow::DataType& stored, const SchemaField& field);

}  // namespace tidemark::iceberg
