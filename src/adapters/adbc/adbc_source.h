// Source (store/source.h) over a table or query of a warehouse.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "store/source.h"
#include "store/spill.h"

namespace tidemark {

struct AdbcSourceOptions {
  std::map<std::string, DataType> column_types = {};       // as SourceOpener has them
  SourceNeeds needs = {};                                  // no more than these are read
  std::vector<std::filesystem::path> driver_folders = {};  // connection.h
  std::int64_t memory_bytes_max = 0;                       // of rows that are held; 0: a part of a gigabyte
  SpillOpener spill = {};                                  // for the others
  std::stop_token stop = {};
};

/// Connects, and finds out the columns. The rows are read by the first call of FragmentsOf, all by one
/// statement, so that they are of one moment, and kept: both passes of a kernel see the same ones. There is
/// one file, which stands for the table. Rows equal in both timestamps have the order in which the server
/// gives them: for a PostgreSQL table that in which they lie (where an index is used: by its columns, then
/// so), for a query its ORDER BY; of other warehouses nothing is known.
///
/// Errors say which warehouse: kUnavailable if it cannot be reached, is lost on the way or takes longer than
/// the source's timeout; kPermissionDenied; kNotFound for a driver or a table; kTypeMismatch for a value that
/// does not fit the type that it is read as. No error shows a secret.
Result<std::unique_ptr<Source>> OpenAdbcSource(const BatchSource& definition,
                                               const AdbcSourceOptions& options);

}  // namespace tidemark
