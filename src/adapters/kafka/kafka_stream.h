// Topics of Kafka as streams, over librdkafka.
#pragma once

#include <memory>

#include "store/stream.h"

namespace tidemark {

/// Opens a topic, without waiting for a broker: one that cannot be reached is told by Poll and Lags. Only
/// committed messages are read, offsets are never committed to the group, and references to environment
/// variables (`${NAME}`) in `source.security` are replaced here. kInvalidArgument for a variable that is not
/// set and for settings that librdkafka refuses; no message has a value that came from the environment.
Result<std::unique_ptr<Stream>> OpenKafkaStream(const KafkaSource& source, const StreamOpening& opening);

}  // namespace tidemark
