// Reads the golden cases of tests/golden (the format is in its README), for every path that follows the rule.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/type.h"
#include "pit/point_in_time_join.h"

namespace tidemark::pit_testing {

struct GoldenColumn {
  std::string name;
  DataType type;
};

/// A table of text: nothing is null.
struct GoldenTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;

  /// Index of a column, or nothing.
  std::optional<std::size_t> Find(std::string_view column) const;
  /// Values of a column as ToArrow(type).
  Result<std::shared_ptr<arrow::Array>> Column(std::string_view column, const DataType& type) const;
};

struct GoldenView {
  std::string name;
  std::vector<GoldenColumn> keys;  // in the order of the file
  std::vector<GoldenColumn> features;
  std::int64_t ttl_us = 0;
  GoldenTable rows;  // types cut off the names of its columns

  bool has_created() const { return rows.Find("created_timestamp").has_value(); }
  /// True if it has columns that only Tidemark's own tables have.
  bool is_own_table() const;
  /// All columns with their types: keys, system columns as timestamp, int64, bool, then features.
  Result<std::shared_ptr<arrow::RecordBatch>> ToBatch() const;
};

/// One answer: the status, and the value's text if it is PRESENT.
struct GoldenAnswer {
  Status status = Status::kNotFound;
  std::string value;
  bool operator==(const GoldenAnswer&) const = default;
};

struct GoldenCase {
  std::string place;  // "ttl.txt:3: name"
  KnownBy known_by;
  std::vector<GoldenView> views;
  GoldenTable entity_rows;  // keys and event_timestamp
  struct Expected {
    std::string view;
    std::string feature;
    std::vector<GoldenAnswer> answers;  // one for each entity row
  };
  std::vector<Expected> expected;

  /// Keys with the types that the views give them, text otherwise, and event_timestamp.
  Result<std::shared_ptr<arrow::RecordBatch>> EntityBatch() const;
  const GoldenView& view(std::string_view name) const;
};

/// The cases of one file's text; kInvalidData names file and line.
Result<std::vector<GoldenCase>> ParseGolden(std::string_view text, std::string_view file_name);

/// All cases of all *.txt files in a folder, by name.
Result<std::vector<GoldenCase>> ReadGoldenFolder(const std::string& folder);

/// The value's text as a golden file would have it.
std::string GoldenText(const arrow::Array& values, std::int64_t row);

}  // namespace tidemark::pit_testing
