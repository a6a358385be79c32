// Which messages became rows, and which did not, while the columns are filled.
#pragma once

#include <arrow/array.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/messages/wanted_columns_internal.h"
#include "base/result.h"
#include "store/message_decoder.h"

namespace tidemark::messages {

/// The rows of one call of Decode. Columns are filled beside it: each has a value for each row that is said
/// here, also for those that do not count.
class DecodedRows {
 public:
  DecodedRows(const WantedColumns& wanted, std::span<const StreamMessage> messages);

  std::int64_t count() const { return static_cast<std::int64_t>(messages_of_rows_.size()); }
  /// The message is the next row.
  void Add(std::size_t message, bool is_deleted = false);
  /// The message has filled a row of the columns, which does not count.
  void AddBroken(std::size_t message, std::string reason);
  /// The message is no row.
  void Reject(std::size_t message, std::string reason);

  /// Takes the columns, all of count() values, in the order of those wanted. Rows without a join key or an
  /// event time are rejected; rows that do not count are left out.
  Result<DecodedMessages> Finish(arrow::ArrayVector columns);

 private:
  void Drop(std::size_t row, std::string reason);
  void DropWithoutKey(const WantedColumn& column, const arrow::Array& values);
  std::vector<bool> Timeless(const arrow::ArrayVector& columns) const;
  void DropWithoutTime(const WantedColumn& column, const arrow::Array& values,
                       const std::vector<bool>& timeless);
  Result<void> FillCreated(std::shared_ptr<arrow::Array>& column) const;
  Result<DecodedMessages> Kept(arrow::ArrayVector columns);

  const WantedColumns& wanted_;
  std::span<const StreamMessage> messages_;
  std::vector<std::size_t> messages_of_rows_;
  std::vector<bool> is_deleted_;
  std::vector<bool> is_dropped_;
  std::size_t dropped_ = 0;
  std::vector<RejectedMessage> rejected_;
};

}  // namespace tidemark::messages
