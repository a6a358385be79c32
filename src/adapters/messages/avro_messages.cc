// One plan for each schema that was met.
#include "adapters/messages/avro_messages_internal.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "adapters/messages/avro_row_internal.h"
#include "adapters/messages/decoded_rows_internal.h"
#include "adapters/messages/message_columns_internal.h"
#include "model/name.h"

namespace tidemark::messages {
namespace {

constexpr std::size_t kSchemaHeaderBytes = 5;

Result<AvroRow> RowOfSchema(std::string_view json, const WantedColumns& wanted) {
  auto schema = ParseAvroSchema(json);
  if (!schema) {
    Error error = std::move(schema).error();
    if (error.code == ErrorCode::kCorruption) error.code = ErrorCode::kInvalidArgument;
    return std::unexpected(std::move(error));
  }
  return AvroRow::Of(*std::move(schema), wanted);
}

class AvroMessages : public MessageDecoder {
 public:
  explicit AvroMessages(WantedColumns wanted) : wanted_(std::move(wanted)), columns_(wanted_) {}
  AvroMessages(const AvroMessages&) = delete;
  AvroMessages& operator=(const AvroMessages&) = delete;

  Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) final {
    DecodedRows rows(wanted_, messages);
    Begin();
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Result<void> added = messages[i].has_value ? AddMessage(TextOf(messages[i].value), i, rows)
                                                       : AddTombstone(messages[i], i, columns_, rows);
      if (added) continue;
      // The columns begin anew, as the same messages may come again.
      TM_TRY(columns_.FillWithNulls(rows.count()));
      TM_TRY(columns_.Finish());
      return std::unexpected(added.error());
    }
    TM_ASSIGN(auto columns, columns_.Finish());
    return rows.Finish(std::move(columns));
  }

 protected:
  const WantedColumns& wanted() const { return wanted_; }
  /// Before the messages of a call.
  virtual void Begin() {}
  /// The plan for a message, whose header is taken away; nullptr, with why, if there is none.
  virtual Result<const AvroRow*> RowFor(std::string_view& message, std::string& why) = 0;

 private:
  Result<void> AddMessage(std::string_view bytes, std::size_t message, DecodedRows& rows) {
    std::string why;
    TM_ASSIGN(const AvroRow* const row, RowFor(bytes, why));
    if (row == nullptr) {
      rows.Reject(message, std::move(why));
      return {};
    }
    if (row->Read(bytes, columns_, why)) {
      rows.Add(message);
    } else {
      rows.AddBroken(message, std::move(why));
    }
    return columns_.FillWithNulls(rows.count());
  }

  const WantedColumns wanted_;
  MessageColumns columns_;
};

class AvroOfSchema final : public AvroMessages {
 public:
  AvroOfSchema(WantedColumns wanted, AvroRow row) : AvroMessages(std::move(wanted)), row_(std::move(row)) {}

 private:
  Result<const AvroRow*> RowFor(std::string_view& message, std::string& /*why*/) override {
    const bool may_have_header = message.size() >= kSchemaHeaderBytes && message.front() == '\0';
    if (may_have_header && !row_.IsWhole(message)) message.remove_prefix(kSchemaHeaderBytes);
    return &row_;
  }

  const AvroRow row_;
};

class AvroOfRegistry final : public AvroMessages {
 public:
  AvroOfRegistry(WantedColumns wanted, std::unique_ptr<SchemaRegistry> registry)
      : AvroMessages(std::move(wanted)), registry_(std::move(registry)) {}

 private:
  struct Known {
    std::optional<AvroRow> row;
    std::string why;  // without a row
  };

  void Begin() override { refused_.clear(); }

  Result<const AvroRow*> RowFor(std::string_view& message, std::string& why) override {
    if (message.size() < kSchemaHeaderBytes || message.front() != '\0') {
      why = "it does not begin with a zero byte and the number of a schema of the registry";
      return nullptr;
    }
    std::uint32_t number = 0;
    for (std::size_t i = 1; i < kSchemaHeaderBytes; ++i)
      number = number << 8U | static_cast<unsigned char>(message[i]);
    message.remove_prefix(kSchemaHeaderBytes);
    TM_ASSIGN(const Known* const known, Find(static_cast<std::int32_t>(number)));
    why = known->why;
    return known->row ? &*known->row : nullptr;
  }

  Result<const Known*> Find(std::int32_t number) {
    if (const auto row = rows_.find(number); row != rows_.end()) return &row->second;
    if (const auto refused = refused_.find(number); refused != refused_.end()) return &refused->second;
    const auto text = registry_->AvroSchema(number);
    if (!text && text.error().code != ErrorCode::kNotFound && text.error().code != ErrorCode::kUnsupported)
      return std::unexpected(text.error());
    auto row = text ? RowOfSchema(*text, wanted()) : std::unexpected(text.error());
    if (row) return &(rows_[number] = {.row = *std::move(row), .why = {}});
    return &(
        refused_[number] = {.row = {}, .why = fmt::format("schema {}: {}", number, row.error().ToString())});
  }

  const std::unique_ptr<SchemaRegistry> registry_;
  std::map<std::int32_t, Known> rows_;
  std::map<std::int32_t, Known> refused_;  // asked for again by the next call
};

}  // namespace

Result<std::unique_ptr<MessageDecoder>> MakeAvroDecoder(WantedColumns wanted, std::string_view schema_json) {
  auto made = RowOfSchema(schema_json, wanted);
  if (!made) return std::unexpected(std::move(made).error().In("schema_json of format avro"));
  AvroRow row = *std::move(made);
  if (!row.missing().empty()) {
    const WantedColumn& column = wanted.columns()[row.missing().front()];
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("column '{}' is read of {}, which is no field of the schema of format avro",
                            column.name, Quoted(column.member)));
  }
  return std::make_unique<AvroOfSchema>(std::move(wanted), std::move(row));
}

Result<std::unique_ptr<MessageDecoder>> MakeAvroDecoder(WantedColumns wanted,
                                                        std::unique_ptr<SchemaRegistry> registry) {
  return std::make_unique<AvroOfRegistry>(std::move(wanted), std::move(registry));
}

}  // namespace tidemark::messages
