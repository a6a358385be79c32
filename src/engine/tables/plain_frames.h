// Frames of one plain row, as PlainRow makes them, on their way back into batches of many rows.
//
// A busy log has mostly such frames. Decoded one by one, as batches of their own, they cost more than all
// else that is done with them; here their values are copied behind those of the frames before.
#pragma once

#include <arrow/buffer_builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

class PlainFrames {
 public:
  /// `schema` is TableSchema of a view, and `encoded` what EncodeSchema makes of it.
  PlainFrames(std::shared_ptr<arrow::Schema> schema, std::string encoded);

  /// Adds the row of a frame. False, and nothing is added, if it is another frame than PlainRow makes, or of
  /// another schema: it is to be decoded as such.
  Result<bool> Add(std::span<const std::byte> payload);

  std::int64_t rows() const { return rows_; }
  /// There are so many that a batch is to be made of them.
  bool is_full() const;

  /// The rows that were added since; at least one.
  Result<std::shared_ptr<arrow::RecordBatch>> Take();

 private:
  enum class Kind : std::uint8_t { kWord, kFlag, kText };
  struct Column {
    Kind kind = Kind::kWord;
    std::size_t bytes = 0;  // of a word
    int precision = 0;      // of a decimal
    bool is_required = false;
    bool is_utf8 = false;
    std::int64_t nulls = 0;
    arrow::TypedBufferBuilder<bool> valid;
    arrow::TypedBufferBuilder<bool> flags;
    arrow::TypedBufferBuilder<std::int32_t> ends;  // of texts: where each begins
    arrow::BufferBuilder values;
  };
  struct Value {
    const std::byte* bytes = nullptr;
    std::size_t size = 0;
    bool is_null = false;
  };
  class Reader;

  bool Place();
  Result<void> Append(Column& column, const Value& value) const;
  Result<std::shared_ptr<arrow::ArrayData>> Finish(Column& column,
                                                   const std::shared_ptr<arrow::DataType>& type) const;

  const std::shared_ptr<arrow::Schema> schema_;
  const std::string encoded_;
  std::vector<Column> columns_;
  std::size_t texts_ = 0;      // of the columns
  std::vector<Value> values_;  // of the row that is read
  bool are_plain_ = false;
  std::int64_t rows_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace tidemark
