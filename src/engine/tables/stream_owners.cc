// Marks are read again when the table's properties are others.
#include "engine/tables/stream_owners.h"

#include <algorithm>
#include <utility>

namespace tidemark {

Result<bool> StreamOwners::Stand(OfflineStore& store, TableId table_id, std::span<const StreamPart> parts) {
  if (parts.empty()) return true;
  std::shared_ptr<Known> known;
  {
    const std::lock_guard lock(mutex_);
    auto& kept = known_[table_id];
    if (kept == nullptr) kept = std::make_shared<Known>();
    known = kept;
  }
  const std::lock_guard lock(known->mutex);
  if (known->table == nullptr) {
    TM_ASSIGN(known->table, store.Open(table_id));
  }
  TM_ASSIGN(auto properties, known->table->Properties());
  if (properties != known->properties) {
    TM_ASSIGN(known->marks, StreamMarksOf(*properties));
    known->properties = std::move(properties);
  }
  return std::ranges::all_of(parts,
                             [&](const StreamPart& part) { return StreamPartStands(part, known->marks); });
}

}  // namespace tidemark
