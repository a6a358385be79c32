// Goal: settings are read strictly: defaults without a file, each setting heard, and whatever is not known or
// cannot be read is an error that names it.
#include "wiring/config.h"

#include <gmock/gmock.h>

#include <fstream>
#include <limits>

#include "store/source_testing.h"

namespace tidemark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Config Parsed(std::string_view yaml) {
  const auto config = ParseConfig(yaml, "/store");
  EXPECT_TRUE(config) << config.error().ToString();
  return config ? *config : Config{};
}

std::string Refused(std::string_view yaml, ErrorCode code = ErrorCode::kInvalidArgument) {
  const auto config = ParseConfig(yaml, "/store");
  EXPECT_FALSE(config) << yaml;
  if (config) return "";
  EXPECT_EQ(config.error().code, code) << config.error().ToString();
  return config.error().ToString();
}

TEST(Config, HasDefaults) {
  for (const std::string_view yaml : {"", "\n# nothing\n", "{}", "registry: {}"}) {
    const Config config = Parsed(yaml);
    EXPECT_EQ(config.project, "default");
    EXPECT_EQ(config.registry_path, "/store/.tidemark/registry.db");
    EXPECT_EQ(config.online_path, "/store/.tidemark/online");
    EXPECT_GT(config.memory_bytes_max, 0);
    EXPECT_EQ(config.threads, 0U);
  }
}

TEST(Config, RefusesWhatIsNoSettingOfSql) {
  EXPECT_THAT(Refused("sql: {time_limit: 0s}"), HasSubstr("too short"));
  EXPECT_THAT(Refused("sql: {memory_limit: 1}"), HasSubstr("too little"));
  EXPECT_THAT(Refused("sql: {extra_files: [{a: b}]}"), HasSubstr("list of paths"));
  EXPECT_THAT(Refused("sql: {verify_files: no}"), HasSubstr("neither true nor false"));
  EXPECT_THAT(Refused("sql: {memory_limit: [1GiB]}"), HasSubstr("one value"));
}

TEST(Config, HearsEverySetting) {
  const Config config = Parsed(R"(
project: demo
registry: {path: sub/r.db, busy_timeout: 250ms}
online_store:
  type: lmdb
  path: /elsewhere/online
  size_max: 1.5GiB
offline_store:
  path: tables
  maintenance: false
  flush_bytes: 1MiB
  flush_after: 30s
  snapshot_days: 2
memory_limit: 512MB
threads: 3
sql:
  memory_limit: 256MiB
  time_limit: 90s
  extra_files: [more/*.csv, /elsewhere/x.parquet]
  verify_files: false
)");
  EXPECT_FALSE(config.sql.verifies_files);
  EXPECT_EQ(config.sql.memory_bytes_max, std::int64_t{256} << 20);
  EXPECT_EQ(config.sql.time_limit_us, 90'000'000);
  EXPECT_THAT(config.sql.extra_files, testing::ElementsAre("/store/more/*.csv", "/elsewhere/x.parquet"));
  EXPECT_EQ(config.project, "demo");
  EXPECT_EQ(config.registry_path, "/store/sub/r.db");
  EXPECT_EQ(config.busy_timeout_ms, 250);
  EXPECT_EQ(config.online_path, "/elsewhere/online");
  EXPECT_EQ(config.online_bytes_max, std::int64_t{3} << 29);
  EXPECT_EQ(config.tables_path, "/store/tables");
  EXPECT_FALSE(config.maintenance.is_on);
  EXPECT_EQ(config.maintenance.flush_bytes, std::int64_t{1} << 20);
  EXPECT_EQ(config.maintenance.flush_after_us, 30'000'000);
  EXPECT_EQ(config.maintenance.snapshot_age_us, std::int64_t{2} * 24 * 3600 * 1'000'000);
  EXPECT_EQ(config.memory_bytes_max, 512'000'000);
  EXPECT_EQ(config.threads, 3U);
}

TEST(Config, NamesWhatItDoesNotKnow) {
  EXPECT_THAT(Refused("memory_limits: 1GB"),
              AllOf(HasSubstr("'memory_limits'"), HasSubstr("'memory_limit'")));
  EXPECT_THAT(Refused("online_store: {sise_max: 1GB}"), HasSubstr("'online_store.size_max'"));
  EXPECT_THAT(Refused("online_store: {size_max: {a: 1}}"), HasSubstr("online_store.size_max"));
  EXPECT_THAT(Refused("offline_store: {maintenance: maybe}"), HasSubstr("neither true nor false"));
  EXPECT_THAT(Refused("offline_store: {flush_bytes: 1KiB}"), HasSubstr("64KiB to 4GiB"));
  EXPECT_THAT(Refused("offline_store: {snapshot_days: -1}"), HasSubstr("0 to 36500"));
  EXPECT_THAT(Refused("threads: [1]"), HasSubstr("threads"));
  EXPECT_THAT(Refused("threads: 1\nthreads: 2"), AllOf(HasSubstr("threads"), HasSubstr("twice")));
  EXPECT_THAT(Refused("online_store: {type: redis}", ErrorCode::kUnsupported), HasSubstr("redis"));
}

TEST(Config, NamesWhatItCannotRead) {
  for (const std::string_view value : {"-1", "two", "1.5", "100000", "''", "99999999999999999999"}) {
    EXPECT_THAT(Refused("threads: " + std::string(value)), HasSubstr("threads"));
  }
  for (const std::string_view value : {"4 bananas", "-1GB", "inf", "nan", "''", "1e30", "GB", "4gib"}) {
    EXPECT_THAT(Refused("memory_limit: " + std::string(value)), HasSubstr("memory_limit"));
  }
  EXPECT_THAT(Refused("project: ../x"), HasSubstr("project"));
  EXPECT_THAT(Refused("registry: {path: ''}"), HasSubstr("registry.path"));
  EXPECT_THAT(Refused("registry: {busy_timeout: soon}"), HasSubstr("registry.busy_timeout"));
  EXPECT_THAT(Refused("a: [1"), HasSubstr("YAML"));
  Refused("- 1");
  Refused("just text");
  Refused("? [a]\n: 1");
  Refused("registry: &r\n  path: *r");
  Refused("registry: &r {more: *r}");  // a map that holds itself
  Refused(std::string(100'000, '['));
}

// Goal: a value that can be read and makes no sense is refused with the reason and the range; its edges are
// not.
TEST(Config, RefusesWhatMakesNoSenseWithTheRange) {
  for (const std::string_view value : {"1KB", "0", "16777215", "2000TiB"}) {
    EXPECT_THAT(
        Refused("memory_limit: " + std::string(value)),
        AllOf(HasSubstr("'memory_limit'"), HasSubstr(value), HasSubstr("from 16MiB to 1024TiB, because")));
  }
  EXPECT_EQ(Parsed("memory_limit: 16MiB").memory_bytes_max, 16 << 20);
  EXPECT_THAT(MemoryWarning(Parsed("memory_limit: 16MiB")).value(), HasSubstr("memory_limit is 16 MiB"));
  EXPECT_FALSE(MemoryWarning(Parsed("memory_limit: 256MiB")));
  for (const std::string_view value : {"0", "1KB", "65TiB"}) {
    EXPECT_THAT(Refused("online_store: {size_max: " + std::string(value) + "}"),
                AllOf(HasSubstr("'online_store.size_max'"), HasSubstr("from 1MiB to 64TiB, because")));
  }
  for (const std::string_view value : {"0", "1025", "-1"})
    EXPECT_THAT(Refused("threads: " + std::string(value)),
                HasSubstr("from 1 to 1024; leave the setting out"));
  EXPECT_EQ(Parsed("threads: 1024").threads, 1024U);
  EXPECT_THAT(Refused("registry: {busy_timeout: 25h}"), HasSubstr("to 24h"));
  EXPECT_EQ(Parsed("registry: {busy_timeout: 0s}").busy_timeout_ms, 0);
  EXPECT_THAT(Refused("registry: {busy_timeout: -1s}"), HasSubstr("registry.busy_timeout"));
}

TEST(Config, ParsesBytes) {
  EXPECT_EQ(ParseBytes("1048576").value(), 1 << 20);
  EXPECT_EQ(ParseBytes("1 MiB").value(), 1 << 20);
  EXPECT_EQ(ParseBytes("0.5KB").value(), 500);
  EXPECT_EQ(ParseBytes("0").value(), 0);
}

TEST(Config, ReadsTheFile) {
  const testing_support::TestFolder folder;
  EXPECT_EQ(ReadConfig(folder.path()).value().project, "default");
  std::ofstream(folder.path() / kConfigFile) << "project: demo\n";
  EXPECT_EQ(ReadConfig(folder.path()).value().project, "demo");
  std::ofstream(folder.path() / kConfigFile) << "project: 'a b'\n";
  EXPECT_THAT(ReadConfig(folder.path()).error().ToString(),
              HasSubstr((folder.path() / kConfigFile).string()));
}

TEST(Config, AFileThatIsNoneIsAnError) {
  const testing_support::TestFolder folder;
  std::filesystem::create_directory(folder.path() / kConfigFile);
  const auto config = ReadConfig(folder.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace tidemark
