// The result of a query, while the driver makes it.
#pragma once

#include <arrow-adbc/adbc.h>
#include <arrow/c/abi.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <memory>
#include <string>
#include <vector>

#include "adapters/adbc/call_watch_internal.h"
#include "base/result.h"

namespace tidemark {

/// A statement of a connection, released with it.
class StatementHandle {
 public:
  explicit StatementHandle(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {}
  ~StatementHandle();
  StatementHandle(const StatementHandle&) = delete;
  StatementHandle& operator=(const StatementHandle&) = delete;

  Result<void> Open(struct ::AdbcConnection* connection);
  Result<void> SetText(const std::string& sql);
  Result<void> SetOption(const std::string& name, const std::string& value);
  Result<void> Bind(const std::shared_ptr<arrow::RecordBatch>& parameters);

  struct AdbcStatement* get() { return &statement_; }
  const std::vector<std::string>& secrets() const { return secrets_; }

 private:
  struct AdbcStatement statement_ = {};
  std::vector<std::string> secrets_;
};

/// Reads what a statement gives. Holds, from the inside out, the stream, the watch, the statement and `keeps`
/// (the connection), and lets them go in that order.
class QueryStream final : public arrow::RecordBatchReader {
 public:
  QueryStream(std::shared_ptr<const void> keeps, std::unique_ptr<StatementHandle> statement,
              std::unique_ptr<CallWatch> watch);
  ~QueryStream() override;

  /// Runs the statement, and learns the result's schema.
  Result<void> Start();

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override;
  arrow::Status Close() override;

 private:
  Error ErrorOfStream(int code);
  void Release();

  std::shared_ptr<const void> keeps_;
  std::unique_ptr<StatementHandle> statement_;
  std::unique_ptr<CallWatch> watch_;
  struct ArrowArrayStream stream_ = {};
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace tidemark
