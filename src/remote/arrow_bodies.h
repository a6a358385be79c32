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
#include "tidemark/store.h"

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

/// Rows that a caller gave, on their way.
struct GivenRows {
  std::unique_ptr<RequestBody> body;
  std::string content_type;
  const RowsBody* stream = nullptr;  // `body` where the rows came as a stream
};

/// Takes rows over, as a body of their own, or with `request` (JSON, may be empty) in front. A file goes as
/// it is, and is read by the server as a store in a folder would read it; only .gz is unpacked.
/// kInvalidArgument for none or two of stream and path, and for another ending; kNotFound for a file that is
/// not there.
Result<GivenRows> TakeRows(const EntityRows& rows, std::string_view request,
                           std::function<void(std::int64_t)> sent = {});

/// Called with the JSON that an answer says of itself at its end; once, if at all.
using OnReport = std::function<void(const std::string& report)>;

/// The rows of an answer, as they arrive. Errors that the server tells on the way come as the statuses that
/// FromStatus knows.
Result<std::shared_ptr<arrow::RecordBatchReader>> ReadRows(std::unique_ptr<Answer> answer,
                                                           OnReport on_report);

/// The same of an answer that is here as a whole.
Result<std::shared_ptr<arrow::Table>> ReadTable(std::string body, const OnReport& on_report);

}  // namespace tidemark::remote
