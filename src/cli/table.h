// Rows of cells, printed as an aligned table, JSON, CSV or Parquet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/session.h"

namespace tidemark::cli {

/// A cell is any JSON value; null is shown as such (nothing in CSV).
using Row = std::vector<Json>;

/// Prints rows as they come. Finish ends the output. kCancelled if the reader of a pipe has gone.
class RowPrinter {
 public:
  virtual ~RowPrinter() = default;
  virtual Result<void> Print(const Row& row) = 0;
  virtual Result<void> Finish() = 0;
};

/// To stdout, as kTable, kJson (an array of objects), kCsv, or kParquet. A table is aligned over all of its
/// rows.
std::unique_ptr<RowPrinter> MakeRowPrinter(OutputFormat format, std::vector<std::string> columns);

/// Prints a few rows at once.
Result<void> PrintRows(OutputFormat format, std::vector<std::string> columns, const std::vector<Row>& rows);

/// Prints one document: as JSON, for kTable as indented `name: value` lines, for kParquet as one row.
Result<void> PrintDocument(OutputFormat format, const Json& document);

/// Writes to stdout.
Result<void> WriteOut(const std::string& text);

/// A cell as it stands in a table: text bare, lists and objects as JSON.
std::string CellText(const Json& cell);

}  // namespace tidemark::cli
