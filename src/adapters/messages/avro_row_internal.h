// How the rows of one Avro schema are read into wanted columns.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/messages/message_columns_internal.h"
#include "adapters/messages/wanted_columns_internal.h"
#include "base/result.h"
#include "rows/avro_codec.h"
#include "rows/avro_schema.h"
#include "rows/value_sink.h"

namespace tidemark::messages {

/// A type of the schema with the type that its values become.
struct AvroValuePlan {
  const AvroType* type = nullptr;
  std::vector<AvroValuePlan> children =
      {};                                 // of a union's branches, a record's fields, the one item or value
  std::vector<std::size_t> members = {};  // of a record's fields: the struct's members; kNotWanted
  std::vector<std::size_t> absent = {};   // the struct's members that the record does not have
  bool fits = true;                       // false: a branch of a union whose values never fit
};

class AvroRow {
 public:
  /// kInvalidArgument for a schema that is no record, kTypeMismatch for a field whose values never fit the
  /// column that wants it. A column that the schema does not have is null.
  static Result<AvroRow> Of(std::shared_ptr<const AvroType> schema, const WantedColumns& wanted);

  /// Wanted columns that the schema has not.
  const std::vector<std::size_t>& missing() const { return missing_; }
  /// True if the bytes are exactly one row, whatever its values.
  bool IsWhole(std::string_view bytes) const;
  /// Puts a row into the columns. False, with why, for bytes that are no such row or values that do not fit.
  bool Read(std::string_view bytes, MessageColumns& columns, std::string& why) const;

 private:
  struct FieldPlan {
    const AvroField* field = nullptr;
    std::vector<std::pair<std::size_t, AvroValuePlan>> columns;
  };

  std::shared_ptr<const AvroType> schema_;
  std::vector<FieldPlan> fields_;
  std::vector<std::size_t> missing_;
};

}  // namespace tidemark::messages
