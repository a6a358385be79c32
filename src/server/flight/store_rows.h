// The rows that the store answers with, on their way to a client.
#pragma once

#include <arrow/flight/server.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "tidemark/arrow_c.h"

namespace tidemark::server::flight {

/// Reads a stream of the store's API, in batches that a Flight message can hold. Errors of the store are
/// statuses of `to_status`.
class StoreRows final : public arrow::RecordBatchReader {
 public:
  using ToStatus = std::function<arrow::Status(const Error&)>;

  /// Takes `stream` over. `store` is what it reads from, which stays open as long.
  static Result<std::shared_ptr<StoreRows>> Open(ArrowArrayStream* stream, std::shared_ptr<const void> store,
                                                 ToStatus to_status);
  ~StoreRows() override;

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override;

 private:
  StoreRows(ArrowArrayStream stream, std::shared_ptr<const void> store, ToStatus to_status)
      : store_(std::move(store)), stream_(stream), to_status_(std::move(to_status)) {}

  const std::shared_ptr<const void> store_;
  ArrowArrayStream stream_;
  const ToStatus to_status_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> rest_;  // of a batch that is too large for one message
  std::int64_t rows_a_message_ = 0;           // of `rest_`
};

/// Tells, once the rows have ended, what is to be said of them; JSON, or nothing.
using EndReport = std::function<std::string()>;

/// `rows` as what DoGet streams. The report comes with an empty batch behind the last.
/// `held` is kept until the stream is gone.
std::unique_ptr<arrow::flight::FlightDataStream> AnswerStream(std::shared_ptr<arrow::RecordBatchReader> rows,
                                                              EndReport report, std::shared_ptr<void> held);

/// Writes `rows` as the answer of DoExchange, the report likewise.
arrow::Status WriteAnswer(arrow::RecordBatchReader& rows, const EndReport& report,
                          arrow::flight::FlightMessageWriter& writer);

}  // namespace tidemark::server::flight
