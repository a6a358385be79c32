// Values of Arrow columns as JSON text, in the forms that json_columns.h reads.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::server {

/// Writes the values of one array, which must outlive it.
class JsonValues {
 public:
  /// kUnsupported, naming the type, for one that has no form.
  static Result<JsonValues> Of(const arrow::Array& array);

  /// Appends the value, or null.
  void Append(std::string& out, std::int64_t row) const;

 private:
  using AppendFunction = void (*)(const JsonValues&, std::string&, std::int64_t);
  friend struct JsonAppenders;

  const arrow::Array* array_ = nullptr;
  AppendFunction append_ = nullptr;
  std::vector<JsonValues> children_;
  std::vector<std::string> names_;  // of members, as JSON with the colon
};

}  // namespace tidemark::server
