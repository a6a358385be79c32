// Columns by their place in the line.
#include "adapters/messages/csv_messages_internal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <utility>

#include "adapters/messages/csv_line_internal.h"
#include "adapters/messages/decoded_rows_internal.h"
#include "adapters/messages/message_columns_internal.h"
#include "model/name.h"

namespace tidemark::messages {
namespace {

class CsvDecoder final : public MessageDecoder {
 public:
  CsvDecoder(WantedColumns wanted, const MessageFormat& format)
      : wanted_(std::move(wanted)), columns_(wanted_, true), line_(format.delimiter.front()) {
    for (const std::string& column : format.columns)
      members_.push_back(wanted_.Find(column));
  }
  CsvDecoder(const CsvDecoder&) = delete;
  CsvDecoder& operator=(const CsvDecoder&) = delete;

  Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) override {
    DecodedRows rows(wanted_, messages);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].has_value) {
        TM_TRY(AddLine(TextOf(messages[i].value), i, rows));
      } else {
        TM_TRY(AddTombstone(messages[i], i, columns_, rows));
      }
    }
    TM_ASSIGN(auto columns, columns_.Finish());
    return rows.Finish(std::move(columns));
  }

 private:
  bool AddValues(std::int64_t row, std::string& why) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const CsvValue& value = line_.values()[i];
      if (members_[i] == WantedColumns::kNotWanted || (value.text.empty() && !value.is_quoted)) continue;
      if (!columns_.AppendText(members_[i], value.text, row, why)) return false;
    }
    return true;
  }

  Result<void> AddLine(std::string_view line, std::size_t message, DecodedRows& rows) {
    std::string why;
    if (!simdjson::validate_utf8(line.data(), line.size())) {
      rows.Reject(message, "the line is no UTF-8 text");
      return {};
    }
    if (!line_.Read(line, why)) {
      rows.Reject(message, std::move(why));
      return {};
    }
    if (line_.values().size() != members_.size()) {
      rows.Reject(message, fmt::format("the line has {} values, where its format has {} columns",
                                       line_.values().size(), members_.size()));
      return {};
    }
    if (AddValues(rows.count(), why)) {
      rows.Add(message);
    } else {
      rows.AddBroken(message, std::move(why));
    }
    return columns_.FillWithNulls(rows.count());
  }

  const WantedColumns wanted_;
  MessageColumns columns_;
  CsvLine line_;
  std::vector<std::size_t> members_;  // of each value of a line; kNotWanted
};

}  // namespace

Result<std::unique_ptr<MessageDecoder>> MakeCsvDecoder(WantedColumns wanted, const MessageFormat& format) {
  if (format.delimiter.size() != 1 || std::string_view("\"\r\n").contains(format.delimiter.front())) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} cannot be the delimiter of format csv", Quoted(format.delimiter)));
  }
  for (const WantedColumn& column : wanted.columns()) {
    if (std::ranges::find(format.columns, column.member) == format.columns.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("column '{}' is read of {}, which is not among the columns of format csv: {}",
                              column.name, Quoted(column.member), fmt::join(format.columns, ", ")));
    }
    if (column.type.is_nested()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("column '{}' has the type {}, which has no form in messages of format csv: use "
                              "json, avro or protobuf",
                              column.name, column.type.ToString()));
    }
  }
  return std::make_unique<CsvDecoder>(std::move(wanted), format);
}

}  // namespace tidemark::messages
