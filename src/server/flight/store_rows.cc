// Cuts batches to what a message holds, and sends the report behind them.
#include "server/flight/store_rows.h"

#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "server/flight/status.h"
#include "tidemark/store.h"

namespace tidemark::server::flight {
namespace {

// A message may hold 2 GiB, and both sides hold one in memory.
constexpr std::int64_t kMessageBytes = 64L << 20;

/// Rows, and behind them an empty batch if there is something to say of them.
class ReportedRows final : public arrow::RecordBatchReader {
 public:
  ReportedRows(arrow::RecordBatchReader& rows, const EndReport& report) : rows_(rows), report_(report) {}

  std::shared_ptr<arrow::Schema> schema() const override { return rows_.schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    if (ended_) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(rows_.ReadNext(batch));
    if (*batch != nullptr) return arrow::Status::OK();
    ended_ = true;
    const std::string text = report_ ? report_() : std::string{};
    if (text.empty()) return arrow::Status::OK();
    said_ = arrow::Buffer::FromString(text);
    return arrow::RecordBatch::MakeEmpty(schema()).Value(batch);
  }

  /// What goes with the batch that was read last; null: nothing.
  const std::shared_ptr<arrow::Buffer>& said() const { return said_; }

 private:
  arrow::RecordBatchReader& rows_;
  const EndReport& report_;
  bool ended_ = false;
  std::shared_ptr<arrow::Buffer> said_;
};

class StreamOfRows final : public arrow::flight::FlightDataStream {
 public:
  StreamOfRows(std::shared_ptr<arrow::RecordBatchReader> rows, EndReport report, std::shared_ptr<void> held)
      : held_(std::move(held)),
        rows_(std::move(rows)),
        report_(std::move(report)),
        reported_(std::make_shared<ReportedRows>(*rows_, report_)),
        stream_(reported_) {}

  std::shared_ptr<arrow::Schema> schema() override { return rows_->schema(); }

  arrow::Result<arrow::flight::FlightPayload> GetSchemaPayload() override {
    return stream_.GetSchemaPayload();
  }

  arrow::Result<arrow::flight::FlightPayload> Next() override {
    ARROW_ASSIGN_OR_RAISE(arrow::flight::FlightPayload payload, stream_.Next());
    // Of a batch with dictionaries, these come first.
    if (payload.ipc_message.type == arrow::ipc::MessageType::RECORD_BATCH)
      payload.app_metadata = reported_->said();
    return payload;
  }

 private:
  const std::shared_ptr<void> held_;  // first: it goes last
  const std::shared_ptr<arrow::RecordBatchReader> rows_;
  const EndReport report_;
  const std::shared_ptr<ReportedRows> reported_;
  arrow::flight::RecordBatchStream stream_;
};

}  // namespace

Result<std::shared_ptr<StoreRows>> StoreRows::Open(ArrowArrayStream* stream,
                                                   std::shared_ptr<const void> store, ToStatus to_status) {
  std::shared_ptr<StoreRows> rows(
      new StoreRows(std::exchange(*stream, {}), std::move(store), std::move(to_status)));
  ArrowSchema schema{};
  if (const int failed = rows->stream_.get_schema(&rows->stream_, &schema); failed != 0)
    return std::unexpected(StreamError(&rows->stream_, failed));
  TM_ASSIGN(rows->schema_, FromArrow(arrow::ImportSchema(&schema)));
  return rows;
}

StoreRows::~StoreRows() {
  rest_.reset();
  if (stream_.release != nullptr) stream_.release(&stream_);
}

arrow::Status StoreRows::ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) {
  if (rest_ == nullptr) {
    ArrowArray array{};
    if (const int failed = stream_.get_next(&stream_, &array); failed != 0)
      return to_status_(StreamError(&stream_, failed));
    if (array.release == nullptr) {
      *batch = nullptr;
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(rest_, arrow::ImportRecordBatch(&array, schema_));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes, arrow::util::ReferencedBufferSize(*rest_));
    const std::int64_t messages = 1 + (bytes / kMessageBytes);
    rows_a_message_ = std::max<std::int64_t>(1, rest_->num_rows() / messages);
  }
  if (rest_->num_rows() <= rows_a_message_) {
    *batch = std::exchange(rest_, nullptr);
    return arrow::Status::OK();
  }
  *batch = rest_->Slice(0, rows_a_message_);
  rest_ = rest_->Slice(rows_a_message_);
  return arrow::Status::OK();
}

std::unique_ptr<arrow::flight::FlightDataStream> AnswerStream(std::shared_ptr<arrow::RecordBatchReader> rows,
                                                              EndReport report, std::shared_ptr<void> held) {
  return std::make_unique<StreamOfRows>(std::move(rows), std::move(report), std::move(held));
}

arrow::Status WriteAnswer(arrow::RecordBatchReader& rows, const EndReport& report,
                          arrow::flight::FlightMessageWriter& writer) {
  ReportedRows reported(rows, report);
  ARROW_RETURN_NOT_OK(writer.Begin(rows.schema()));
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(reported.ReadNext(&batch));
    if (batch == nullptr) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(writer.WriteWithMetadata(*batch, reported.said()));
  }
}

}  // namespace tidemark::server::flight
