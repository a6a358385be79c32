// ADBC connections over a driver that needs no server: DuckDB, whose own errors are not turned here yet.
#include "adapters/adbc/connection.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "adapters/adbc/adbc_error_internal.h"
#include "pit/arrow_status.h"
#include "store/sql_engine_testing.h"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::RowsText;
using testing_support::TableOf;

std::shared_ptr<AdbcConnection> Connect() {
  const auto database = AdbcDatabase::Open({.driver = TIDEMARK_DUCKDB_LIBRARY,
                                            .entrypoint = "duckdb_adbc_init",
                                            .options = {{"path", ":memory:"}}});
  if (!database) {
    ADD_FAILURE() << database.error().ToString();
    return nullptr;
  }
  return (*database)->Connect().value();
}

std::string RowsOf(AdbcConnection& connection, const AdbcQuery& query, const AdbcLimits& limits = {}) {
  const auto reader = connection.Query(query, limits);
  if (!reader) return reader.error().ToString();
  return RowsText(FromArrowResult((*reader)->ToTable()));
}

// A reader holds all that it needs: the database and connection that it came from may be dropped before it.
TEST(AdbcConnectionTest, AReaderKeepsWhatItNeeds) {
  std::shared_ptr<arrow::RecordBatchReader> reader;
  {
    const auto connection = Connect();
    ASSERT_NE(connection, nullptr);
    reader = connection->Query({.sql = "SELECT i FROM range(10000) t(i)"}).value();
  }
  EXPECT_EQ(reader->ToTable().ValueOrDie()->num_rows(), 10000);
}

TEST(AdbcConnectionTest, ParametersAreBound) {
  const auto connection = Connect();
  ASSERT_NE(connection, nullptr);
  const auto rows =
      TableOf(arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::int64())}),
              R"([["it's; DROP", 7]])");
  const auto parameters = rows->CombineChunksToBatch().ValueOrDie();
  EXPECT_EQ(RowsOf(*connection, {.sql = "SELECT $1 || '!', $2 + 1", .parameters = parameters}),
            "it's; DROP!, 8");
}

TEST(AdbcConnectionTest, RowsAreIngestedByMode) {
  const auto connection = Connect();
  ASSERT_NE(connection, nullptr);
  const auto rows = TableOf(arrow::schema({arrow::field("k", arrow::int64())}), "[[1], [2]]");
  const auto reader = [&] { return std::make_shared<arrow::TableBatchReader>(rows); };
  ASSERT_TRUE(connection->Ingest({.table = "t"}, reader()));
  EXPECT_FALSE(connection->Ingest({.table = "t"}, reader()));
  ASSERT_TRUE(connection->Ingest({.table = "t", .mode = AdbcIngest::Mode::kAppend}, reader()));
  EXPECT_EQ(RowsOf(*connection, {.sql = "SELECT count(*) FROM t"}), "4");
  const auto schema = connection->TableSchema("", "", "t");
  ASSERT_TRUE(schema) << schema.error().ToString();
  EXPECT_TRUE((*schema)->Equals(*rows->schema()));
  const auto found = connection->SchemaOf("SELECT k AS a, 'x' AS b FROM t");
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ((*found)->field_names(), (std::vector<std::string>{"a", "b"}));
}

// A stop or a time limit ends a call that runs, and one that is between two batches.
TEST(AdbcConnectionTest, CallsEndWhenTheyMust) {
  const auto connection = Connect();
  ASSERT_NE(connection, nullptr);
  const auto late = connection->Execute(
      "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3",
      {.time_limit = std::chrono::milliseconds(40)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(late.error().message, HasSubstr("40 ms"));
  std::stop_source stop;
  const auto reader =
      connection->Query({.sql = "SELECT i FROM range(1000000000) t(i)"}, {.stop = stop.get_token()});
  ASSERT_TRUE(reader) << reader.error().ToString();
  std::shared_ptr<arrow::RecordBatch> batch;
  ASSERT_TRUE((*reader)->ReadNext(&batch).ok());
  stop.request_stop();
  arrow::Status status;
  while (status.ok())
    status = (*reader)->ReadNext(&batch);
  EXPECT_EQ(FromStatus(status).code, ErrorCode::kCancelled);
}

TEST(AdbcConnectionTest, DriversAreFoundByName) {
  const testing_support::TestFolder folder;
  const auto missing = FindAdbcDriver("nobody_made-this", {folder.path()});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("adbc-driver-nobody-made-this"));
  const auto package = folder.path() / "adbc_driver_some_one";
  std::filesystem::create_directories(package);
  std::ofstream(package / "libadbc_driver_some_one.so") << "x";
  EXPECT_EQ(FindAdbcDriver("some-one", {folder.path()}).value(), package / "libadbc_driver_some_one.so");
  EXPECT_EQ(FindAdbcDriver("/a/path.so", {}).value(), "/a/path.so");
  EXPECT_EQ(FindAdbcDriver("../x y", {}).value(), "../x y");
  EXPECT_EQ(FindAdbcDriver("x y", {}).error().code, ErrorCode::kInvalidArgument);
  const auto broken = AdbcDatabase::Open({.driver = "some_one", .driver_folders = {folder.path()}});
  EXPECT_FALSE(broken);
}

// Codes by SQLSTATE where there is one, by the status else; what a password was is never told.
TEST(AdbcErrorTest, ErrorsBecomeOurs) {
  struct Case {
    AdbcStatusCode status;
    const char* state;
    const char* message;
    ErrorCode code;
  };
  for (const Case& one : {
           Case{ADBC_STATUS_INTERNAL, "28P01", "x", ErrorCode::kPermissionDenied},
           Case{ADBC_STATUS_IO, "", "FATAL: password authentication failed for user \"u\"",
                ErrorCode::kPermissionDenied},
           Case{ADBC_STATUS_IO, "", "could not translate host name", ErrorCode::kUnavailable},
           Case{ADBC_STATUS_TIMEOUT, "", "x", ErrorCode::kUnavailable},
           Case{ADBC_STATUS_INVALID_ARGUMENT, "42P01", "x", ErrorCode::kNotFound},
           Case{ADBC_STATUS_INVALID_ARGUMENT, "42703", "x", ErrorCode::kInvalidArgument},
           Case{ADBC_STATUS_IO, "42P07", "x", ErrorCode::kAlreadyExists},
           Case{ADBC_STATUS_IO, "53100", "x", ErrorCode::kOutOfSpace},
           Case{ADBC_STATUS_IO, "53300", "x", ErrorCode::kUnavailable},
           Case{ADBC_STATUS_NOT_IMPLEMENTED, "", "", ErrorCode::kUnsupported},
           Case{ADBC_STATUS_CANCELLED, "", "x", ErrorCode::kCancelled},
           Case{ADBC_STATUS_UNAUTHENTICATED, "", "x", ErrorCode::kPermissionDenied},
           Case{ADBC_STATUS_UNKNOWN, "", "x", ErrorCode::kIo},
       }) {
    const Error error = DriverErrorOf(one.status, one.state, one.message, {});
    EXPECT_EQ(error.code, one.code) << one.state << one.message;
    EXPECT_FALSE(error.message.empty());
  }
  const Error hidden = DriverErrorOf(ADBC_STATUS_IO, "",
                                     "cannot reach postgresql://u:hunter22@h/db with hunter22", {"hunter22"});
  EXPECT_THAT(hidden.message, Not(HasSubstr("hunter22")));
}

// An option that holds a password is not repeated when the driver refuses it.
TEST(AdbcErrorTest, RefusedOptionsAreNotShown) {
  const auto refused = AdbcDatabase::Open({.driver = TIDEMARK_DUCKDB_LIBRARY,
                                           .entrypoint = "duckdb_adbc_init",
                                           .options = {{"path", ":memory:"}, {"password", "hunter22"}}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().ToString(), Not(HasSubstr("hunter22")));
}

}  // namespace
}  // namespace tidemark
