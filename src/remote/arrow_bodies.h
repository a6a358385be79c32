// Rows on the wire: Arrow IPC streams as bodies of requests and of answers.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/table.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "remote/http_client.h"

namespace tidemark::remote {

inline constexpr std::string_view kArrowStream = "application/vnd.apache.arrow.stream";

/// A body of one stream of rows, with text before and behind it. Batches are encoded as they are sent; as
/// long as they are few bytes they are kept, so that the body can be sent again.
class RowsBody : public RequestBody {
 public:
  struct Around {
    std::string before = {};
    std::string behind = {};
  };
  /// `sent` is told the number of rows that have been encoded; it may be empty.
  static std::unique_ptr<RowsBody> Make(std::shared_ptr<arrow::RecordBatchReader> rows, Around around,
                                        std::function<void(std::int64_t)> sent = {});
  /// How many rows were encoded by now.
  virtual std::int64_t rows() const = 0;
};

/// A file's bytes as they are; those of one that ends in .gz unpacked.
Result<std::unique_ptr<RequestBody>> OpenFileBody(const std::string& path);

/// What stands around rows in a multipart body whose first part is the request itself.
struct Multipart {
  /// `request` is JSON, `rows_type` the media type of the rows.
  static Multipart Of(std::string_view request, std::string_view rows_type);
  std::string content_type;
  RowsBody::Around around;
};

/// Called with the JSON that an answer says of itself at its end; once, if at all.
using OnReport = std::function<void(const std::string& report)>;

/// The rows of an answer, as they arrive. Errors that the server tells on the way come as the statuses that
/// FromStatus knows.
Result<std::shared_ptr<arrow::RecordBatchReader>> ReadRows(std::unique_ptr<Answer> answer,
                                                           OnReport on_report);

/// The same of an answer that is here as a whole.
Result<std::shared_ptr<arrow::Table>> ReadTable(std::string body, const OnReport& on_report);

}  // namespace tidemark::remote
