// What readers of flat columns put into Arrow arrays.
#pragma once

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer_builder.h>
#include <parquet/exception.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "pit/buffer_pool.h"

namespace tidemark::flat_column_internal {

/// Which rows are null; nothing is kept until the first null.
class Validity {
 public:
  void AppendValid(std::int64_t rows) {
    if (nulls_ > 0) PARQUET_THROW_NOT_OK(bits_.Append(rows, true));
    rows_ += rows;
  }

  // With a null among them.
  void Append(const std::int16_t* levels, std::int64_t rows) {
    if (nulls_ == 0) PARQUET_THROW_NOT_OK(bits_.Append(rows_, true));
    PARQUET_THROW_NOT_OK(bits_.Reserve(rows));
    for (std::int64_t i = 0; i < rows; ++i)
      bits_.UnsafeAppend(levels[i] != 0);
    rows_ += rows;
    nulls_ = bits_.false_count();
  }

  void AppendOne(bool valid) {
    if (!valid && nulls_++ == 0) PARQUET_THROW_NOT_OK(bits_.Append(rows_, true));
    if (nulls_ > 0) PARQUET_THROW_NOT_OK(bits_.Append(valid));
    ++rows_;
  }

  std::int64_t nulls() const { return nulls_; }

  std::shared_ptr<arrow::Buffer> Finish() {
    if (nulls_ == 0) return nullptr;
    std::shared_ptr<arrow::Buffer> buffer;
    PARQUET_THROW_NOT_OK(bits_.Finish(&buffer));
    return buffer;
  }

 private:
  arrow::TypedBufferBuilder<bool> bits_{BufferPool()};
  std::int64_t rows_ = 0;
  std::int64_t nulls_ = 0;
};

/// Throws what Parquet throws.
inline std::shared_ptr<arrow::Buffer> Allocate(std::int64_t bytes) {
  PARQUET_ASSIGN_OR_THROW(std::shared_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(bytes, BufferPool()));
  return buffer;
}

template <typename Value>
Value* DataOf(arrow::Buffer& buffer) {
  return reinterpret_cast<Value*>(buffer.mutable_data());
}

}  // namespace tidemark::flat_column_internal
