// One schema for the files of a source.
#pragma once

#include <arrow/type.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// A file's schema and the name it has in messages.
struct NamedSchema {
  std::string file;
  std::shared_ptr<arrow::Schema> schema;
};

/// The schema that all files' columns fit into without loss, in the first file's order; every field is
/// nullable. Types that differ are brought to one: integers of different widths to int64, float to double,
/// null to the other, times of different units to the finest, of different zones to UTC, texts of different
/// layouts to string. kTypeMismatch, naming column and both files, if a column is missing in one of them or
/// its types do not fit together; kInvalidData if a file has two columns of one name. With `from_text` (CSV,
/// whose files are read again as the united types) integers and floats become float64, dates and
/// timestamps timestamps, and times that differ in having a zone, or stand beside text, text. With `may_miss`
/// a file need not have all columns; those that the first file does not have come after its own.
Result<std::shared_ptr<arrow::Schema>> UniteSchemas(const std::vector<NamedSchema>& schemas, bool from_text,
                                                    bool may_miss = false);

/// The one type for both, or a null pointer if there is none.
std::shared_ptr<arrow::DataType> UniteTypes(const std::shared_ptr<arrow::DataType>& a,
                                            const std::shared_ptr<arrow::DataType>& b);

/// The type that text of which some was guessed as `a` and some as `b` can all be read as: string if nothing
/// else.
std::shared_ptr<arrow::DataType> UniteCsvTypes(const std::shared_ptr<arrow::DataType>& a,
                                               const std::shared_ptr<arrow::DataType>& b);

}  // namespace tidemark
