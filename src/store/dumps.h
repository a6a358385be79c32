// Results of statements that were written to files, to be read again by their ids.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/table_catalog.h"

namespace tidemark {

struct DumpColumn {
  std::string name;
  std::string type;  // Arrow's, as text
  bool operator==(const DumpColumn&) const = default;
};

struct DumpInfo {
  std::string id;                            // letters, digits and -
  std::string sql;                           // what was asked
  std::int64_t begun_us = 0;                 // before its tables were opened
  std::vector<std::string> tables = {};      // that the statement reads: database.name
  std::vector<TableId> feature_tables = {};  // those of them that Tidemark keeps
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::vector<DumpColumn> columns = {};
  std::filesystem::path path = {};  // the Parquet file
  std::string damage = {};          // why it cannot be read; empty: as far as is known it can
};

/// A dump that is being written. It is known to be, by what is read, until it is finished or goes: with this
/// object, or with the process.
class UnfinishedDump {
 public:
  virtual ~UnfinishedDump() = default;
  /// The file to be written.
  virtual const std::filesystem::path& path() const = 0;
  /// Makes it a dump, durably: whole or not at all.
  virtual Result<DumpInfo> Finish(std::int64_t rows) = 0;
};

/// The dumps of a store. Thread safe; several processes may use it. Ids that are given may be any text:
/// kNotFound for those of no dump.
class Dumps {
 public:
  virtual ~Dumps() = default;

  /// Begins a dump of which `info` says sql, begun_us and tables, before any table is opened for it.
  virtual Result<std::unique_ptr<UnfinishedDump>> Begin(DumpInfo info) = 0;
  /// Oldest first. What writers that were killed have left is removed.
  virtual Result<std::vector<DumpInfo>> List() = 0;
  /// Feature tables of the dumps that other threads and processes are writing, by the dump's id.
  virtual Result<std::vector<std::pair<std::string, std::vector<TableId>>>> BeingWritten() = 0;
  virtual Result<DumpInfo> Find(std::string_view id) const = 0;
  /// Its rows. kCorruption if it is not what was written, or cut off: that is found before the first row.
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Read(std::string_view id,
                                                                 const std::stop_token& stop) const = 0;
  virtual Result<void> Remove(std::string_view id) = 0;
};

}  // namespace tidemark
