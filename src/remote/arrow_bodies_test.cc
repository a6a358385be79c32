// Rows that are sent again are the same bytes; an error keeps its code on the way to the caller.
#include "remote/arrow_bodies.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "remote/error_answer.h"

namespace tidemark::remote {
namespace {

using testing::HasSubstr;

std::shared_ptr<arrow::RecordBatchReader> Numbers(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  const auto array = builder.Finish().ValueOrDie();
  const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
  return arrow::RecordBatchReader::Make({arrow::RecordBatch::Make(schema, count, {array})}).ValueOrDie();
}

std::string AllOf(RequestBody& body) {
  std::string all;
  while (true) {
    const auto piece = body.Next();
    EXPECT_TRUE(piece) << piece.error().ToString();
    if (!piece || piece->empty()) return all;
    all.append(*piece);
  }
}

TEST(RowsBody, IsSentAgainFromAnyPlace) {
  const auto body = RowsBody::Make(Numbers(100'000), {.before = "<", .behind = ">"});
  ASSERT_TRUE(body->Next());
  ASSERT_TRUE(body->Next());
  ASSERT_TRUE(body->Restart());
  const std::string first = AllOf(*body);
  EXPECT_EQ(body->rows(), 100'000);
  ASSERT_TRUE(body->Restart());
  EXPECT_EQ(AllOf(*body), first);
  EXPECT_EQ(first.front(), '<');
  EXPECT_EQ(first.back(), '>');
  const auto table = ReadTable(first.substr(1, first.size() - 2), {});
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_EQ((*table)->num_rows(), 100'000);
}

TEST(RowsBody, ForgetsWhatIsTooLong) {
  const auto body = RowsBody::Make(Numbers(3'000'000), {});
  EXPECT_GT(AllOf(*body).size(), 3'000'000U * sizeof(std::int64_t));
  EXPECT_FALSE(body->Restart());
}

TEST(TakenRows, AreAStreamOrAFile) {
  EXPECT_FALSE(TakeRows({}, {}));
  ArrowArrayStream released{};
  EXPECT_FALSE(TakeRows({.stream = &released, .path = {}}, {}));
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto missing = TakeRows({.stream = nullptr, .path = folder / "missing.csv"}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  const auto odd = TakeRows({.stream = nullptr, .path = folder / "rows.txt"}, {});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder / "rows.csv") << "a\n1\n";
  auto file = TakeRows({.stream = nullptr, .path = folder / "rows.csv"}, R"({"x": 1})");
  ASSERT_TRUE(file) << file.error().ToString();
  const std::string sent = AllOf(*file->body);
  ASSERT_TRUE(file->body->Restart());
  EXPECT_EQ(AllOf(*file->body), sent);
  EXPECT_THAT(sent, HasSubstr("{\"x\": 1}\r\n--"));
  EXPECT_THAT(sent, HasSubstr("Content-Type: text/csv\r\n\r\na\n1\n\r\n--"));
  EXPECT_THAT(file->content_type, HasSubstr("multipart/form-data; boundary="));
}

TEST(ReadTable, SaysWhatIsNoStream) {
  EXPECT_FALSE(ReadTable("{}", {}));
  const auto body = RowsBody::Make(Numbers(10), {});
  std::string cut = AllOf(*body);
  cut.resize(cut.size() / 2);
  EXPECT_FALSE(ReadTable(std::move(cut), {}));
}

TEST(ErrorOfAnswer, IsWhatTheServerSays) {
  const Error told = ErrorOfAnswer(
      "http://x", 404,
      R"({"error": {"code": "NOT_FOUND", "message": "no view", "context": "view a", "request_id": "1"}})");
  EXPECT_EQ(told.code, ErrorCode::kNotFound);
  EXPECT_EQ(told.message, "no view");
  EXPECT_EQ(told.context, "view a");
}

TEST(ErrorOfAnswer, OfOtherProgramsNamesThePlace) {
  const Error proxy = ErrorOfAnswer("http://x", 502, "<html>Bad\r\nGateway</html>");
  EXPECT_EQ(proxy.code, ErrorCode::kUnavailable);
  EXPECT_THAT(proxy.message, HasSubstr("http://x answered 502"));
  for (const std::string_view odd : {"", "[]", "1", R"({"error": 1})", R"({"error": {"code": "NONE"}})"}) {
    EXPECT_EQ(ErrorOfAnswer("http://x", 403, odd).code, ErrorCode::kPermissionDenied) << odd;
  }
  EXPECT_EQ(ErrorOfAnswer("http://x", 404, std::string(100'000, '[')).code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tidemark::remote
