// The queries that compute rows of feature tables (model/definition.h, BatchQuery): what they may name, the
// columns that they give, and their rows.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/catalog.h"
#include "engine/sql/sql_queries.h"
#include "engine/tables/range_marks.h"

namespace tidemark {

/// What queries are run by. `queries` must outlive it.
struct BatchQueryParts {
  const SqlQueries& queries;
  std::string project;
  std::string
      database;  // the project's: sources and views may be named with it in front, or with the project
};

/// The columns that the query of `view` gives, as it will be; nothing is run. `inputs` are the views that it
/// reads, whose rows need not be there yet, in the order of view.batch->views. Errors as SqlEngine;
/// kNotFound for a table that is not among its sources and views, or an event time that the result does not
/// have; kTypeMismatch if that is no timestamp.
Result<std::shared_ptr<arrow::Schema>> DescribeBatchQuery(const FeatureView& view,
                                                          const std::vector<CatalogView>& inputs,
                                                          const SqlOptions& options,
                                                          const BatchQueryParts& parts);

/// The rows that the query gives for a range, streamed: those with event times in it. `catalog` is the
/// view's.
Result<std::shared_ptr<arrow::RecordBatchReader>> RunBatchQuery(const std::shared_ptr<const Catalog>& catalog,
                                                                const CatalogView& view, TimeSpan range,
                                                                const SqlOptions& options,
                                                                const BatchQueryParts& parts);

/// What the query is known by in the ranges that were computed by it: 16 hexadecimal digits, others for
/// another text or other sources.
std::string BatchQueryId(const BatchQuery& query);

}  // namespace tidemark
