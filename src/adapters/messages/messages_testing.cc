// Values as Arrow shows them.
#include "adapters/messages/messages_testing.h"

#include <arrow/scalar.h>
#include <fmt/format.h>

#include "model/type.h"
#include "pit/columns.h"

namespace tidemark::messages {
namespace {

constexpr std::int64_t kBrokerTimeUs = 1'700'000'000'000'000;

std::string Shown(const arrow::Array& column, std::int64_t row) {
  const auto scalar = column.GetScalar(row);
  return scalar.ok() ? (*scalar)->ToString() : scalar.status().ToString();
}

std::string ShownRow(const DecodedMessages& decoded, std::int64_t row) {
  const auto at = static_cast<std::size_t>(row);
  std::string line = fmt::format("{}:", decoded.message_of_row[at]);
  for (const auto& column : decoded.rows->columns())
    line += " " + Shown(*column, row);
  return line + (decoded.is_deleted[at] ? " (deleted)\n" : "\n");
}

}  // namespace

DecoderRequest RequestFor(MessageFormat format,
                          const std::vector<std::pair<std::string, std::string>>& columns) {
  arrow::FieldVector fields;
  for (const auto& [name, type] : columns)
    fields.push_back(arrow::field(name, ToArrow(DataType::Parse(type).value())));
  DecoderRequest request;
  request.rows.format = std::move(format);
  request.wanted = arrow::schema(std::move(fields));
  request.join_keys = {"driver_id"};
  request.event_column = "event_timestamp";
  return request;
}

std::string Decoded(MessageDecoder& decoder, const std::vector<TestMessage>& messages) {
  std::vector<StreamMessage> refs;
  for (const TestMessage& message : messages) {
    refs.push_back({.key = std::as_bytes(std::span(message.key)),
                    .value = std::as_bytes(std::span(message.value)),
                    .has_value = message.has_value,
                    .timestamp_us = kBrokerTimeUs});
  }
  const auto decoded = decoder.Decode(refs);
  if (!decoded) return decoded.error().ToString();
  if (const auto valid = decoded->rows->ValidateFull(); !valid.ok()) return valid.ToString();
  std::string text;
  for (std::int64_t row = 0; row < decoded->rows->num_rows(); ++row)
    text += ShownRow(*decoded, row);
  for (const RejectedMessage& rejected : decoded->rejected)
    text += fmt::format("{}! {}\n", rejected.message, rejected.reason);
  return text;
}

std::string Decoded(const DecoderRequest& request, const std::vector<TestMessage>& messages) {
  const auto decoder = MakeMessageDecoder(request);
  return decoder ? Decoded(**decoder, messages) : decoder.error().ToString();
}

}  // namespace tidemark::messages
