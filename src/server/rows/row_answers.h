// Streams of rows as answers, in the format that the client wants.
#pragma once

#include <arrow/record_batch.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"
#include "server/rows/formats.h"
#include "tidemark/store.h"

namespace tidemark::server {

/// Keys of the metadata of the empty batch that ends an answer in Arrow.
inline constexpr std::string_view kReportKey = "tidemark.report";
inline constexpr std::string_view kErrorKey = "tidemark.error";

/// A stream of rows that the store gave, and that is released with this.
class RowStream {
 public:
  RowStream() = default;
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;
  ~RowStream();

  /// For the store to fill.
  ArrowArrayStream* out() { return &stream_; }
  bool is_filled() const { return stream_.release != nullptr; }

  /// The errors are those of the store.
  Result<std::shared_ptr<arrow::Schema>> Schema();
  Result<std::shared_ptr<arrow::RecordBatch>> Next();  // nullptr at the end

 private:
  ArrowArrayStream stream_{};
  std::shared_ptr<arrow::Schema> schema_;
};

struct RowAnswer {
  RowFormat format = RowFormat::kJson;
  std::shared_ptr<RowStream> rows;
  /// Asked when all rows were read: a JSON object, in JSON and Arrow. May be empty.
  std::function<std::string()> report = {};
  /// The error as it is told where the stream failed with one. May be empty.
  std::function<Error(Error)> blame = {};
  /// An error as the JSON object that Arrow's metadata hold. May be empty.
  std::function<std::string(const Error&)> error_text = {};
};

/// Fills the response: rows are read and written as the client takes them.
void AnswerRows(RowAnswer answer, http::Response& response);

}  // namespace tidemark::server
