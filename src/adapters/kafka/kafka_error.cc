// Which errors pass, and which want something to be done.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adapters/kafka/kafka_error_internal.h"

namespace tidemark {

Error KafkaError(rd_kafka_resp_err_t code, std::string_view topic, std::string_view reason) {
  const std::string_view why = reason.empty() ? std::string_view(rd_kafka_err2str(code)) : reason;
  const auto told = [&](ErrorCode ours, std::string_view what, std::string_view remedy) {
    return Error{ours, fmt::format("topic '{}': {}: {}{}", topic, what, why, remedy), {}};
  };
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return told(ErrorCode::kNotFound, "the brokers do not know it", "; create it, or correct the source");
    case RD_KAFKA_RESP_ERR__SSL:
      return told(ErrorCode::kPermissionDenied, "the brokers and we do not trust each other",
                  "; look at the source's security settings");
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return told(ErrorCode::kPermissionDenied, "the brokers refuse to let us read",
                  "; look at the source's security settings");
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return told(ErrorCode::kInvalidData, "messages that were to be read are there no more",
                  "; see 'messages that are gone' in docs/streams.md");
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
      return told(ErrorCode::kInvalidArgument, "a request was refused", "");
    default:
      return told(ErrorCode::kUnavailable, "the brokers do not answer as they should", "");
  }
}

bool IsTlsRefusal(std::string_view reason) {
  constexpr std::array<std::string_view, 4> kAboutUs{"certificate", "unknown ca", "access denied",
                                                     "handshake failure"};
  if (!reason.contains("SSL routines") || !reason.contains(" alert ")) return false;
  return std::ranges::any_of(kAboutUs, [&](std::string_view what) { return reason.contains(what); });
}

}  // namespace tidemark
