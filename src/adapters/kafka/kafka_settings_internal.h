// A Kafka source as librdkafka's settings.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

#include "base/result.h"
#include "store/stream.h"

namespace tidemark {

struct KafkaConfDelete {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaConfDelete>;

/// Errors as OpenKafkaStream.
Result<KafkaConf> KafkaSettings(const KafkaSource& source, const StreamOpening& opening);

}  // namespace tidemark
