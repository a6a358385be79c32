// Goal: stream sources keep all that they say through JSON and YAML, print as Feast's specs do, and are
// refused where they cannot work or hold a secret, which no message shows.
#include "model/stream_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "model/definition.h"
#include "model/definition_json.h"

namespace tidemark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kKafkaView =
    R"json({"name":"trips","fields":[{"name":"rating","type":"float32"}],)json"
    R"json("stream_source":{"type":"kafka","name":"trip_events","kafka_bootstrap_servers":"a:9092,b",)json"
    R"json("topic":"trips.v1","message_format":{"type":"protobuf","class_path":"rides.Trip"},)json"
    R"json("timestamp_field":"at","created_timestamp_column":"made","field_mapping":{"r":"rating"},)json"
    R"json("watermark_delay_threshold":"1m","security":{"sasl.password":"${KAFKA_PASSWORD}",)json"
    R"json("sasl.username":"me","security.protocol":"SASL_SSL"},"description":"d","tags":{"a":"b"}}})json";

constexpr std::string_view kKinesisView =
    R"json({"name":"trips","fields":[{"name":"rating","type":"float32"}],)json"
    R"json("stream_source":{"type":"kinesis","name":"trip_events","stream_name":"trips",)json"
    R"json("region":"eu-west-1",)json"
    R"json("endpoint_url":"http://127.0.0.1:5000","record_format":{"type":"csv","columns":["at","id"],)json"
    R"json("delimiter":";"},"timestamp_field":"at"}})json";

KafkaSource Kafka() {
  KafkaSource source;
  source.name = "k";
  source.bootstrap_servers = "localhost:9092";
  source.topic = "t";
  return source;
}

std::string Refusal(const KafkaSource& source) {
  const auto checked = CheckStream(source);
  return checked ? "" : checked.error().ToString();
}

TEST(StreamSource, ReadsBackFromJsonAndYaml) {
  for (const std::string_view text : {kKafkaView, kKinesisView}) {
    const auto view = FeatureViewFromJson(text);
    ASSERT_TRUE(view) << view.error().ToString();
    EXPECT_EQ(ToJson(*view), text);
    Definitions definitions;
    definitions.views.push_back(*view);
    const auto from_yaml = DefinitionsFromYaml(JsonToYaml(ToJson(definitions)));
    ASSERT_TRUE(from_yaml) << from_yaml.error().ToString();
    EXPECT_EQ(*from_yaml, definitions);
    EXPECT_TRUE(CheckDefinitions(definitions, {}));
  }
}

TEST(StreamSource, AFormatMayBeJustItsName) {
  const auto view = FeatureViewFromJson(
      R"({"name": "v", "stream_source": {"type": "kafka", "name": "k", "kafka_bootstrap_servers": "h",
          "topic": "t", "message_format": "json", "watermark_delay_threshold": 90}})");
  ASSERT_TRUE(view) << view.error().ToString();
  EXPECT_EQ(view->kafka->rows.format.kind, MessageFormat::Kind::kJson);
  EXPECT_EQ(view->kafka->watermark_delay_us, 90'000'000);
}

TEST(StreamSource, ReadingNamesWhatIsMissingOrUnknown) {
  const auto refusal = [](std::string_view members) {
    const auto view = FeatureViewFromJson(
        R"({"name": "v", "stream_source": {"name": "k", "kafka_bootstrap_servers": "h", "topic": "t", )" +
        std::string(members) + "}}");
    return view ? "" : view.error().ToString();
  };
  EXPECT_THAT(refusal(R"("type": "kafka")"), HasSubstr("stream_source: member 'message_format' is missing"));
  EXPECT_THAT(refusal(R"("type": "kafka", "message_format": "jsom")"), HasSubstr("did you mean 'json'?"));
  EXPECT_THAT(refusal(R"("type": "kafak")"), HasSubstr("did you mean 'kafka'?"));
  EXPECT_THAT(refusal(R"("type": "kafka", "message_format": "json", "topics": "t")"),
              HasSubstr("unknown member 'topics' (did you mean 'topic'?)"));
  EXPECT_THAT(refusal(R"("type": 3)"), HasSubstr("type must be a string, not a number"));
}

TEST(StreamSource, PrintsAsInSpecs) {
  const auto kafka = FeatureViewFromJson(kKafkaView).value();
  EXPECT_THAT(ToSpecJson(kafka, {}, {}), AllOf(HasSubstr(R"("streamSource": {
      "type": "STREAM_KAFKA",
      "name": "trip_events",
      "eventTimestampColumn": "at",
      "createdTimestampColumn": "made",
      "fieldMapping": {
        "r": "rating"
      },
      "kafkaOptions": {
        "bootstrapServers": "a:9092,b",
        "classPath": "rides.Trip",
        "topic": "trips.v1"
      }
    })"),
                                               Not(HasSubstr("sasl"))));
  const auto kinesis = FeatureViewFromJson(kKinesisView).value();
  EXPECT_THAT(ToSpecJson(kinesis, {}, {}), HasSubstr(R"("streamSource": {
      "type": "STREAM_KINESIS",
      "name": "trip_events",
      "eventTimestampColumn": "at",
      "kinesisOptions": {
        "region": "eu-west-1",
        "streamName": "trips",
        "endpointUrl": "http://127.0.0.1:5000",
        "recordFormat": {
          "csvFormat": {
            "columns": [
              "at",
              "id"
            ]
          }
        }
      }
    })"));
}

TEST(StreamSource, ASecretIsAReferenceAndIsNotShown) {
  KafkaSource source = Kafka();
  source.security = {{"sasl.password", "hunter2"}};
  EXPECT_THAT(Refusal(source),
              AllOf(HasSubstr("sasl.password is a secret"), HasSubstr("${NAME}"), Not(HasSubstr("hunter2"))));
  for (const std::string_view wrong : {"${}", "${1A}", "${A B}", "x${A}", "${A", ""}) {
    source.security = {{"ssl.key.password", std::string(wrong)}};
    EXPECT_NE(Refusal(source), "") << wrong;
  }
  source.security = {{"ssl.key.password", "${KEY_1}"}, {"ssl.ca.location", "/etc/ca.pem"}};
  EXPECT_EQ(Refusal(source), "");
  source.security = {{"linger.ms", "5"}};
  EXPECT_THAT(Refusal(source), HasSubstr("there is no setting 'linger.ms'"));
  source.security = {{"security.protocol", "TLS"}};
  EXPECT_THAT(Refusal(source), HasSubstr("security.protocol 'TLS' is not known; there are PLAINTEXT, SSL"));
}

TEST(StreamSource, ServersAreHostsWithPorts) {
  KafkaSource source = Kafka();
  for (const std::string_view right : {"h", "h:1", "h1.a-b:9092, h2:65535", "[::1]:9092", "SSL://h:9093"}) {
    source.bootstrap_servers = right;
    EXPECT_EQ(Refusal(source), "") << right;
  }
  for (const std::string_view wrong :
       {"", ",", "h:0", "h:65536", "h:x", ":9092", "h,", "a b:1", "h:9092/t"}) {
    source.bootstrap_servers = wrong;
    EXPECT_NE(Refusal(source), "") << wrong;
  }
  source.bootstrap_servers = "me:hunter2@h:9092";
  EXPECT_THAT(Refusal(source), AllOf(HasSubstr("no host:port"), Not(HasSubstr("hunter2"))));
}

TEST(StreamSource, NamesAndFormatsAreChecked) {
  KafkaSource source = Kafka();
  source.topic = "a/b";
  EXPECT_THAT(Refusal(source), HasSubstr("topic 'a/b' is no name of one"));
  source = Kafka();
  source.rows.format.kind = MessageFormat::Kind::kAvro;
  EXPECT_THAT(Refusal(source), HasSubstr("give schema_json"));
  source.rows.format.schema_json = "{";
  EXPECT_THAT(Refusal(source), HasSubstr("schema_json of format avro"));
  source.rows.format.schema_registry_url = "https://registry";
  EXPECT_THAT(Refusal(source), HasSubstr("schema_json and schema_registry_url: give one"));
  source.rows.format.schema_json.clear();
  for (const std::string_view right :
       {"https://registry:8081/path", "http://me:${PASSWORD}@h", "http://${U}:${P}@h"}) {
    source.rows.format.schema_registry_url = right;
    EXPECT_EQ(Refusal(source), "") << right;
  }
  for (const std::string_view wrong :
       {"registry:8081", "me:hunter2@registry", "http://me:hunter2@h", "http://hunter2@h"}) {
    source.rows.format.schema_registry_url = wrong;
    EXPECT_THAT(Refusal(source), AllOf(HasSubstr("schema_registry_url"), Not(HasSubstr("hunter2")))) << wrong;
  }
  source.rows.format.kind = MessageFormat::Kind::kJson;
  EXPECT_THAT(Refusal(source), HasSubstr("format json has a schema_registry_url"));
  source.rows.format.schema_registry_url.clear();
  source.rows.format.kind = MessageFormat::Kind::kProtobuf;
  EXPECT_THAT(Refusal(source), HasSubstr("has no class_path"));
  source.rows.format.kind = MessageFormat::Kind::kCsv;
  EXPECT_THAT(Refusal(source), HasSubstr("has no columns"));
  source.rows.format.columns = {"a", "a"};
  EXPECT_THAT(Refusal(source), HasSubstr("lists column 'a' twice"));
  source.rows.format.columns = {"a"};
  source.rows.format.delimiter = "::";
  EXPECT_THAT(Refusal(source), HasSubstr("one character, not '::'"));
  source = Kafka();
  source.rows.field_mapping = {{"a", "x"}, {"b", "X"}};
  EXPECT_THAT(Refusal(source), HasSubstr("have one name"));

  KinesisSource kinesis;
  kinesis.name = "k";
  kinesis.stream_name = "s";
  kinesis.region = "eu-west-1";
  EXPECT_TRUE(CheckStream(kinesis));
  kinesis.endpoint_url = "https://me:hunter2@h";
  EXPECT_THAT(CheckStream(kinesis).error().ToString(), Not(HasSubstr("hunter2")));
  kinesis.endpoint_url = "localhost:5000";
  EXPECT_THAT(CheckStream(kinesis).error().ToString(), HasSubstr("does not begin with http"));
}

TEST(StreamSource, AViewHasOne) {
  Definitions definitions;
  definitions.views.push_back(FeatureViewFromJson(kKafkaView).value());
  definitions.views[0].push = PushSource{.name = "p", .metadata = {}};
  const auto checked = CheckDefinitions(definitions, {});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().ToString(), HasSubstr("several stream sources"));
}

constexpr const char* kTransformed = R"({"name": "orders", "entities": ["user"],)"
                                     R"("fields": [{"name": "total", "type": "float64"}],)"
                                     R"("stream_source": {"type": "kafka", "name": "k",)"
                                     R"("kafka_bootstrap_servers": "h", "topic": "t",)"
                                     R"("message_format": {"type": "json"}},)"
                                     R"("transformation": {"inputs": [{"name": "price", "type": "float64"},)"
                                     R"({"name": "qty", "type": "int64"}],)"
                                     R"("expressions": {"total": "price * qty"}, "filter": "qty > 0"}})";

TEST(StreamTransformations, AreReadWrittenAndPrinted) {
  const auto view = FeatureViewFromJson(kTransformed);
  ASSERT_TRUE(view) << view.error().ToString();
  ASSERT_TRUE(view->transformation);
  EXPECT_EQ(view->transformation->inputs[1].type.kind, TypeKind::kInt64);
  EXPECT_EQ(view->transformation->expressions.at("total"), "price * qty");
  EXPECT_EQ(view->transformation->filter, "qty > 0");
  EXPECT_EQ(FeatureViewFromJson(ToJson(*view)).value(), *view);
  EXPECT_THAT(ToSpecJson(*view, {}, {}), HasSubstr(R"("filter": "qty > 0")"));
}

TEST(StreamTransformations, ComputeWhatTheViewHas) {
  const auto refusal = [](const std::string& transformation, const std::string& source_more = {}) {
    const auto definitions = DefinitionsFromJson(
        R"({"entities": [{"name": "user"}], "feature_views": [{"name": "v", "entities": ["user"],
            "fields": {"total": "float64", "n": "int64"}, "stream_source": {"type": "kafka", "name": "k",
            "kafka_bootstrap_servers": "h", "topic": "t", "message_format": "json")" +
        source_more + R"(}, "transformation": )" + transformation + "}]}");
    if (!definitions) return definitions.error().ToString();
    const auto checked = CheckDefinitions(*definitions, {});
    return checked ? "" : checked.error().ToString();
  };
  EXPECT_EQ(refusal(R"({"expressions": {"total": "n * 2"}, "filter": "n > 0"})"), "");
  EXPECT_EQ(
      refusal(R"j({"inputs": {"total": "string"}, "expressions": {"total": "CAST(total AS DOUBLE)"}})j"), "");
  EXPECT_THAT(refusal(R"({"expressions": {"totals": "n"}})"), HasSubstr("did you mean 'total'?"));
  EXPECT_THAT(refusal(R"({"expressions": {"user": "n"}})"), HasSubstr("a join key is not computed"));
  EXPECT_THAT(refusal(R"({"expressions": {"n": ""}})"), HasSubstr("empty expression"));
  EXPECT_THAT(refusal(R"({"inputs": {"n": "string"}})"), HasSubstr("input 'n'"));
  EXPECT_THAT(refusal(R"({"inputs": {"a": "string", "A": "string"}})"), HasSubstr("one name"));
  EXPECT_THAT(refusal(R"j({"expressions": {"event_timestamp": "now()"}})j", R"(, "timestamp_field": "at")"),
              HasSubstr("leave out the stream source's timestamp_field"));
  EXPECT_THAT(refusal(R"({"filters": "n > 0"})"), HasSubstr("did you mean 'filter'?"));
  auto pushed = FeatureViewFromJson(kTransformed).value();
  pushed.kafka.reset();
  pushed.push = PushSource{.name = "p", .metadata = {}};
  Definitions definitions;
  definitions.views.push_back(pushed);
  const auto checked = CheckDefinitions(definitions, {});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("give it a Kafka or Kinesis source"));
}

}  // namespace
}  // namespace tidemark
