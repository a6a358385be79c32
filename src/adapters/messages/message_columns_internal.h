// The columns that messages fill, one value after the other.
#pragma once

#include <arrow/array.h>
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/messages/decoded_rows_internal.h"
#include "adapters/messages/wanted_columns_internal.h"
#include "base/result.h"
#include "rows/json_columns.h"

namespace tidemark::messages {

/// How deep JSON messages, and keys, may be nested.
inline constexpr std::size_t kJsonDepthMax = 64;

/// Parses a JSON text of a message; the element is valid until the next one. False, with why, for what is no
/// JSON. `parser` has been given kJsonDepthMax.
bool ParseMessageJson(simdjson::dom::parser& parser, std::string_view text, simdjson::dom::element& root,
                      std::string& why);
/// For kJsonDepthMax.
Result<void> PrepareParser(simdjson::dom::parser& parser);

class MessageColumns {
 public:
  /// `texts_as_csv`: texts are cells of CSV.
  explicit MessageColumns(const WantedColumns& wanted, bool texts_as_csv = false);

  /// Puts a value of the row `row` into the columns of a member. False, with why, if it does not fit or the
  /// row has one already; the row is then completed and does not count.
  bool Append(std::size_t member, simdjson::dom::element value, std::int64_t row, std::string& why);
  bool AppendText(std::size_t member, std::string_view text, std::int64_t row, std::string& why);
  /// A column, for values in other forms: at most one a row.
  JsonColumn& at(std::size_t column) { return columns_[column]; }
  /// Completes the columns with nulls: they have `rows` rows then.
  Result<void> FillWithNulls(std::int64_t rows);
  /// The columns; they begin anew.
  Result<arrow::ArrayVector> Finish();

  /// Puts a tombstone's key into the join keys. False, with why, as above.
  bool AppendKey(std::string_view key, std::int64_t row, std::string& why);

 private:
  template <typename AppendTo>
  bool AppendWith(std::size_t member, std::int64_t row, std::string& why, const AppendTo& append);
  bool AppendKeyObject(simdjson::dom::object object, std::int64_t row, std::string& why);
  bool AppendOnlyKey(std::string_view key, std::int64_t row, std::string& why);

  const WantedColumns& wanted_;
  std::vector<JsonColumn> columns_;
  simdjson::dom::parser key_parser_;
  bool is_prepared_ = false;
};

/// Decodes one call's tombstone: its key becomes a row, or it is rejected.
Result<void> AddTombstone(const StreamMessage& message, std::size_t number, MessageColumns& columns,
                          DecodedRows& rows);

/// The bytes as text.
std::string_view TextOf(std::span<const std::byte> bytes);

}  // namespace tidemark::messages
