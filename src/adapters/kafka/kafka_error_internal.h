// librdkafka's errors as ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "base/result.h"

namespace tidemark {

/// `reason` is the library's own text, empty: that of the code. It has no secrets: the library never puts
/// values of settings into errors of requests.
Error KafkaError(rd_kafka_resp_err_t code, std::string_view topic, std::string_view reason = {});

/// Whether a lost connection was ended by the other side because of who we are, or are not: the library takes
/// it for one that may come back. By OpenSSL's words for alerts of RFC 8446, section 6.2.
bool IsTlsRefusal(std::string_view reason);

}  // namespace tidemark
