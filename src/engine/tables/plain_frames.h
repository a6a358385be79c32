// Frames of one plain row, as PlainRow makes them, on their way back into batches of many rows.
//
// A busy log has mostly such frames. Decoded one by one, as batches of their own, they cost more than all
// else that is done with them; here their values are copied behind those of the frames before.
//
// A frame says its own columns, so that it can be read when the table has others by then; integers are
// little-endian, and nothing is aligned:
//
//   columns  uint32, how many bytes follow; of each column its name, NUL, its type as text, NUL, '?' if it
//            may be null or else '!'
//   nulls    a bit for each column, the lowest of each byte first: set for null; those left over are zero
//   values   of each column that is not null: a number, time or decimal as Arrow has it, a flag as a byte of
//            0 or 1, a text as uint32 and so many bytes
#pragma once

#include <arrow/buffer_builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// How a frame has the values of a type.
struct PlainType {
  enum class Kind : std::uint8_t { kWord, kFlag, kText };
  Kind kind = Kind::kWord;
  std::size_t bytes = 0;  // of a word
  int precision = 0;      // of a decimal
  bool is_utf8 = false;

  /// Nothing for a type whose values are more than bytes: a list, for one.
  static std::optional<PlainType> Of(const arrow::DataType& type);
};

/// What frames of rows of a schema begin with: `columns` above. kUnsupported for a type that no table has.
Result<std::string> EncodePlainSchema(const arrow::Schema& schema);

/// The row of a frame by itself, in the columns that it says. kCorruption for bytes that are no such frame.
Result<std::shared_ptr<arrow::RecordBatch>> DecodePlainRow(std::span<const std::byte> payload);

class PlainFrames {
 public:
  /// `encoded` is what EncodePlainSchema makes of the schema.
  PlainFrames(std::shared_ptr<arrow::Schema> schema, std::string encoded);

  /// Adds the row of a frame. False, and nothing is added, for one with other columns, and for bytes that are
  /// no such frame.
  Result<bool> Add(std::span<const std::byte> payload);

  std::int64_t rows() const { return rows_; }
  /// There are so many that a batch is to be made of them.
  bool is_full() const;

  /// The rows that were added since; at least one.
  Result<std::shared_ptr<arrow::RecordBatch>> Take();

 private:
  using Kind = PlainType::Kind;
  struct Column {
    PlainType type;
    bool is_required = false;
    std::int64_t nulls = 0;
    arrow::TypedBufferBuilder<bool> valid;
    arrow::TypedBufferBuilder<bool> flags;
    arrow::TypedBufferBuilder<std::int32_t> ends;  // of texts: where each begins
    arrow::BufferBuilder values;
  };
  struct Value {
    const std::byte* bytes = nullptr;  // null: there is none
    std::size_t size = 0;
  };
  class Reader;

  bool Place();
  Result<void> Append(Column& column, const Value& value) const;
  Result<std::shared_ptr<arrow::ArrayData>> Finish(Column& column,
                                                   const std::shared_ptr<arrow::DataType>& type) const;

  const std::shared_ptr<arrow::Schema> schema_;
  const std::string encoded_;
  std::vector<Column> columns_;
  std::vector<Value> values_;  // of the row that is read
  bool are_plain_ = false;
  std::int64_t rows_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace tidemark
