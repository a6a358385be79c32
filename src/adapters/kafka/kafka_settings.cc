// What is set for every source, and what a source sets.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>

#include "adapters/kafka/kafka_settings_internal.h"

namespace tidemark {
namespace {

constexpr std::size_t kErrorBytes = 512;

/// Sets one; the library's reason is told unless the value is nobody's to see.
Result<void> Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value, bool is_secret) {
  std::array<char, kErrorBytes> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK)
    return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("setting {} is refused{}{}", name, is_secret ? "" : ": ", is_secret ? "" : reason.data()));
}

/// The name in `${NAME}`; empty if it is none.
std::string ReferredTo(const std::string& value) {
  const bool is_reference = value.starts_with("${") && value.ends_with('}');
  return is_reference ? value.substr(2, value.size() - 3) : std::string();
}

}  // namespace

Result<KafkaConf> KafkaSettings(const KafkaSource& source, const StreamOpening& opening) {
  KafkaConf conf(rd_kafka_conf_new());
  const std::string kilobytes = std::to_string(std::max<std::size_t>(1, opening.bytes_max / 1024));
  const std::array<std::pair<const char*, std::string>, 18> own{{
      {"bootstrap.servers", source.bootstrap_servers},
      {"client.id", "tidemark"},
      {"group.id", opening.group},
      // Where to read on from is kept with the rows, and an offset that is there no more is never skipped.
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "true"},
      // All partitions are given up before they are handed out anew.
      {"partition.assignment.strategy", "range"},
      {"session.timeout.ms", "10000"},
      {"heartbeat.interval.ms", "1000"},
      {"queued.max.messages.kbytes", kilobytes},
      // Of all partitions together. When there are more, nothing is fetched for a second: small ones are to
      // last as long.
      {"queued.min.messages", "400000"},
      {"fetch.message.max.bytes", "1048576"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"fetch.error.backoff.ms", "50"},
      {"topic.metadata.refresh.interval.ms", "30000"},
  }};
  for (const auto& [name, value] : own)
    TM_TRY(Set(conf.get(), name, value, false));
  for (const auto& [name, value] : source.security) {
    const std::string variable = ReferredTo(value);
    if (variable.empty()) {
      TM_TRY(Set(conf.get(), name, value, false));
      continue;
    }
    const char* const secret = std::getenv(variable.c_str());
    if (secret == nullptr) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("setting {} is in the environment variable {}, which is not set", name, variable));
    }
    TM_TRY(Set(conf.get(), name, secret, true));
  }
  return conf;
}

}  // namespace tidemark
