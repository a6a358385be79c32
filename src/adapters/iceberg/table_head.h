// The newest metadata of a table, read where the catalog says it is.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "adapters/iceberg/table_metadata.h"
#include "base/result.h"
#include "store/table_catalog.h"

namespace tidemark::iceberg {

/// One state of a table's metadata.
struct Head {
  std::string location;  // of the metadata file
  TableMetadata metadata;
};

/// Reads a metadata file. Errors name it.
Result<std::shared_ptr<const Head>> ReadHead(const std::string& location);

/// Loads heads of one table; a file that was read is not read again. Thread safe.
class HeadLoader {
 public:
  HeadLoader(const TableCatalog& catalog, TableId id) : catalog_(catalog), id_(id) {}

  Result<std::shared_ptr<const Head>> Load();
  /// What the next Load finds, unless the catalog says otherwise by then.
  void Keep(std::shared_ptr<const Head> head);

 private:
  const TableCatalog& catalog_;
  const TableId id_;
  std::mutex mutex_;
  std::shared_ptr<const Head> kept_;
};

}  // namespace tidemark::iceberg
