// The rows that a client sends: checked, counted, and read as they come.
#pragma once

#include <arrow/flight/server.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tidemark/arrow_c.h"

namespace tidemark::server::flight {

/// What one call may send, and how much of it may be held.
struct UploadLimits {
  std::int64_t bytes_max = 0;      // of all batches: kInvalidArgument beyond
  std::int64_t in_memory_max = 0;  // of rows that must all be there first; the rest is in an unnamed file
};

/// A record batch reader over what arrives, one message at a time, so that a client that is faster is held
/// back. Every batch is looked through, for nothing that a client sends may make a reader go astray; its
/// buffers are aligned, which those that gRPC hands out are not. One reader.
class UploadedRows final : public arrow::RecordBatchReader {
 public:
  /// Waits for the schema. kInvalidData for what is no Arrow stream, kInvalidArgument for none at all.
  static Result<std::shared_ptr<UploadedRows>> Open(arrow::flight::FlightMessageReader& reader,
                                                    const UploadLimits& limits, std::stop_token stop);

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override;

  /// Leaves out columns of these names from here on.
  void Drop(const std::vector<std::string>& columns);

  /// The store, which these rows were given to, failed with `error`: the reason, which is that of the rows
  /// if it was these that failed.
  Error ReasonOf(const Error& error) const { return failure_ ? *failure_ : error; }

 private:
  UploadedRows(arrow::flight::FlightMessageReader& reader, const UploadLimits& limits, std::stop_token stop)
      : reader_(reader), limits_(limits), stop_(std::move(stop)) {}
  Result<std::shared_ptr<arrow::RecordBatch>> Next();
  Result<std::shared_ptr<arrow::RecordBatch>> Checked(std::shared_ptr<arrow::RecordBatch> batch);

  arrow::flight::FlightMessageReader& reader_;
  const UploadLimits limits_;
  const std::stop_token stop_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> kept_;  // columns; empty: all
  bool ended_ = false;
  std::int64_t bytes_ = 0;
  std::int64_t batches_ = 0;
  std::optional<Error> failure_;
};

/// All rows of `rows`, read to their end: a client that sends everything before it reads anything would
/// otherwise wait for us while we wait for it.
Result<std::shared_ptr<arrow::RecordBatchReader>> TakeAll(UploadedRows& rows, const UploadLimits& limits);

/// Reads what is still to come, as much as a call may send, and forgets it: clients send everything before
/// they look, and if nobody reads are told that, and not what the answer was.
void Drain(arrow::flight::FlightMessageReader& reader, const UploadLimits& limits,
           const std::stop_token& stop);

/// A reader as the stream that the store's API takes over.
Result<void> ToStream(std::shared_ptr<arrow::RecordBatchReader> reader, ArrowArrayStream* out);

}  // namespace tidemark::server::flight
