#include "adapters/iceberg/iceberg_testing.h"

#include <algorithm>
#include <utility>

namespace tidemark::testing_support {

Result<void> MemoryTableCatalog::Add(const CatalogEntry& entry) {
  const std::lock_guard lock(mutex_);
  if (IsTaken(entry.name)) return Fail(ErrorCode::kAlreadyExists, "the name is taken");
  if (!entries_.emplace(entry.id, entry).second) return Fail(ErrorCode::kAlreadyExists, "the id is taken");
  return {};
}

bool MemoryTableCatalog::IsTaken(const TableName& name) const {
  return std::ranges::any_of(entries_, [&](const auto& entry) { return entry.second.name == name; });
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
  if (IsTaken(name)) return Fail(ErrorCode::kAlreadyExists, "the name is taken");
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

}  // namespace tidemark::testing_support
