// Where each table of the offline store has its newest metadata, and the databases that tables lie in.
//
// One pointer per table, changed by compare-and-swap: that swap is the commit of everything that the metadata
// behind it names. Other engines read the same rows (the layout of Iceberg's SQL catalog), and may write
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// Opaque, given by the registry, never given twice: that of the feature view whose rows the table keeps.
using TableId = std::uint32_t;

/// The name under which other engines find a table.
struct TableName {
  std::string database;
  std::string name;
  bool listed = true;  // false: kept apart, so that no other engine lists it
  bool operator==(const TableName&) const = default;
};

struct CatalogEntry {
  TableId id = 0;
  TableName name;
  std::string metadata_location;  // a URI
  bool operator==(const CatalogEntry&) const = default;
};

/// Thread safe; several processes may use one catalog. Besides what is said at each function: kBusy when
/// another process holds it for longer than the time-out, kCorruption when it is damaged, kIo, kOutOfSpace.
class TableCatalog {
 public:
  virtual ~TableCatalog() = default;

  /// Adds a table; its database is made if it is not there. kAlreadyExists if the id or the name is taken
  /// (names by their spelling; names that differ only in case are duplicates too).
  virtual Result<void> Add(const CatalogEntry& entry) = 0;

  /// kNotFound, naming the table, if there is none; also when another engine dropped or renamed it.
  virtual Result<CatalogEntry> Get(TableId id) const = 0;

  /// Every table that was added here, by id.
  virtual Result<std::vector<CatalogEntry>> List() const = 0;

  /// Where the table `database.name` of the listed ones is, also one that another engine made. kNotFound.
  virtual Result<std::string> FindLocation(std::string_view database, std::string_view name) const = 0;

  /// Points the table at `next` if it still points at `expected`, durably; false, with nothing changed, if it
  /// points elsewhere. kUnknownFate if it may have happened: look. kNotFound.
  virtual Result<bool> Swap(TableId id, std::string_view expected, std::string_view next) = 0;

  /// kNotFound; kAlreadyExists if the new name is taken.
  virtual Result<void> Rename(TableId id, const TableName& name) = 0;

  /// Forgets the table; nothing happens if it is not there.
  virtual Result<void> Remove(TableId id) = 0;

  /// Databases of listed tables, by name. Making one that is there, and dropping one that is not, is fine;
  /// kInvalidArgument for dropping one that has tables.
  virtual Result<std::vector<std::string>> Databases() const = 0;
  virtual Result<void> CreateDatabase(std::string_view name) = 0;
  virtual Result<void> DropDatabase(std::string_view name) = 0;
};

}  // namespace tidemark
