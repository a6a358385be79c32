// Proves that a query reaches the files of its tables and nothing else. Each way out is tried against the
// engine, which refuses most of them while it parses, and against a locked database itself, which must hold
// if a statement ever got past the parser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "adapters/adbc/duckdb_database_internal.h"
#include "adapters/adbc/duckdb_testing.h"
#include "adapters/adbc/duckdb_text_internal.h"
#include "store/sql_engine_testing.h"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing_support::RunSql;
using testing_support::TableOf;

class DuckDbSandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto schema = arrow::schema({arrow::field("k", arrow::int64())});
    for (const char* name : {"own.parquet", "own2.parquet", "neighbour.parquet"})
      testing_support::WriteParquet(*TableOf(schema, "[[1]]"), folder_.path() / name);
    std::ofstream(folder_.path() / "secret.csv") << "a\n1\n";
    std::ofstream(folder_.path() / "secret.json") << "{\"a\": 1}\n";
    table_ = {.schema = "p",
              .name = "t",
              .columns = {{.name = "k", .type = {TypeKind::kInt64}}},
              .files = {.paths = {Path("own.parquet")}},
              .identity = "own"};
  }

  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }

  // Reads of what the table is not.
  std::vector<std::string> Reads() const {
    std::vector<std::string> reads;
    for (const std::string& call : {"read_parquet('" + Path("neighbour.parquet") + "')",
                                    "read_parquet('" + Path("*.parquet") + "')",
                                    "read_parquet('" + Path("own2.parquet") + "')",
                                    "parquet_scan('" + Path("neighbour.parquet") + "')",
                                    "parquet_metadata('" + Path("neighbour.parquet") + "')",
                                    "parquet_schema('" + Path("neighbour.parquet") + "')",
                                    "parquet_kv_metadata('" + Path("neighbour.parquet") + "')",
                                    "read_csv('" + Path("secret.csv") + "')",
                                    "read_csv_auto('" + Path("secret.csv") + "')",
                                    "sniff_csv('" + Path("secret.csv") + "')",
                                    "read_json('" + Path("secret.json") + "')",
                                    "read_json_objects('" + Path("secret.json") + "')",
                                    "read_ndjson('" + Path("secret.json") + "')",
                                    "read_text('" + Path("secret.csv") + "')",
                                    "read_blob('" + Path("secret.csv") + "')",
                                    std::string("read_text('/etc/passwd')"),
                                    "glob('" + Path("*") + "')",
                                    std::string("glob('/etc/*')"),
                                    "'" + Path("neighbour.parquet") + "'",
                                    "'" + Path("secret.csv") + "'",
                                    "\"" + Path("neighbour.parquet") + "\"",
                                    "read_parquet('" + Path("nested/../neighbour.parquet") + "')",
                                    std::string("read_parquet('https://example.com/a.parquet')"),
                                    std::string("'https://example.com/a.parquet'"),
                                    std::string("read_csv('s3://bucket/a.csv')"),
                                    std::string("read_duckdb('" + Path("x.db") + "')")}) {
      reads.push_back("SELECT * FROM " + call);
    }
    reads.push_back("SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')");
    reads.push_back("SELECT * FROM p.t WHERE k IN (SELECT 1 FROM read_text('/etc/passwd'))");
    reads.push_back("WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x");
    return reads;
  }

  // Statements that change something, or open it.
  std::vector<std::string> Changes() const {
    return {"COPY (SELECT 1) TO '" + Path("written.parquet") + "' (FORMAT parquet)",
            "COPY p.t TO '" + Path("written.csv") + "'",
            "COPY p.t FROM '" + Path("secret.csv") + "'",
            "EXPORT DATABASE '" + Path("export") + "'",
            "IMPORT DATABASE '" + Path("export") + "'",
            "ATTACH '" + Path("x.db") + "'",
            "ATTACH '" + Path("neighbour.parquet") + "' AS n",
            "INSTALL httpfs",
            "LOAD httpfs",
            "LOAD '" + Path("x.duckdb_extension") + "'",
            "SET enable_external_access=true",
            "SET allowed_paths=['" + Path("neighbour.parquet") + "']",
            "SET allowed_directories=['/']",
            "SET lock_configuration=false",
            "SET temp_directory='" + Path("elsewhere") + "'",
            "SET TimeZone='America/New_York'",
            "SET memory_limit='100GB'",
            "SET autoload_known_extensions=true",
            "RESET enable_external_access",
            "PRAGMA enable_profiling='json'",
            "CREATE SECRET s (TYPE s3)"};
  }

  testing_support::TestFolder folder_;
  SqlTable table_;
};

TEST_F(DuckDbSandboxTest, TheEngineRefusesEveryWayOut) {
  const auto engine = testing_support::MakeTestEngine(folder_.path() / "spill");
  ASSERT_EQ(testing_support::RowsText(RunSql(*engine, "select k from p.t", {table_})), "1");
  for (const std::string& sql : Reads()) {
    const auto refused = RunSql(*engine, sql, {table_});
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied) << sql << "\n"
                                                                  << refused.error().ToString();
    EXPECT_THAT(refused.error().message, HasSubstr("SQL reads the catalog's tables only")) << sql;
  }
  for (const std::string& sql : Changes()) {
    const auto refused = RunSql(*engine, sql, {table_});
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << sql << "\n" << refused.error().ToString();
  }
}

// What DuckDB knows of itself is no table of the store: settings, views with their paths, other queries'
// tables.
TEST_F(DuckDbSandboxTest, TheEngineHidesItsInside) {
  const auto engine = testing_support::MakeTestEngine(folder_.path() / "spill");
  for (const char* sql :
       {"select current_setting('temp_directory')", "select write_log('x')",
        "select * from duckdb_settings()", "select * from duckdb_views()", "select * from duckdb_databases()",
        "select * from duckdb_secrets()", "select * from pragma_version()",
        "select * from arrow_scan(1, 2, 3)", "select * from information_schema.tables",
        "select * from pg_catalog.pg_class", "select * from duckdb_tables", "select * from sqlite_master",
        "select * from memory.tidemark_rows.r1", "select * from tidemark_rows.r1", "show tables",
        "show all tables", "describe"}) {
    const auto refused = RunSql(*engine, sql, {table_});
    ASSERT_FALSE(refused) << sql;
    EXPECT_THAT(refused.error().code,
                testing::AnyOf(ErrorCode::kPermissionDenied, ErrorCode::kNotFound, ErrorCode::kUnsupported))
        << sql << "\n"
        << refused.error().ToString();
  }
}

// A name that is a common table in one place and a file in another passes the check of names, and no further.
TEST_F(DuckDbSandboxTest, ADisguisedFileIsNotRead) {
  const auto engine = testing_support::MakeTestEngine(folder_.path() / "spill");
  const std::string file = QuotedName(Path("neighbour.parquet"));
  const auto refused = RunSql(
      *engine, "select * from " + file + ", (with " + file + " as (select 1) select * from " + file + ")",
      {table_});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied) << refused.error().ToString();
}

TEST_F(DuckDbSandboxTest, TheLockedDatabaseHolds) {
  const auto database = DuckDbDatabase::Open({.library = std::filesystem::path(TIDEMARK_DUCKDB_LIBRARY),
                                              .files = {Path("own.parquet")},
                                              .spill_folder = folder_.path() / "s"});
  ASSERT_TRUE(database) << database.error().ToString();
  const auto catalog = (*database)->Prepare({table_}, {});
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  const auto connection = (*database)->Connect(**catalog);
  ASSERT_TRUE(connection);
  ASSERT_TRUE((*connection)->Execute("SELECT * FROM p.t"));
  for (const std::string& sql : Reads()) {
    if (sql.find("own2") != std::string::npos || sql.find("own.parquet") != std::string::npos) continue;
    EXPECT_FALSE((*connection)->Execute(sql)) << sql;
  }
  EXPECT_FALSE((*connection)->Execute("SELECT * FROM read_parquet('" + Path("own2.parquet") + "')"));
  for (const std::string& sql : Changes())
    EXPECT_FALSE((*connection)->Execute(sql)) << sql;
  for (const char* name : {"written.parquet", "written.csv", "export", "x.db", "elsewhere"})
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / name)) << name;
}

// A file that may be read may be written too, as far as DuckDB is concerned: no statement that writes gets
// through.
TEST_F(DuckDbSandboxTest, AnAllowedFileIsNotWritten) {
  const auto engine = testing_support::MakeTestEngine(folder_.path() / "spill");
  const auto before = std::filesystem::last_write_time(folder_.path() / "own.parquet");
  const auto size = std::filesystem::file_size(folder_.path() / "own.parquet");
  for (const std::string& sql : {"COPY (SELECT 2) TO '" + Path("own.parquet") + "'",
                                 "SELECT * FROM (COPY (SELECT 2) TO '" + Path("own.parquet") + "')",
                                 "WITH x AS (COPY (SELECT 2) TO '" + Path("own.parquet") + "') SELECT 1"}) {
    EXPECT_FALSE(RunSql(*engine, sql, {table_})) << sql;
  }
  EXPECT_EQ(std::filesystem::last_write_time(folder_.path() / "own.parquet"), before);
  EXPECT_EQ(std::filesystem::file_size(folder_.path() / "own.parquet"), size);
}

// Spilled data is gone with the engine, and so is that of a process that died.
TEST_F(DuckDbSandboxTest, SpillFoldersAreCleaned) {
  const auto spill = folder_.path() / "spill";
  std::filesystem::create_directories(spill / "sql-1-1" / "1");
  std::ofstream(spill / "sql-1-1" / "lock") << "";
  std::ofstream(spill / "sql-1-1" / "1" / "left.tmp") << "left by a process that died";
  {
    const auto engine = testing_support::MakeTestEngine(spill);
    const auto rows = RunSql(
        *engine, "select count(*) from (select distinct i, repeat('x', 30) || i s from range(6000000) t(i))",
        {}, {.memory_bytes_max = std::int64_t{200} << 20, .threads = 2});
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_FALSE(std::filesystem::exists(spill / "sql-1-1"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(spill));
}

}  // namespace
}  // namespace tidemark
