// Feature tables: rows that Tidemark keeps itself, written by ingest, push and delete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "tidemark/arrow_c.h"

namespace tidemark {

/// How a table is made of a schema.
struct CreateTableOptions {
  std::string time_column = "event_timestamp";  // which of the schema's fields orders rows
  std::string time_unit = {};                   // of numbers there: s (also if empty), ms, us or ns
  bool online = true;
  bool catalog = true;        // listed for SQL and for other engines
  std::string database = {};  // that it lies in; empty: the project's own
};

enum class WriteTarget : std::uint8_t {
  kUsual,    // offline, and online where the view is kept online
  kOnline,   // rows that only lookups see; they cannot be rebuilt from the table
  kOffline,  // rows that come online by Materialize
  kBoth,
};

struct IngestOptions {
  WriteTarget to = WriteTarget::kUsual;
  bool dry_run = false;               // check every row, write nothing
  bool skip_bad_rows = false;         // rows that do not fit are given back instead of failing all
  bool reads_text = false;            // with it: text that is no value of its column's type is a bad row, too
  bool ignore_other_columns = false;  // columns that the table does not have are passed over
  std::string idempotency_key = {};   // the same batch again within a day changes nothing
  std::stop_token stop = {};
  std::function<void(std::int64_t rows)> progress = {};  // rows written by now
};

struct IngestReport {
  std::int64_t rows = 0;         // that were taken
  std::int64_t online_rows = 0;  // of them, how many are online now
  std::int64_t ahead = 0;        // too far ahead of the clock to be online: materialize brings them when due
  std::int64_t rejected = 0;     // that did not fit
  bool repeated = false;         // this batch was written before; nothing has changed
  std::string token;             // a read with `at_least` of this sees the write, or says that it cannot
  std::vector<std::string> warnings;
};

/// What of feature tables a read sees. Unset: all that was written.
struct TableReadOptions {
  std::optional<std::int64_t> as_of_us = {};     // rows written up to then
  std::optional<std::int64_t> snapshot_id = {};  // this snapshot of the one table that is read
  std::string at_least = {};                     // the token of a write that must be seen
};

/// Rows of one table, all versions of them.
struct ReadTableOptions {
  TableReadOptions reading = {};
  std::vector<std::string> columns = {};      // features; empty: all
  std::optional<std::int64_t> start_us = {};  // event times from here
  std::optional<std::int64_t> end_us = {};    // to here, both included
  ArrowArrayStream* entities = nullptr;       // rows of some join keys: only these entities; taken over
  bool latest = false;                        // the latest row of each entity only
  std::stop_token stop = {};
};

struct FlushReport {
  struct Table {
    std::string view;
    std::int64_t rows = 0;  // that came into files
    std::int64_t snapshot_id = 0;
  };
  std::vector<Table> tables;
};

struct CompactReport {
  struct Table {
    std::string view;
    std::int64_t files_before = 0;  // that were small, and are gone
    std::int64_t files_after = 0;   // that took their place
    std::int64_t rows = 0;          // in them
    std::int64_t bytes = 0;
  };
  std::vector<Table> tables;
};

struct ExpireSnapshotsOptions {
  std::int64_t older_than_us = 0;  // snapshots committed before this may go
  std::int64_t keep = 10;          // of the newest of each table, at least so many (1 or more)
};

struct ExpireSnapshotsReport {
  struct Table {
    std::string view;
    std::int64_t snapshots = 0;   // that are gone
    std::int64_t files = 0;       // that went with them
    std::int64_t bytes = 0;       // of those files
    std::int64_t being_read = 0;  // snapshots that stay until their readers are done
  };
  std::vector<Table> tables;
};

struct RelocateReport {
  struct Table {
    std::string table;           // database.name
    std::string from;            // the folder that it lay in
    std::string to;              // and lies in now
    std::int64_t snapshots = 0;  // that came along
  };
  std::vector<Table> tables;  // that were brought here; empty: there was nothing to do
};

}  // namespace tidemark
