// Cuts a CSV file into blocks of whole rows and parses them one by one.
//
// Every block is parsed by Arrow on its own, so memory stays bounded, types can be guessed from all of a file
// and not only from its beginning, and an error's row is known.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/delimiting.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/files/csv_rows.h"
#include "base/result.h"
#include "store/source.h"

namespace tidemark {

/// By its name: such a file is read from its beginning only.
bool IsCompressed(const SourceFile& file);

/// kInvalidData for a quote that does not close, or closes too early, with the row; for those who parse a
/// whole file by other means.
Result<void> CheckCsvQuotes(const SourceFile& file);

/// What to read of a file, and how.
struct CsvRequest {
  std::vector<std::string> columns;                               // in this order; empty: all
  std::map<std::string, std::shared_ptr<arrow::DataType>> types;  // others are guessed for each block anew
};

/// A CSV file, or a part of it, being read forwards. Rows end with LF or CRLF; the first is the header;
/// values may be quoted, with quotes doubled and newlines inside; a UTF-8 byte order mark is passed over;
/// `.gz` is decompressed. Empty values are null, `""` is empty text. Not thread safe.
class CsvBlocks {
 public:
  /// kInvalidData if the file has no header, or two columns of one name.
  static Result<std::unique_ptr<CsvBlocks>> Open(const SourceFile& file, CsvRequest request);

  /// A part as CutCsv found it; `names` are those of the file's header. The first part has the header in it.
  static Result<std::unique_ptr<CsvBlocks>> OpenPart(const SourceFile& file, const CsvPart& part,
                                                     std::vector<std::string> names, CsvRequest request);

  const std::vector<std::string>& names() const { return names_; }

  /// The rows of the next block; a null pointer at the end. kInvalidData for rows with too few or too many
  /// values, values that are not of their column's type, text that is not UTF-8, and quotes that do not
  /// close: row and column are named.
  Result<std::shared_ptr<arrow::Table>> Next();

 private:
  CsvBlocks(std::shared_ptr<arrow::io::InputStream> stream, const CsvPart& part, CsvRequest request);

  Result<void> ReadHeader();
  // Whole rows, or an empty pointer at the end.
  Result<std::shared_ptr<arrow::Buffer>> NextText();
  Result<std::shared_ptr<arrow::Table>> Parse(const std::shared_ptr<arrow::Buffer>& text,
                                              const CsvRequest& request);
  // The error of a block that does not parse, with the row and column at fault.
  Error Locate(const std::shared_ptr<arrow::Buffer>& text, const arrow::Status& status);

  std::shared_ptr<arrow::io::InputStream> stream_;
  CsvRequest request_;
  std::unique_ptr<arrow::Chunker> chunker_;
  std::vector<std::string> names_;
  std::shared_ptr<arrow::Buffer> pending_;  // read, and not yet handed over
  std::shared_ptr<arrow::Buffer> first_;    // the rows that begin with the header, until they are handed over
  CsvRowScanner scanner_;                   // has gone over what was read
  std::int64_t left_bytes_;                 // of the part in stream_; below zero: to the end
  bool ended_ = false;                      // nothing is left in stream_
  std::int64_t next_row_;                   // the number of the next block's first row
  std::int64_t ragged_row_ = 0;             // within the block being parsed, from 1; 0: none
  std::string ragged_;                      // what is wrong with it
};

}  // namespace tidemark
