// Goal: a folder made for Feast's local provider opens as it is, under its project's name; what it asks for
// that is not local is an error that names the setting; tidemark.yaml goes before it.
#include "wiring/feast_config.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "store/source_testing.h"

namespace tidemark {
namespace {

using testing::HasSubstr;

std::string FeastProject(std::string_view yaml) {
  Config config;
  const auto read = ApplyFeastConfig(yaml, config);
  EXPECT_TRUE(read) << read.error().ToString();
  return config.project;
}

void ExpectFeastRefused(std::string_view yaml, ErrorCode code, const std::string& message) {
  Config config;
  const auto read = ApplyFeastConfig(yaml, config);
  ASSERT_FALSE(read) << yaml;
  EXPECT_EQ(read.error().code, code) << read.error().ToString();
  EXPECT_THAT(read.error().ToString(), HasSubstr(message));
}

TEST(FeastConfig, LocalSettingsAreTaken) {
  EXPECT_EQ(FeastProject(R"(
project: drivers
# By default, the registry is a file
registry: data/registry.db
provider: local
online_store:
    type: sqlite
    path: data/online_store.db
entity_key_serialization_version: 3
auth:
    type: no_auth
)"),
            "drivers");
  EXPECT_EQ(FeastProject(R"(
project: a
registry: {registry_type: sql, path: "sqlite:///data/registry.db", cache_ttl_seconds: 60}
online_store: {path: data/online.db}
offline_store: {type: duckdb}
batch_engine: local
flags: {alpha_features: true}
)"),
            "a");
  EXPECT_EQ(FeastProject("project: a\noffline_store: dask\nonline_store: sqlite\nauth:\n"), "a");
  EXPECT_EQ(FeastProject("provider: local"), "default");
}

TEST(FeastConfig, TheEnvironmentIsReadAsFeastReadsIt) {
  ASSERT_EQ(setenv("TIDEMARK_TEST_PROJECT", "from_there", 1), 0);
  EXPECT_EQ(FeastProject("project: ${TIDEMARK_TEST_PROJECT}"), "from_there");
  EXPECT_EQ(FeastProject("project: $TIDEMARK_TEST_PROJECT"), "from_there");
  ASSERT_EQ(unsetenv("TIDEMARK_TEST_PROJECT"), 0);
  ExpectFeastRefused("project: ${TIDEMARK_TEST_PROJECT}", ErrorCode::kInvalidArgument,
                     "TIDEMARK_TEST_PROJECT");
}

TEST(FeastConfig, WhatIsNotLocalIsAnError) {
  const auto unsupported = ErrorCode::kUnsupported;
  ExpectFeastRefused("provider: gcp", unsupported, "setting 'provider': 'gcp'");
  ExpectFeastRefused("online_store: {type: redis}", unsupported, "setting 'online_store': type 'redis'");
  ExpectFeastRefused("offline_store: snowflake.offline", unsupported, "type 'snowflake.offline'");
  ExpectFeastRefused("batch_engine: {type: spark.engine}", unsupported, "'spark.engine'");
  ExpectFeastRefused("auth: {type: oidc}", unsupported, "tidemark keys create");
  ExpectFeastRefused("registry: gs://bucket/registry.db", unsupported, "gs://bucket/registry.db");
  ExpectFeastRefused("registry: {registry_type: sql, path: postgresql://x}", unsupported,
                     "'sql' is not a local");
}

TEST(FeastConfig, WhatIsUnknownIsAnError) {
  const auto invalid = ErrorCode::kInvalidArgument;
  ExpectFeastRefused("projet: a", invalid, "did you mean 'project'?");
  ExpectFeastRefused("openlineage: {enabled: true}", invalid, "setting 'openlineage' has no counterpart");
  ExpectFeastRefused("project: [a]", invalid, "setting 'project' needs one value");
  ExpectFeastRefused("project: a b", invalid, "setting 'project'");
  ExpectFeastRefused("auth: {}", invalid, "setting 'auth' names no type");
  ExpectFeastRefused("online_store: {type: [a]}", invalid, "setting 'online_store.type' needs one value");
  ExpectFeastRefused("a: b: c", invalid, "not valid YAML");
  ExpectFeastRefused("[a]", invalid, "settings are members");
}

TEST(FeastConfig, OurOwnFileGoesBeforeIt) {
  const testing_support::TestFolder folder;
  std::ofstream(folder.path() / kFeastConfigFile) << "project: drivers\nprovider: local\n";
  EXPECT_EQ(ReadConfig(folder.path()).value().project, "drivers");
  std::ofstream(folder.path() / kFeastConfigFile) << "provider: aws\n";
  EXPECT_THAT(ReadConfig(folder.path()).error().ToString(),
              HasSubstr((folder.path() / kFeastConfigFile).string()));
  std::ofstream(folder.path() / kConfigFile) << "project: own\n";
  EXPECT_EQ(ReadConfig(folder.path()).value().project, "own");
}

}  // namespace
}  // namespace tidemark
