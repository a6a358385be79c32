// Goal: topics keep to the suite, over the broker that librdkafka has inside; and nothing secret is told.
#include "adapters/kafka/kafka_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "store/stream_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;

/// A topic of a broker of its own, within this process.
class KafkaTestTopic final : public TestTopic {
 public:
  KafkaTestTopic() {
    std::array<char, 512> reason{};
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason.data(), reason.size());
    cluster_ = rd_kafka_mock_cluster_new(producer_, 1);
    rd_kafka_mock_topic_create(cluster_, "events", 2, 1);
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_), nullptr, 0);
    writer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  }
  ~KafkaTestTopic() override {
    rd_kafka_destroy(writer_);
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(producer_);
  }
  KafkaTestTopic(const KafkaTestTopic&) = delete;
  KafkaTestTopic& operator=(const KafkaTestTopic&) = delete;

  void Add(int partition, const std::string& key, const std::optional<std::string>& value) override {
    std::string bytes = value.value_or("");
    void* const data = value ? bytes.data() : nullptr;
    void* const key_data = const_cast<char*>(key.data());
    const auto failed =
        rd_kafka_producev(writer_, RD_KAFKA_V_TOPIC("events"), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key_data, key.size()), RD_KAFKA_V_VALUE(data, bytes.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    ASSERT_EQ(failed, RD_KAFKA_RESP_ERR_NO_ERROR);
    ASSERT_EQ(rd_kafka_flush(writer_, 10'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  std::unique_ptr<Stream> Open(const std::string& group) override {
    auto opened = OpenKafkaStream(Source(), {group});
    EXPECT_TRUE(opened) << opened.error().ToString();
    return *std::move(opened);
  }

  KafkaSource Source() const {
    KafkaSource source;
    source.name = "events";
    source.topic = "events";
    source.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster_);
    return source;
  }
  rd_kafka_mock_cluster_t* cluster() { return cluster_; }

 private:
  rd_kafka_t* producer_ = nullptr;  // whose the cluster is
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  rd_kafka_t* writer_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Kafka, StreamConformance,
                         testing::Values(StreamUnderTest{"kafka",
                                                         [] { return std::make_unique<KafkaTestTopic>(); }}),
                         StreamName);

TEST(KafkaStreamTest, ASecretIsReadFromTheEnvironmentAndNeverTold) {
  KafkaTestTopic topic;
  KafkaSource source = topic.Source();
  source.security = {{"ssl.ca.pem", "${TIDEMARK_TEST_PEM}"}};
  unsetenv("TIDEMARK_TEST_PEM");
  const auto unset = OpenKafkaStream(source, {"g"});
  ASSERT_FALSE(unset);
  EXPECT_THAT(unset.error().message, HasSubstr("TIDEMARK_TEST_PEM"));
  setenv("TIDEMARK_TEST_PEM", "open sesame", 1);
  source.security["security.protocol"] = "SSL";
  const auto refused = OpenKafkaStream(source, {"g"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().ToString(), Not(HasSubstr("sesame")));
  source.security = {{"sasl.nonsense", "x"}};
  const auto unknown = OpenKafkaStream(source, {"g"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.error().message, HasSubstr("sasl.nonsense"));
  unsetenv("TIDEMARK_TEST_PEM");
}

TEST(KafkaStreamTest, BrokersThatCannotBeReachedAreToldAndComeBack) {
  KafkaTestTopic topic;
  topic.Add(0, "k", "v");
  const auto stream = topic.Open("g");
  const StreamHandlers handlers{
      .assigned = [](std::span<const std::string> partitions) -> Result<std::vector<StreamStart>> {
        return std::vector<StreamStart>(partitions.size());
      },
      .revoked = [](std::span<const std::string>, bool) -> Result<void> { return {}; }};
  rd_kafka_mock_broker_set_down(topic.cluster(), 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  Result<PolledMessages> polled;
  while (polled && std::chrono::steady_clock::now() < deadline)
    polled = stream->Poll({}, handlers);
  ASSERT_FALSE(polled);
  EXPECT_EQ(polled.error().code, ErrorCode::kUnavailable);
  rd_kafka_mock_broker_set_up(topic.cluster(), 1);
  while ((!polled || polled->messages.empty()) && std::chrono::steady_clock::now() < deadline)
    polled = stream->Poll({}, handlers);
  ASSERT_TRUE(polled) << polled.error().ToString();
  EXPECT_EQ(polled->messages.size(), 1U);
  EXPECT_TRUE(stream->Close(handlers));
}

}  // namespace
}  // namespace tidemark
