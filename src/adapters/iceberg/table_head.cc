#include "adapters/iceberg/table_head.h"

#include <fmt/format.h>

#include "adapters/iceberg/named_file.h"

namespace tidemark::iceberg {

Result<std::shared_ptr<const Head>> ReadHead(const std::string& location) {
  TM_ASSIGN(const std::filesystem::path path, ToPath(location));
  TM_ASSIGN(const std::string bytes, ReadNamedFile(path));
  auto metadata = ReadTableMetadata(bytes);
  if (!metadata) return std::unexpected(std::move(metadata).error().In("file " + path.string()));
  return std::make_shared<const Head>(Head{location, *std::move(metadata)});
}

Result<std::shared_ptr<const Head>> HeadLoader::Load() {
  std::string missed;  // a location that the catalog gave and where there was no file
  while (true) {
    TM_ASSIGN(const CatalogEntry entry, catalog_.Get(id_));
    {
      const std::lock_guard lock(mutex_);
      if (kept_ != nullptr && kept_->location == entry.metadata_location) return kept_;
    }
    auto head = ReadHead(entry.metadata_location);
    if (head) {
      Keep(*head);
      return head;
    }
    // Old metadata files are removed in time: this one may have been replaced since the catalog was asked.
    if (head.error().code != ErrorCode::kNotFound) return head;
    if (entry.metadata_location == missed) {
      return Fail(
          ErrorCode::kCorruption,
          fmt::format("the metadata of table '{}.{}' is not where the catalog (registry.db, or what "
                      "registry.path names) says: {}. Restore the store's folder from a backup; if it was "
                      "moved, run `tidemark relocate`",
                      entry.name.database, entry.name.name, head.error().message));
    }
    missed = entry.metadata_location;
  }
}

void HeadLoader::Keep(std::shared_ptr<const Head> head) {
  const std::lock_guard lock(mutex_);
  kept_ = std::move(head);
}

}  // namespace tidemark::iceberg
