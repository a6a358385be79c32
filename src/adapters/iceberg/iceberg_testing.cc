#include "adapters/iceberg/iceberg_testing.h"

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include "pit/columns.h"

namespace tidemark::testing_support {

Result<void> MemoryTableCatalog::Add(const CatalogEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (!entries_.emplace(entry.id, entry).second) return Fail(ErrorCode::kAlreadyExists, "the id is taken");
  return {};
}

Result<CatalogEntry> MemoryTableCatalog::Get(TableId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return Fail(ErrorCode::kNotFound, "no such table");
  return found->second;
}

Result<std::vector<CatalogEntry>> MemoryTableCatalog::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<CatalogEntry> all;
  for (const auto& [id, entry] : entries_)
    all.push_back(entry);
  return all;
}

Result<std::string> MemoryTableCatalog::FindLocation(std::string_view database, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry.name.listed && entry.name.database == database && entry.name.name == name)
      return entry.metadata_location;
  }
  return Fail(ErrorCode::kNotFound, "no such table");
}

Result<bool> MemoryTableCatalog::Swap(TableId id, std::string_view expected, std::string_view next) {
  std::optional<Error> answer;
  if (before_swap) {
    // Taken away while it runs: it may itself commit.
    const auto hook = std::exchange(before_swap, {});
    if (auto called = hook(); !called) answer = std::move(called).error();
  }
  if (answer && !swaps_all_the_same) return std::unexpected(*answer);
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return Fail(ErrorCode::kNotFound, "no such table");
  const bool fits = found->second.metadata_location == expected;
  if (fits) found->second.metadata_location = next;
  if (answer) return std::unexpected(*answer);
  return fits;
}

Result<void> MemoryTableCatalog::Rename(TableId id, const TableName& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return Fail(ErrorCode::kNotFound, "no such table");
  found->second.name = name;
  return {};
}

Result<void> MemoryTableCatalog::Remove(TableId id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
  return {};
}

Result<std::vector<std::string>> MemoryTableCatalog::Databases() const {
  return std::vector<std::string>{};
}
Result<void> MemoryTableCatalog::CreateDatabase(std::string_view /*name*/) {
  return {};
}
Result<void> MemoryTableCatalog::DropDatabase(std::string_view /*name*/) {
  return {};
}

std::shared_ptr<arrow::RecordBatchReader> ReaderOf(std::vector<std::shared_ptr<arrow::RecordBatch>> batches) {
  return arrow::RecordBatchReader::Make(std::move(batches)).ValueOrDie();
}

TableLayout DriverLayout() {
  return {.columns = {{.name = "driver", .type = {.kind = TypeKind::kInt64}, .required = true},
                      {.name = "event", .type = {.kind = TypeKind::kTimestamp}, .required = true},
                      {.name = "rating", .type = {.kind = TypeKind::kFloat64}},
                      {.name = "city", .type = {.kind = TypeKind::kString}}},
          .sort_columns = {"driver", "event"},
          .system = {.event_time = "event"}};
}

std::shared_ptr<arrow::RecordBatch> DriverRows(std::int64_t first, std::int64_t count) {
  arrow::Int64Builder driver;
  arrow::TimestampBuilder event(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::DoubleBuilder rating;
  arrow::StringBuilder city;
  for (std::int64_t i = first; i < first + count; ++i) {
    EXPECT_TRUE(driver.Append(i).ok());
    EXPECT_TRUE(event.Append(1'700'000'000'000'000 + i * 1'000'000).ok());
    EXPECT_TRUE((i % 3 == 0 ? rating.AppendNull() : rating.Append(static_cast<double>(i) / 7)).ok());
    EXPECT_TRUE((i % 5 == 0 ? city.AppendNull() : city.Append("city " + std::to_string(i % 11))).ok());
  }
  const auto schema =
      arrow::schema({arrow::field("driver", arrow::int64()), arrow::field("event", event.type()),
                     arrow::field("rating", arrow::float64()), arrow::field("city", arrow::utf8())});
  return arrow::RecordBatch::Make(schema, count,
                                  {driver.Finish().ValueOrDie(), event.Finish().ValueOrDie(),
                                   rating.Finish().ValueOrDie(), city.Finish().ValueOrDie()});
}

}  // namespace tidemark::testing_support
