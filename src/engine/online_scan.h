// The keys that lookups of a view find, page by page.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/catalog.h"
#include "store/online_store.h"
#include "tidemark/store.h"

namespace tidemark {

struct ScannedPage {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::string next;
};

/// What Store::ReadOnlineRows answers, at the moment `now_us`.
Result<ScannedPage> ScanOnlineRows(const CatalogView& view, const OnlineStore& online,
                                   const OnlineRowsOptions& options, std::int64_t now_us);

}  // namespace tidemark
