// A store in a folder with one table, `visits` (user string, n int64, place string), and rows for it.
#pragma once

#include <arrow/table.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tidemark/store.h"
#include "wiring/embedded_tables.h"

namespace tidemark::testing_support {

struct Visit {
  std::string user;
  std::int64_t n = 0;
  std::string place;
};

/// Makes the store, with the work in the background switched off.
std::unique_ptr<Store> MakeVisitsStore(const std::filesystem::path& folder);

/// The key of one user.
std::shared_ptr<arrow::RecordBatchReader> VisitKey(const std::string& user);
/// The rows, an hour apart.
std::shared_ptr<arrow::RecordBatchReader> VisitRows(const std::vector<Visit>& visits);
void IngestVisits(Store& store, const std::vector<Visit>& visits, WriteTarget to = WriteTarget::kUsual);
/// "user n" of all rows, sorted.
std::vector<std::string> VisitsOf(Store& store);

/// Files under the folder that have the text in them, Parquet pages decompressed.
std::vector<std::string> FilesWith(const std::filesystem::path& folder, std::string_view text);

/// The parts of an embedded store's tables in a folder where a store is.
EmbeddedTablesParts PartsIn(const std::filesystem::path& folder, std::shared_ptr<const Clock> clock);
std::shared_ptr<const CatalogView> VisitsView(const Registry& registry);

}  // namespace tidemark::testing_support
