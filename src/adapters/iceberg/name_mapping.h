// Which ids columns have in files that state none (Iceberg's table spec, "Column projection" and appendix C,
// "Name mapping serialization").
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/iceberg/iceberg_schema.h"
#include "base/result.h"

namespace tidemark::iceberg {

/// The table property that holds it.
inline constexpr std::string_view kNameMappingProperty = "schema.name-mapping.default";

/// A column or nested field by its names; "element", "key" and "value" are those of lists and maps.
struct MappedField {
  std::optional<std::int32_t> id = {};
  std::vector<std::string> names = {};
  std::vector<MappedField> fields = {};
  bool operator==(const MappedField&) const = default;
};

/// JSON that maps every field of the schema by its present name. `others` are columns that files have and the
/// schema has not, under ids of their own: some engines refuse files with columns that they do not know of.
std::string NameMappingJson(const Schema& schema, const std::vector<MappedField>& others);

/// A column that has no id, with what lies within it.
MappedField WithoutIds(std::string name, const arrow::DataType& type);
/// Gives it ids after `last_id`, which moves.
void GiveMappedIds(MappedField& field, std::int32_t& last_id);

/// kCorruption for what is no name mapping.
Result<std::vector<MappedField>> ParseNameMapping(std::string_view json);

/// The id of a top-level column; -1 if the mapping has none.
std::int32_t MappedId(const std::vector<MappedField>& mapping, std::string_view name);

/// A column's type with the ids of what lies within it, as a file that states ids has them.
std::shared_ptr<arrow::DataType> WithMappedIds(const std::vector<MappedField>& mapping, std::string_view name,
                                               const std::shared_ptr<arrow::DataType>& type);

}  // namespace tidemark::iceberg
