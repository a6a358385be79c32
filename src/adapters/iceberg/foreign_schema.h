// The schema of files that somebody else wrote, and of a table over several of them.
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adapters/iceberg/iceberg_schema.h"
#include "adapters/iceberg/name_mapping.h"
#include "base/result.h"

namespace tidemark::iceberg {

struct FileSchema {
  Schema schema = {};                      // ids from 1 on, of no meaning but in this file
  std::vector<std::string> left_out = {};  // "t: time64[us]", columns of types without a counterpart
  std::vector<MappedField> unmapped = {};  // the same columns
};

/// What a file's columns are. Timestamps without a zone stay such, as other engines tell them apart.
/// kInvalidData for two columns of one name.
Result<FileSchema> SchemaOfFile(const arrow::Schema& stored);

/// How a table's columns grew.
struct SchemaGrowth {
  std::vector<std::string> added = {};
  std::vector<std::string> widened = {};  // "n: int32 -> int64"
  bool any() const { return !added.empty() || !widened.empty(); }
};

/// Makes `table` a schema that the file's rows fit into as well: columns that it does not have are added, at
/// the end, and narrower ones widened; ids are given from `last_id` on. Columns in `not_read` are passed
/// over. kTypeMismatch, naming column and both types, for one that does not fit.
Result<void> MergeFileSchema(const Schema& file, const std::set<std::string>& not_read, Schema& table,
                             std::int32_t& last_id, SchemaGrowth& growth);

/// The table's field of each field of the file, by id; those that it does not have are left out.
std::map<std::int32_t, SchemaField> FieldsInTable(const Schema& file, const Schema& table);

}  // namespace tidemark::iceberg
