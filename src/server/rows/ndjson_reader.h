// Rows as lines of JSON objects, read in blocks.
#pragma once

#include <arrow/record_batch.h>
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/message.h"
#include "server/rows/json_rows.h"

namespace tidemark::server {

/// Columns that are not known get their types by the values of the first block (about 4 MiB).
class NdjsonReader {
 public:
  /// Reads the first block. `line_bytes_max`: of one line.
  static Result<std::unique_ptr<NdjsonReader>> Open(http::BodyReader& body, JsonRowsOptions options,
                                                    std::size_t line_bytes_max);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  /// nullptr at the end. kInvalidArgument for a line that is no JSON, kTypeMismatch for a value that does not
  /// fit; both name the row, from 0, blank lines not counted.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();
  bool cut_times() const { return objects_.cut_times(); }

 private:
  NdjsonReader(http::BodyReader& body, JsonRowsOptions options, std::size_t line_bytes_max)
      : body_(body),
        depth_max_(options.depth_max),
        line_bytes_max_(line_bytes_max),
        objects_(std::move(options)) {}

  Result<void> Fill();  // block_: whole lines, empty at the end
  template <typename Function>
  Result<void> ForEachLine(const Function& function);
  Result<std::shared_ptr<arrow::RecordBatch>> Read();

  http::BodyReader& body_;
  const std::size_t depth_max_;
  const std::size_t line_bytes_max_;
  simdjson::dom::parser parser_;
  JsonObjects objects_;
  std::string bytes_;      // what was read, with padding behind it
  std::size_t held_ = 0;   // bytes of it
  std::size_t lines_ = 0;  // of these, whole lines
  bool is_at_end_ = false;
  std::int64_t rows_before_ = 0;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> first_;
};

}  // namespace tidemark::server
