// Sends rides to a topic at a steady rate, every tick one of the key that freshness is measured by.
//
//   stream_send SERVERS TOPIC PARTITIONS KEYS ROWS_PER_SECOND PROBES LINGER_MS OUT
//
// A probe is sent each millisecond, and the rest of the rows beside it. OUT says in the end when each of them
// was sent, by the monotonic clock, and which rate was kept. It is no Python because it shares two processors
// with what is measured.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(1);
constexpr int kProbe = 0;
constexpr int kFlushMs = 60'000;

struct Job {
  std::string servers;
  std::string topic;
  int partitions = 0;
  int keys = 0;
  int rows_per_tick = 0;
  int probes = 0;
  std::string linger_ms;
  std::string out;
};

std::int64_t Nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// A ride as rides.py has it.
std::string_view Ride(int driver, int n, std::int64_t sent_ns, std::array<char, 512>& text) {
  const std::int64_t now_us = Nanoseconds(CLOCK_REALTIME) / 1'000;
  const std::time_t seconds = now_us / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> time{};
  std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const int size = std::snprintf(
      text.data(), text.size(),
      R"({"driver_id":%d,"event_timestamp":"%s.%06dZ","sent_ns":%lld,"n":%d,"trips":%d,"rating":%.2f,)"
      R"("accepted":0.8125,"distance_km":%.2f,"is_active":%s,"city":"city %d","vehicle":"car","level":%d})",
      driver, time.data(), static_cast<int>(now_us % 1'000'000), static_cast<long long>(sent_ns), n, n % 977,
      1.0 + 0.25 * (n % 13), 0.34 * n, n % 2 == 0 ? "false" : "true", n % 100, n % 5);
  return {text.data(), static_cast<std::size_t>(size)};
}

[[noreturn]] void Die(const std::string& why) {
  std::cerr << "stream_send: " << why << '\n';
  std::exit(1);
}

rd_kafka_t* MakeProducer(const Job& job) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  std::array<char, 512> why{};
  for (const auto& [name, value] : {std::pair<const char*, std::string>{"bootstrap.servers", job.servers},
                                    {"enable.idempotence", "true"},
                                    {"socket.nagle.disable", "true"},
                                    {"linger.ms", job.linger_ms}}) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK)
      Die(why.data());
  }
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Die(rd_kafka_err2str(message->err));
  });
  rd_kafka_t* const producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (producer == nullptr) Die(why.data());
  return producer;
}

}  // namespace

int main(int count, char** words) {
  if (count != 9) Die("SERVERS TOPIC PARTITIONS KEYS ROWS_PER_SECOND PROBES LINGER_MS OUT");
  const Job job{words[1],
                words[2],
                std::atoi(words[3]),
                std::atoi(words[4]),
                std::atoi(words[5]) / 1'000,
                std::atoi(words[6]),
                words[7],
                words[8]};
  rd_kafka_t* const producer = MakeProducer(job);
  rd_kafka_topic_t* const topic = rd_kafka_topic_new(producer, job.topic.c_str(), nullptr);
  std::mt19937 chosen(11);
  std::uniform_int_distribution<int> others(1, job.keys);
  std::vector<std::int64_t> sent_ns;
  sent_ns.reserve(static_cast<std::size_t>(job.probes));
  std::array<char, 512> text{};
  const auto began = Clock::now();
  for (int probe = 0; probe < job.probes; ++probe) {
    std::this_thread::sleep_until(began + probe * kTick);
    for (int i = 0; i < job.rows_per_tick; ++i) {
      const int driver = i == job.rows_per_tick - 1 ? kProbe : others(chosen);
      const std::int64_t now_ns = Nanoseconds(CLOCK_MONOTONIC);
      if (driver == kProbe) sent_ns.push_back(now_ns);
      const std::string_view ride = Ride(driver, probe, now_ns, text);
      const int failed = rd_kafka_produce(topic, driver % job.partitions, RD_KAFKA_MSG_F_COPY,
                                          const_cast<char*>(ride.data()), ride.size(), nullptr, 0, nullptr);
      if (failed != 0) Die(rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(producer, 0);
  }
  const std::chrono::duration<double> seconds = Clock::now() - began;
  if (rd_kafka_flush(producer, kFlushMs) != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die("the broker did not take all rows");
  std::ofstream out(job.out);
  out << R"({"sent_ns": [)";
  for (std::size_t i = 0; i < sent_ns.size(); ++i)
    out << (i == 0 ? "" : ",") << sent_ns[i];
  out << R"(], "rate": )" << static_cast<double>(job.probes) * job.rows_per_tick / seconds.count() << "}\n";
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return out.good() ? 0 : 1;
}
