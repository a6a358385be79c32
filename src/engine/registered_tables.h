// Tables over files that were there before: registered where they lie, extended by partitions, refreshed.
//
// A registration is an object of the registry. What it has of Parquet is a foreign table of the catalog, of
// CSV a note; an object without either is what a process left that was killed while it registered, and counts
// for nothing. Processes that change one table wait for each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/registered_listing.h"
#include "model/registered_table.h"
#include "store/external_files.h"
#include "store/foreign_tables.h"
#include "store/registry.h"
#include "store/sql_engine.h"
#include "store/table_catalog.h"

namespace tidemark {

struct RegisteredTablesParts {
  std::string project;
  std::string own_database;  // where feature views are, unless they say another
  std::function<Result<std::vector<std::string>>()> databases;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<TableCatalog> catalog;
  std::shared_ptr<ForeignTables> foreign;
  std::shared_ptr<const ExternalFiles> files;
  std::shared_ptr<const Clock> clock;
  std::string lock_file;  // by which processes wait for each other
  std::size_t threads = 0;
};

struct RegisterRequest {
  std::string database;
  std::string table;
  std::string path;
  /// Names of the folders' columns, which they must be, or partitions ("y=2019/m=07"); empty: all found.
  std::vector<std::string> partitions = {};
  std::stop_token stop = {};
};

/// A registered table and what it has.
struct RegisteredInfo {
  std::uint32_t id = 0;
  RegisteredTable table = {};
  std::vector<CsvColumn> columns = {};           // of files and folders
  std::vector<std::string> folder_columns = {};  // those of them that no file has
  std::vector<ForeignFile> files = {};           // as they were seen last; for Parquet perhaps only the size
  std::int64_t rows = -1;                        // -1: not known (CSV)
  std::int64_t snapshot_id = 0;                  // of Parquet
  std::vector<std::string> warnings = {};

  std::size_t partitions() const;
};

struct AddedPartitions {
  std::vector<std::string> added = {};    // those that have new files
  std::vector<std::string> present = {};  // were there already, with all of their files
  std::int64_t files = 0;
  std::size_t batches = 0;
  std::vector<std::string> new_columns = {};
  std::vector<std::string> widened = {};
  std::vector<std::string> warnings = {};
};

struct RefreshedTable {
  std::string table;
  std::vector<std::string> files_added = {};
  std::vector<std::string> files_removed = {};
  std::vector<std::string> files_changed = {};
  std::vector<std::string> partitions_added = {};
  std::vector<std::string> new_columns = {};
  std::vector<std::string> widened = {};
  std::vector<std::string> warnings = {};  // files that were left out, and why
  std::optional<Error> error = {};         // then nothing was changed
};

/// Thread safe.
class RegisteredTables {
 public:
  explicit RegisteredTables(RegisteredTablesParts parts) : parts_(std::move(parts)) {}

  /// kNotFound for the database or the path; kAlreadyExists for the table; kInvalidArgument for partitions
  /// that are none; what reading the files says (ForeignTables). Then nothing is changed.
  Result<RegisteredInfo> Register(const RegisterRequest& request);

  /// In commits of at most 99 partitions. All files are looked into before the first; a commit that fails
  /// later leaves those before it, and the error says how far it came.
  Result<AddedPartitions> AddPartitions(std::string_view database, std::string_view table,
                                        const std::vector<std::string>& partitions,
                                        const std::stop_token& stop);

  /// Brings tables up to what lies in their folders; all if none is named. kNotFound for a name.
  Result<std::vector<RefreshedTable>> Refresh(const std::vector<std::string>& names,
                                              const std::stop_token& stop);

  Result<std::vector<RegisteredInfo>> List() const;
  /// What was registered, without looking at what the tables have.
  Result<std::vector<RegisteredTable>> Registered() const;
  /// The table of a full name, `database.table`; nothing if none is registered under it.
  Result<std::optional<RegisteredInfo>> Find(std::string_view full_name) const;

  /// Forgets the table, and touches no file of it. False if there is none of that name.
  Result<bool> Drop(std::string_view full_name);

  /// The rows of a CSV table.
  Result<std::unique_ptr<Source>> OpenCsv(const RegisteredInfo& info,
                                          ExternalFiles::CsvReading reading) const;

  /// kNotFound for a file that is gone and kInvalidData for one that was written over, naming it.
  Result<void> CheckFiles(const RegisteredInfo& info) const;

  /// For queries: kNotFound for a file that is gone and kInvalidData for one that was written over, naming
  /// it.
  Result<SqlTable> ForSql(const RegisteredInfo& info) const;

 private:
  struct Object {
    std::uint32_t id = 0;
    RegisteredTable table;
    std::int64_t serial = 0;
  };
  class Lock;

  Result<std::unique_ptr<Lock>> LockTable(std::string_view full_name, const std::stop_token& stop) const;
  Result<std::vector<Object>> Objects() const;
  Result<Object> ObjectNamed(std::string_view database, std::string_view table) const;
  Result<bool> IsWhole(const Object& object) const;
  Result<RegisteredInfo> Load(const Object& object) const;
  Result<std::optional<RegisteredInfo>> LoadIfThere(const Object& object) const;
  Result<TableListing> Listing(std::uint32_t id) const;
  Result<void> PutListing(std::uint32_t id, TableListing listing) const;
  Result<void> CheckFree(const RegisterRequest& request) const;
  Result<void> RemoveRemains(std::string_view full_name) const;
  Result<void> RemoveObject(const Object& object) const;
  Result<Object> AddObject(const RegisteredTable& table) const;
  Result<FoundFiles> FilesToRegister(const RegisterRequest& request, const ExternalPlace& place) const;
  Result<RegisteredInfo> Make(const RegisterRequest& request, const ExternalPlace& place,
                              const FoundFiles& found, std::vector<FolderColumn> columns);
  Result<std::vector<std::string>> Fill(const Object& object, const FoundFiles& found,
                                        const std::stop_token& stop);
  Result<std::vector<std::vector<CsvColumn>>> CsvColumnsOf(const std::vector<ForeignFile>& files,
                                                           const std::stop_token& stop) const;
  Result<void> AddParquet(const Object& object, std::vector<std::vector<ForeignFile>> batches,
                          const std::stop_token& stop, AddedPartitions& report);
  Result<void> AddCsv(const Object& object, const std::vector<std::vector<ForeignFile>>& batches,
                      const std::stop_token& stop, AddedPartitions& report);
  Result<void> RefreshOne(const Object& object, const std::stop_token& stop, RefreshedTable& report);
  struct Differences;
  Result<Differences> Compare(const Object& object, const RegisteredInfo& info, const TableListing& known,
                              RefreshedTable& report) const;
  Result<void> RefreshParquet(const Object& object, const Differences& differences,
                              const std::stop_token& stop, RefreshedTable& report);
  Result<void> RefreshCsv(const Object& object, const Differences& differences, const std::stop_token& stop,
                          RefreshedTable& report);

  const RegisteredTablesParts parts_;
};

}  // namespace tidemark
