// Join keys of a lookup, of columns as they came.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tidemark/online.h"

namespace tidemark::server {

/// The columns that a reader wants, in its order and forms; text lies in the batch.
class EntityKeys {
 public:
  /// No keys: of features that belong to no entity.
  EntityKeys() = default;
  /// kNotFound for a column that is missing, kInvalidArgument for one that is no key, kTypeMismatch for one
  /// of another type, kInvalidData for a null.
  /// `requests` are other columns that the entities may have.
  static Result<EntityKeys> Of(std::shared_ptr<arrow::RecordBatch> rows, const std::vector<ColumnInfo>& keys,
                               const std::vector<ColumnInfo>& requests);

  const std::vector<KeyColumn>& columns() const { return columns_; }
  std::size_t rows() const { return static_cast<std::size_t>(batch_->num_rows()); }

 private:
  Result<void> Add(const arrow::Array& values, const ColumnInfo& key);

  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<std::vector<std::int64_t>> integers_;
  std::vector<std::vector<std::string_view>> texts_;
  std::vector<std::unique_ptr<bool[]>> flags_;
  std::vector<KeyColumn> columns_;
};

}  // namespace tidemark::server
