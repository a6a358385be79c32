// Streams as sources of a feature view: where its messages come from, and how one is read as a row.
//
// A definition holds no secret: where one is needed stands the name of the environment variable that has it,
// as in `${KAFKA_PASSWORD}`. So definitions can be kept, printed and compared as they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/metadata.h"

namespace tidemark {

/// How the bytes of one message are read as a row.
struct MessageFormat {
  enum class Kind : std::uint8_t { kJson, kAvro, kProtobuf, kCsv } kind = Kind::kJson;
  std::string schema_json = {};  // of kAvro its schema; of kJson a description that nothing is read by
  std::string schema_registry_url = {};   // of kAvro, without schema_json: who has the messages' schemas
  std::string class_path = {};            // of kProtobuf: the message's name, with its package
  std::string proto_path = {};            // of kProtobuf: a .proto file or a descriptor set; may be empty
  std::vector<std::string> columns = {};  // of kCsv, whose messages have no header
  std::string delimiter = ",";            // of kCsv: one character
  bool operator==(const MessageFormat&) const = default;
};

/// `json`, `avro`, `protobuf`, `csv`.
std::string_view MessageFormatName(MessageFormat::Kind kind);

/// How the messages of a stream become rows.
struct MessageRows {
  MessageFormat format;
  std::string timestamp_field;  // empty: the column that the view has in its batch source or table
  std::string created_timestamp_column;
  std::map<std::string, std::string> field_mapping;  // column of a message -> name used in definitions
  bool operator==(const MessageRows&) const = default;
};

/// A Kafka topic.
struct KafkaSource {
  std::string name;
  std::string bootstrap_servers;  // host:port, several with commas
  std::string topic;
  MessageRows rows;
  std::int64_t watermark_delay_us = 0;          // how late messages may come; 0: not said
  std::map<std::string, std::string> security;  // librdkafka's settings: security.*, sasl.*, ssl.*
  Metadata metadata;
  bool operator==(const KafkaSource&) const = default;
};

/// A Kinesis stream. Credentials are those of the environment, as AWS's tools find them.
struct KinesisSource {
  std::string name;
  std::string stream_name;
  std::string region;
  std::string endpoint_url;  // empty: that of the region
  MessageRows rows;
  Metadata metadata;
  bool operator==(const KinesisSource&) const = default;
};

/// Checks what can be checked without the stream: names, addresses, the format, no secret written out.
/// kInvalidArgument; no message shows what stands where a secret should not.
Result<void> CheckStream(const KafkaSource& source);
Result<void> CheckStream(const KinesisSource& source);

/// The source member by member, for the lines of a plan: names as in the JSON form. Holds no secret.
std::map<std::string, std::string> StreamMembers(const KafkaSource& source);
std::map<std::string, std::string> StreamMembers(const KinesisSource& source);

}  // namespace tidemark
