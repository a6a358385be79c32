// Messages that are no rows, kept in a feature table of their own beside their view's: `<view>__rejected`.
//
//   topic | partition | offset   join keys
//   event_timestamp              when the broker got the message
//   key | value                  its bytes; null: it has none
//   reason                       why it is no row
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "store/stream.h"

namespace tidemark {

/// The name of the table that has what `view` has rejected.
std::string RejectedViewName(std::string_view view);

/// The table's definition, and its entity's. kInvalidArgument if the view's name is too long for one.
Result<Definitions> RejectedDefinitions(const std::string& view);

struct RejectedRow {
  std::string partition;
  StreamOffset offset;
  StreamMessage message;
  std::string reason;
};

/// The rows as they are written, but for their arrival.
Result<std::shared_ptr<arrow::RecordBatch>> RejectedBatch(const StreamSource& source,
                                                          std::span<const RejectedRow> rows);

}  // namespace tidemark
