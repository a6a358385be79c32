// Where settings of the server come from, which counts, and what is refused.
#include "server/serve_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tidemark::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ServeSettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              (std::string("tidemark_serve_settings_") + test->name() + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& yaml) const { std::ofstream(folder_ / "tidemark.yaml") << yaml; }
  Result<ServeSettings> Read(const SettingTexts& flags = {}) const {
    const Environment environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    return ReadServeSettings(folder_, environment, flags);
  }
  std::string Refused(const SettingTexts& flags) const {
    const auto read = Read(flags);
    EXPECT_FALSE(read);
    return read ? "" : read.error().ToString();
  }

  fs::path folder_;
  SettingTexts variables_;
};

TEST_F(ServeSettingsTest, FlagsGoBeforeTheEnvironmentBeforeTheFile) {
  EXPECT_EQ(Read()->http.port, 6566);
  Write("project: demo\nserver:\n  port: 1\n  host: 0.0.0.0\n  body_max: 2MiB\n");
  variables_ = {{"TIDEMARK_SERVE_PORT", "2"}, {"TIDEMARK_SERVE_HOST", "127.0.0.2"}};
  const ServeSettings settings = Read({{"port", "3"}}).value();
  EXPECT_EQ(settings.http.port, 3);
  EXPECT_EQ(settings.http.host, "127.0.0.2");
  EXPECT_EQ(settings.http.limits.body_bytes_max, 2U << 20U);
}

// Goal: every setting that is listed takes a value of its kind, from each of the three places.
TEST_F(ServeSettingsTest, EverySettingCanBeSet) {
  const std::map<std::string_view, std::string> values{{"ADDRESS", "127.0.0.1"},
                                                       {"PORT", "8000"},
                                                       {"N", "7"},
                                                       {"", "true"},
                                                       {"FILE", "x"},
                                                       {"WHEN", "yes"},
                                                       {"SIZE", "256MiB"},
                                                       {"TIME", "5s"},
                                                       {"DIGITS", "123456789012"},
                                                       {"NAME", "eu-north-1"},
                                                       {"PROGRAM", "python3"},
                                                       {"URI,...", "s3://bucket/folder"},
                                                       {"FOLDER,...", "/data/a,b"}};
  for (const ServeSettingInfo& info : AllServeSettings()) {
    if (info.name.starts_with("tls_")) continue;  // these three go together
    EXPECT_FALSE(info.what.empty());
    EXPECT_TRUE(Read({{std::string(info.name), values.at(info.value)}})) << info.name;
  }
  const ServeSettings settings = Read({{"tls_cert", "/c"},
                                       {"tls_key", "/k"},
                                       {"tls_client_ca", "/a"},
                                       {"pin", "true"},
                                       {"busy_poll", "50us"},
                                       {"flight_port", "0"},
                                       {"require_keys", "no"},
                                       {"idle_time_max", "1500ms"}})
                                     .value();
  EXPECT_EQ(settings.http.tls.client_ca, "/a");
  EXPECT_TRUE(settings.http.pin_threads);
  EXPECT_EQ(settings.http.busy_poll, std::chrono::microseconds(50));
  EXPECT_EQ(settings.flight_port, 0);
  EXPECT_EQ(settings.require_keys, RequireKeys::kNo);
  EXPECT_EQ(settings.http.limits.idle_time_max, std::chrono::milliseconds(1500));
}

TEST_F(ServeSettingsTest, PathsOfTheFileBeginAtTheStore) {
  Write("server: {tls_cert: c.pem, tls_key: /etc/k.pem, access_log: access.log}");
  const ServeSettings settings = Read().value();
  EXPECT_EQ(settings.http.tls.certificate, folder_ / "c.pem");
  EXPECT_EQ(settings.http.tls.key, "/etc/k.pem");
  EXPECT_EQ(settings.http.access_log, (folder_ / "access.log").string());
  Write("server: {source_folders: '/data/a,b'}");
  EXPECT_THAT(Read()->source_folders, testing::ElementsAre("/data/a", folder_ / "b"));
  EXPECT_THAT(Refused({{"source_folders", "/a,,b"}}), HasSubstr("names no folder"));
  Write("server: {access_log: '-'}");
  EXPECT_EQ(Read()->http.access_log, "-");
}

TEST_F(ServeSettingsTest, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(Refused({{"port", "70000"}}), HasSubstr("setting 'port'"));
  EXPECT_THAT(Refused({{"port", "-1"}}), HasSubstr("whole number"));
  EXPECT_THAT(Refused({{"threads", ""}}), HasSubstr("setting 'threads'"));
  EXPECT_THAT(Refused({{"pin", "1"}}), HasSubstr("neither true nor false"));
  EXPECT_THAT(Refused({{"body_max", "1"}}), HasSubstr("at least 1024 bytes"));
  EXPECT_THAT(Refused({{"memory_max", "1KiB"}}),
              testing::AllOf(HasSubstr("setting 'memory_max'"), HasSubstr("at least 1048576 bytes")));
  EXPECT_TRUE(Read({{"memory_max", "1MiB"}}));
  EXPECT_THAT(Refused({{"busy_poll", "2m"}}), HasSubstr("more than 1m"));
  EXPECT_THAT(Refused({{"idle_time_max", "soon"}}), HasSubstr("setting 'idle_time_max'"));
  EXPECT_THAT(Refused({{"require_keys", "maybe"}}), HasSubstr("auto, yes and no"));
  EXPECT_THAT(Refused({{"tls_cert", "/c"}}), HasSubstr("tls_key is missing"));
  EXPECT_THAT(Refused({{"tls_client_ca", "/c"}}), HasSubstr("only HTTPS"));
  Write("server: {prot: 1}");
  EXPECT_THAT(Refused({}), testing::AllOf(HasSubstr("unknown setting 'prot'"), HasSubstr("port"),
                                          HasSubstr("tidemark.yaml")));
  Write("server: {port: [1]}");
  EXPECT_THAT(Refused({}), HasSubstr("one value"));
  Write("server: 7");
  EXPECT_THAT(Refused({}), HasSubstr("members"));
  Write("server: {port: 1");
  EXPECT_THAT(Refused({}), HasSubstr("not valid YAML"));
  Write("server:");
  EXPECT_TRUE(Read());
  variables_ = {{"TIDEMARK_SERVE_PORT", "x"}};
  EXPECT_THAT(Refused({}), HasSubstr("environment TIDEMARK_SERVE_"));
}

TEST(IsLoopbackTest, KnowsThisMachine) {
  for (const char* const host : {"127.0.0.1", "127.8.8.8", "::1", "localhost"})
    EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* const host : {"0.0.0.0", "::", "10.0.0.1", "192.168.127.0"})
    EXPECT_FALSE(IsLoopback(host)) << host;
}

}  // namespace
}  // namespace tidemark::server
