// What a copied column is written as: the same types as a streamed result has.
#pragma once

#include <arrow/record_batch.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

struct CopyColumn {
  std::string name;
  std::string type;  // as DuckDB describes it
};

/// The columns that DESCRIBE gives. kInvalidArgument for two of one name, which a Parquet file cannot have.
Result<std::vector<CopyColumn>> ReadCopyColumns(arrow::RecordBatchReader& described);

/// kUnsupported, naming the column, for a type that Parquet has not: an interval, a union, bits.
Result<void> CheckCopyTypes(const std::vector<CopyColumn>& columns);

/// The type that values of a DuckDB type are written as; the same if they can be written as they are.
std::string CopyType(const std::string& type);

/// The query with its columns cast to the types that they are written as.
std::string CopySelect(const std::string& query, const std::vector<CopyColumn>& columns);

}  // namespace tidemark
