// Finds where the rows of a CSV text begin, and quotes that are out of place, without parsing values.
//
// Arrow's parser takes a quote that is never closed for a value that goes on to the end of the file, and text
// behind a closing quote for a part of the value: a forgotten quote would swallow rows in silence. It reads
// what this scanner lets through in the same way: a value is quoted if its first byte is a quote, quotes in
// it are doubled, blank lines are no rows.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/source.h"

namespace tidemark {

/// Rows are counted as an editor shows them: the header is row 1. (A value with line ends in it makes a row
/// longer than a line.)
inline constexpr std::int64_t kCsvFirstDataRow = 2;

/// A run of whole rows.
struct CsvPart {
  std::int64_t offset = 0;     // of its first byte in the file
  std::int64_t bytes = -1;     // -1: to the end
  std::int64_t first_row = 1;  // the number of its first row; 1: the header
};

class CsvRowScanner {
 public:
  /// The next row to begin is `next_row`.
  explicit CsvRowScanner(std::int64_t next_row = 1) : row_(next_row - 1) {}

  /// Goes over the next bytes. kInvalidData names the row in which a closing quote is followed by text.
  Result<void> Take(std::string_view text);

  /// Nothing follows. kInvalidData names the row in which a quote was opened that is never closed.
  Result<void> End() const;

  /// From now on a new part begins with the first row behind `bytes` of the part before.
  void CutEvery(std::int64_t bytes) { part_bytes_ = bytes; }
  const std::vector<CsvPart>& parts() const { return parts_; }

  /// The row that is being read, or was read last.
  std::int64_t row() const { return row_; }

 private:
  enum class Place : std::uint8_t { kRowStart, kValueStart, kPlainValue, kQuotedValue, kQuoteInQuoted };

  void BeginRow(std::int64_t offset);
  // Where the next byte is that may end the value.
  std::size_t SkipPlain(std::string_view text, std::size_t at) const;

  Place place_ = Place::kRowStart;
  std::int64_t row_;
  std::int64_t offset_ = 0;  // of the next byte to take
  std::int64_t part_bytes_ = 0;
  std::vector<CsvPart> parts_;
};

/// How a CSV file that is not compressed is cut into parts of some `part_bytes`; the first begins with the
/// header. Reads all of it once. kInvalidData as above; kCancelled on `stop`.
Result<std::vector<CsvPart>> CutCsv(const SourceFile& file, std::int64_t part_bytes,
                                    const std::stop_token& stop);

}  // namespace tidemark
