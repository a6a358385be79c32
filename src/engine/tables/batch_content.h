// What the rows of a batch are, as one number: whether a batch that is sent again under its idempotency key
// is the same one.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "store/batch_ledger.h"

namespace tidemark {

/// Adds rows up, in any order and in any parts. Of a row counts what its writer gave: not what is stamped on
/// it, and no time that is the arrival where that stands for one that was not given (a created time, the
/// event time of a deletion). A column of nulls counts like one that is not there. Which stores the rows are
/// for counts too: rows that were pushed online are not yet offline.
class BatchContentSum {
 public:
  /// The created time that the table's user named, empty: none; and the stores, of kLogToOnline and
  /// kLogToOffline.
  BatchContentSum(std::string created_column, std::uint8_t targets)
      : created_column_(std::move(created_column)), targets_(targets) {}

  /// Rows of a TableSchema, new or old, as they are logged and written to files.
  Result<void> Add(const arrow::RecordBatch& stamped);

  /// Unknown as long as no rows were added.
  BatchContent content() const;

 private:
  const std::string created_column_;
  const std::uint8_t targets_;
  BatchContent content_;
};

/// For marks: 32 hexadecimal digits, and back; unknown for any other text.
std::string ContentText(const BatchContent& content);
BatchContent ParseContent(std::string_view text);

/// kAlreadyExists if both are known and differ.
Result<void> CheckSameContent(std::string_view batch_key, const BatchContent& seen, const BatchContent& now);

}  // namespace tidemark
