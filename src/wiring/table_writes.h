// Rows that users write: into feature tables, and into the folders that views have as batch sources.
#pragma once

#include <arrow/table.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "engine/tables/feature_tables.h"
#include "tidemark/arrow_c.h"
#include "tidemark/tables.h"
#include "wiring/unfinished_loads.h"

namespace tidemark {

/// Rows as a caller gives them: exactly one of the two.
struct GivenRows {
  ArrowArrayStream* stream = nullptr;  // taken over
  std::filesystem::path path;          // of a Parquet or CSV file
};

/// Opens them; columns of a file whose types are known are read as these.
Result<std::shared_ptr<arrow::RecordBatchReader>> OpenGivenRows(
    const GivenRows& rows, FunctionRef<std::map<std::string, DataType>()> types, std::size_t threads);

class TableWrites {
 public:
  struct Parts {
    std::shared_ptr<const Catalog> catalog;
    std::function<Result<std::shared_ptr<const Catalog>>()> reload;  // after `apply`
    std::function<Result<std::shared_ptr<FeatureTables>>()> tables;
    std::function<Result<void>(const Definitions&)> apply;
    /// Loads what is new of a view online; how many rows changed.
    std::function<Result<std::int64_t>(const std::string& view, const std::stop_token& stop)> load_online;
    std::string own_database;  // of the project
    UnfinishedLoads* loads = nullptr;
    std::size_t threads = 1;
  };
  struct Written {
    IngestReport report;
    std::int64_t deletions = 0;              // of rows that a range has no more
    std::shared_ptr<arrow::Table> rejected;  // null: none
  };

  explicit TableWrites(Parts parts) : parts_(std::move(parts)) {}

  Result<Written> Ingest(std::string_view view, const GivenRows& rows, const IngestOptions& options) const;
  /// Rows that the view's query gave for a range take the place of those that it has there. Of a range that
  /// was done meanwhile nothing is written: `report.repeated`.
  Result<Written> WriteRange(const CatalogView& view, std::shared_ptr<arrow::RecordBatchReader> rows,
                             const WrittenRange& range, const IngestOptions& options) const;
  Result<Written> Delete(std::string_view view, const GivenRows& rows, std::optional<std::int64_t> event_us,
                         const IngestOptions& options) const;
  Result<std::vector<std::pair<std::string, IngestReport>>> Push(std::string_view source,
                                                                 const GivenRows& rows,
                                                                 const IngestOptions& options) const;

 private:
  struct Target;
  Result<Target> Find(std::string_view name) const;
  class PushedRows;
  struct Pushed;
  Result<void> WritePushed(const PushedRows& pushed, std::vector<Pushed>& pushes) const;
  Result<void> CheckTakes(const CatalogView& view, const IngestRequest& request) const;
  Result<Written> Write(const Target& target, std::shared_ptr<arrow::RecordBatchReader> rows,
                        IngestRequest request) const;
  Result<Written> Check(const Target& target, std::shared_ptr<arrow::RecordBatchReader> rows,
                        IngestRequest request) const;
  Result<void> TypeKeys(Target& target, const arrow::Schema& schema) const;

  Parts parts_;
};

}  // namespace tidemark
