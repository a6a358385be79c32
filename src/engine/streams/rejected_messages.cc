// The table's definition and its rows.
#include "engine/streams/rejected_messages.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_time.h>
#include <fmt/format.h>

#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr const char* kRejectedEntity = "tidemark_rejected_message";
constexpr const char* kRejectedTime = "event_timestamp";

arrow::Status AppendBytes(arrow::BinaryBuilder& builder, std::span<const std::byte> bytes, bool is_there) {
  if (!is_there) return builder.AppendNull();
  return builder.Append(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// Text of a reason that is kept: what of it is no UTF-8 would make the row unreadable.
std::string CleanReason(std::string_view reason) {
  std::string clean;
  for (const char c : reason.substr(0, 1'000))
    clean += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f ? '?' : c;
  return clean;
}

}  // namespace

std::string RejectedViewName(std::string_view view) {
  return fmt::format("{}__rejected", view);
}

Result<Definitions> RejectedDefinitions(const std::string& view) {
  const DataType text{.kind = TypeKind::kString};
  const DataType bytes{.kind = TypeKind::kBinary};
  Entity entity;
  entity.name = kRejectedEntity;
  for (const char* name : {"topic", "partition", "offset"}) {
    JoinKey& key = entity.join_keys.emplace_back();
    key.name = name;
    key.type = text;
  }
  entity.metadata.description = "a message of a stream that could not be read as a row";
  FeatureView rejected;
  rejected.name = RejectedViewName(view);
  TM_TRY(CheckName("feature view", rejected.name));
  rejected.entities = {kRejectedEntity};
  rejected.online = false;
  rejected.table.timestamp_field = kRejectedTime;
  for (const auto& [name, type] :
       {std::pair("key", bytes), std::pair("value", bytes), std::pair("reason", text)}) {
    Field& field = rejected.fields.emplace_back();
    field.name = name;
    field.type = type;
  }
  rejected.metadata.description = fmt::format("messages that are no rows of '{}'", view);
  Definitions definitions;
  definitions.entities.push_back(std::move(entity));
  definitions.views.push_back(std::move(rejected));
  return definitions;
}

Result<std::shared_ptr<arrow::RecordBatch>> RejectedBatch(const StreamSource& source,
                                                          std::span<const RejectedRow> rows) {
  const auto* const kafka = std::get_if<KafkaSource>(&source);
  const std::string& topic = kafka != nullptr ? kafka->topic : std::get<KinesisSource>(source).stream_name;
  arrow::StringBuilder topics;
  arrow::StringBuilder partitions;
  arrow::StringBuilder offsets;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::BinaryBuilder keys;
  arrow::BinaryBuilder values;
  arrow::StringBuilder reasons;
  for (const RejectedRow& row : rows) {
    TM_TRY(FromArrowStatus(topics.Append(topic)));
    TM_TRY(FromArrowStatus(partitions.Append(row.partition)));
    TM_TRY(FromArrowStatus(offsets.Append(row.offset.text())));
    TM_TRY(FromArrowStatus(times.Append(row.message.timestamp_us)));
    TM_TRY(FromArrowStatus(AppendBytes(keys, row.message.key, row.message.key.data() != nullptr)));
    TM_TRY(FromArrowStatus(AppendBytes(values, row.message.value, row.message.has_value)));
    TM_TRY(FromArrowStatus(reasons.Append(CleanReason(row.reason))));
  }
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const auto add = [&](const char* name, arrow::ArrayBuilder& builder) -> Result<void> {
    TM_ASSIGN(auto column, FromArrowResult(builder.Finish()));
    fields.push_back(arrow::field(name, column->type()));
    columns.push_back(std::move(column));
    return {};
  };
  TM_TRY(add("topic", topics));
  TM_TRY(add("partition", partitions));
  TM_TRY(add("offset", offsets));
  TM_TRY(add(kRejectedTime, times));
  TM_TRY(add("key", keys));
  TM_TRY(add("value", values));
  TM_TRY(add("reason", reasons));
  return arrow::RecordBatch::Make(arrow::schema(fields), std::ssize(rows), columns);
}

}  // namespace tidemark
