// Goal: bodies in every format give the same rows; what is wrong with one is told, not crashed over; and
// answers come back as what they were.
#include "server/rows/body_rows.h"

#include <arrow/array/builder_binary.h>
#include <arrow/c/bridge.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/table.h>
#include <arrow/util/compression.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <random>

#include "server/rows/body_bytes.h"
#include "server/rows/body_memory.h"
#include "server/rows/ndjson_reader.h"
#include "server/rows/row_answers.h"

namespace tidemark::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

/// Gives out a body in pieces of a few bytes, and may fail behind it.
class Pieces final : public http::BodyReader {
 public:
  explicit Pieces(std::string bytes, std::size_t piece = 7, bool fails = false)
      : bytes_(std::move(bytes)), piece_(piece), fails_(fails) {}
  Result<std::size_t> Read(std::span<std::byte> into) override {
    const std::size_t count = std::min({into.size(), piece_, bytes_.size() - at_});
    if (count == 0 && fails_) return Fail(ErrorCode::kUnavailable, "the client is gone");
    std::memcpy(into.data(), bytes_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  std::size_t piece_;
  bool fails_;
  std::size_t at_ = 0;
};

class Collected final : public http::BodyWriter {
 public:
  Result<void> Write(std::string_view piece) override {
    bytes.append(piece);
    return {};
  }
  std::string bytes;
};

class BodyRowsTest : public testing::Test {
 protected:
  BodyRowsTest()
      : folder_(fs::temp_directory_path() / ("tidemark_body_rows_" + std::to_string(getpid()))),
        options_{.json = {.types = {{"id", {.kind = TypeKind::kInt64}}, {"x", {.kind = TypeKind::kFloat64}}}},
                 .body_bytes_max = 1'000,
                 .spool_folder = folder_} {}
  ~BodyRowsTest() override { fs::remove_all(folder_); }

  /// Reads all rows of a stream that a body gave, or tells the error.
  std::string ReadAll(BodyRows& rows) {
    const EntityRows given = rows.rows();
    auto reader = arrow::ImportRecordBatchReader(given.stream);
    if (!reader.ok()) return reader.status().ToString();
    auto table = (*reader)->ToTable();
    if (!table.ok())
      return rows.Blame({.code = ErrorCode::kInternal, .message = "x", .context = {}}).ToString();
    return std::to_string((*table)->num_rows()) + " " + (*table)->schema()->ToString();
  }

  static std::string ArrowBytes(std::int64_t rows) {
    arrow::Int64Builder ids;
    arrow::StringBuilder names;
    for (std::int64_t row = 0; row < rows; ++row) {
      EXPECT_TRUE(ids.Append(row).ok());
      EXPECT_TRUE(names.Append("name").ok());
    }
    const auto batch = arrow::RecordBatch::Make(
        arrow::schema({arrow::field("id", arrow::int64()), arrow::field("n", arrow::utf8())}), rows,
        {*ids.Finish(), *names.Finish()});
    auto out = *arrow::io::BufferOutputStream::Create();
    auto writer = *arrow::ipc::MakeStreamWriter(out, batch->schema());
    EXPECT_TRUE(writer->WriteRecordBatch(*batch).ok());
    EXPECT_TRUE(writer->Close().ok());
    return (*out->Finish())->ToString();
  }

  fs::path folder_;
  BodyRowsOptions options_;
};

TEST_F(BodyRowsTest, JsonAndNdjsonGiveTheSameRows) {
  for (const auto& [format, text] :
       {std::pair{RowFormat::kJson, R"({"id":[1,2],"x":[1,2.5]})"},
        std::pair{RowFormat::kJson, R"([{"id":1,"x":1},{"id":2,"x":2.5}])"},
        std::pair{RowFormat::kNdjson, "{\"id\":1,\"x\":1}\r\n\n{\"id\":2,\"x\":2.5}"}}) {
    Pieces body(text);
    const auto rows = BodyRows::Open(body, format, options_);
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_EQ(ReadAll(**rows), "2 id: int64\nx: double") << text;
  }
}

TEST_F(BodyRowsTest, ArrowIsReadAsItArrivesOrLater) {
  const std::string bytes = ArrowBytes(1'000);
  for (const bool later : {false, true}) {
    options_.use = later ? RowsUse::kLater : RowsUse::kStreamed;
    Pieces body(bytes, 100);
    const auto rows = BodyRows::Open(body, RowFormat::kArrow, options_);
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_EQ(ReadAll(**rows), "1000 id: int64\nn: string");
  }
  EXPECT_TRUE(fs::is_empty(folder_)) << "what was put aside is gone";
}

// A damaged stream is an error or other rows, never a crash: offsets are checked before they are followed.
TEST_F(BodyRowsTest, DamagedArrowIsAnError) {
  const std::string bytes = ArrowBytes(50);
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same damage in every run
  int errors = 0;
  for (int i = 0; i < 2'000; ++i) {
    std::string damaged = bytes;
    for (int j = 0; j < 4; ++j)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    Pieces body(damaged, 4'096);
    const auto rows = BodyRows::Open(body, RowFormat::kArrow, options_);
    errors += !rows || !ReadAll(**rows).starts_with("50 ") ? 1 : 0;
  }
  EXPECT_GT(errors, 100);
}

/// A compressed stream of one batch, whose text column is of so many equal bytes.
std::string CompressedZeros(std::size_t bytes) {
  arrow::StringBuilder texts;
  EXPECT_TRUE(texts.Append(std::string(bytes, 'x')).ok());
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("t", arrow::utf8())}), 1,
                                              arrow::ArrayVector{texts.Finish().ValueOrDie()});
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.codec = arrow::util::Codec::Create(arrow::Compression::ZSTD).ValueOrDie();
  const auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(out, batch->schema(), options).ValueOrDie();
  EXPECT_TRUE(writer->WriteRecordBatch(*batch).ok());
  EXPECT_TRUE(writer->Close().ok());
  return out->Finish().ValueOrDie()->ToString();
}

TEST_F(BodyRowsTest, WhatCompressedBuffersUnfoldToIsBounded) {
  constexpr std::size_t kBytes = 4UL << 20U;
  const std::string bytes = CompressedZeros(kBytes);
  ASSERT_LT(bytes.size(), kBytes / 100);
  BodyMemory& memory = BodyMemory::OfProcess();
  const std::int64_t held = memory.bytes_allocated();
  const auto told = [&](std::int64_t bytes_max) {
    memory.set_bytes_max(bytes_max);
    Pieces body(bytes, 1'000);
    auto rows = BodyRows::Open(body, RowFormat::kArrow, options_);
    return rows ? ReadAll(**rows) : rows.error().ToString();
  };
  EXPECT_THAT(told(1L << 40U), StartsWith("1 "));
  const std::string refused = told(1L << 20U);
  EXPECT_THAT(refused, HasSubstr("4194304 bytes, and the limit is 1048576"));
  EXPECT_THAT(refused, StartsWith(kBodyTooLarge));
  memory.set_bytes_max(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(memory.bytes_allocated(), held) << "all of it was given back";
}

/// A Parquet file whose rows all have one and the same text, which is in it once.
std::string RepeatedText(std::int64_t rows, std::size_t bytes) {
  arrow::StringBuilder texts;
  const std::string text(bytes, 'x');
  for (std::int64_t row = 0; row < rows; ++row)
    EXPECT_TRUE(texts.Append(text).ok());
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("t", arrow::utf8())}),
                                        arrow::ArrayVector{texts.Finish().ValueOrDie()});
  const auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out).ok());
  return out->Finish().ValueOrDie()->ToString();
}

TEST_F(BodyRowsTest, WhatParquetUnfoldsToIsBounded) {
  constexpr std::int64_t kRows = 4'000;
  const std::string bytes = RepeatedText(kRows, 10'000);
  ASSERT_LT(bytes.size(), kRows * 10) << "what unfolds to 40 MB";
  BodyMemory& memory = BodyMemory::OfProcess();
  const std::int64_t held = memory.bytes_allocated();
  const auto told = [&](RowsUse use) {
    options_.use = use;
    Pieces body(bytes, 1'000);
    auto rows = BodyRows::Open(body, RowFormat::kParquet, options_);
    return rows ? ReadAll(**rows) : rows.error().ToString();
  };
  EXPECT_THAT(told(RowsUse::kStreamed), StartsWith("4000 t: string"));
  options_.unfolded_bytes_max = 1'000'000;
  EXPECT_EQ(told(RowsUse::kStreamed),
            "size of the body: the rows take more than 1000000 bytes, unfolded, which is the limit "
            "(stream_max): send them in parts");
  options_.held_bytes_max = 2'000'000;
  EXPECT_THAT(told(RowsUse::kHeld),
              HasSubstr("more than 2000000 bytes, unfolded, which is the limit (memory_max)"));
  EXPECT_THAT(told(RowsUse::kLater), HasSubstr("(memory_max)"));
  memory.set_bytes_max(4L << 20U);
  EXPECT_THAT(told(RowsUse::kStreamed), testing::AllOf(StartsWith(kBodyTooLarge), HasSubstr("(memory_max)")));
  memory.set_bytes_max(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(memory.bytes_allocated(), held) << "all of it was given back";
}

TEST_F(BodyRowsTest, DamagedParquetIsAnError) {
  const std::string bytes = RepeatedText(100, 10);
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same damage in every run
  int errors = 0;
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    Pieces body(damaged, 4'096);
    const auto rows = BodyRows::Open(body, RowFormat::kParquet, options_);
    errors += !rows || !ReadAll(**rows).starts_with("100 ") ? 1 : 0;
  }
  EXPECT_GT(errors, 30);
}

TEST_F(BodyRowsTest, ABodyThatBreaksOffIsToldAsSuch) {
  Pieces body(ArrowBytes(1'000).substr(0, 3'000), 100, true);
  const auto rows = BodyRows::Open(body, RowFormat::kArrow, options_);
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(ReadAll(**rows), "the client is gone");
  Pieces lines("{\"id\":1}\n", 100, true);
  const auto read = BodyRows::Open(lines, RowFormat::kNdjson, options_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable);
}

TEST_F(BodyRowsTest, FilesAreRemovedAndNotNamed) {
  fs::path path;
  {
    Pieces body("id,x\n1,2\n");
    const auto rows = BodyRows::Open(body, RowFormat::kCsv, options_);
    ASSERT_TRUE(rows) << rows.error().ToString();
    path = (*rows)->rows().path;
    EXPECT_EQ(path.extension(), ".csv");
    EXPECT_EQ(fs::file_size(path), 9U);
    const Error error = (*rows)->Blame(
        {.code = ErrorCode::kInvalidData, .message = "bad", .context = "file " + path.string() + ": row 2"});
    EXPECT_EQ(error.ToString(), "file of the body: row 2: bad");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(BodyRowsTest, WhatDeadProcessesLeftIsRemoved) {
  fs::create_directories(folder_);
  // Process ids end far below this one.
  const fs::path dead = folder_ / "2147483646-0.csv";
  const fs::path ours = folder_ / (std::to_string(getpid()) + "-0.csv");
  for (const fs::path& path : {dead, ours})
    std::fclose(std::fopen(path.c_str(), "w"));
  RemoveLeftBodies(folder_);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(ours));
}

TEST_F(BodyRowsTest, LinesAreReadInBlocks) {
  std::string text;
  for (int i = 0; i < 300'000; ++i)
    text += R"({"id":)" + std::to_string(i) + R"(,"x":0.5})" + "\n";
  Pieces body(text, 100'000);
  const auto reader = NdjsonReader::Open(body, options_.json, 1'000);
  ASSERT_TRUE(reader) << reader.error().ToString();
  std::int64_t rows = 0;
  int batches = 0;
  while (true) {
    const auto batch = (*reader)->Next();
    ASSERT_TRUE(batch) << batch.error().ToString();
    if (*batch == nullptr) break;
    ASSERT_TRUE((*batch)->schema()->Equals(*(*reader)->schema()));
    EXPECT_EQ(std::static_pointer_cast<arrow::Int64Array>((*batch)->column(0))->Value(0), rows);
    rows += (*batch)->num_rows();
    ++batches;
  }
  EXPECT_EQ(rows, 300'000);
  EXPECT_GT(batches, 1);
}

TEST_F(BodyRowsTest, ErrorsOfLinesNameTheRow) {
  const auto error = [&](const std::string& text) {
    Pieces body(text, 1'000);
    const auto rows = BodyRows::Open(body, RowFormat::kNdjson, options_);
    return rows ? std::string("none") : rows.error().ToString();
  };
  EXPECT_THAT(error("{\"id\":1}\n{\n"), HasSubstr("row 1"));
  EXPECT_THAT(error("{\"id\":1}\n{\"id\":\"x\"}\n"), HasSubstr("column 'id', row 1"));
  EXPECT_THAT(error("{\"id\":1}\n[]\n"), HasSubstr("row 1: an array is not an object"));
}

RowAnswer AnswerOf(RowFormat format, std::int64_t rows) {
  arrow::Int64Builder ids;
  for (std::int64_t row = 0; row < rows; ++row)
    EXPECT_TRUE(ids.Append(row).ok());
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int64())}), rows, {*ids.Finish()});
  const auto reader = *arrow::RecordBatchReader::Make({batch}, batch->schema());
  auto stream = std::make_shared<RowStream>();
  EXPECT_TRUE(arrow::ExportRecordBatchReader(reader, stream->out()).ok());
  return {.format = format, .rows = stream, .report = [] { return std::string(R"({"rows":2})"); }};
}

TEST(RowAnswers, JsonAndLinesAndCsv) {
  const auto written = [](RowFormat format) {
    http::Response response;
    AnswerRows(AnswerOf(format, 2), response);
    Collected body;
    EXPECT_TRUE(response.stream(body));
    return std::string(response.content_type) + " " + body.bytes;
  };
  EXPECT_EQ(
      written(RowFormat::kJson),
      R"(application/json {"columns":[{"name":"id","type":"int64"}],"rows":[[0],[1]],"report":{"rows":2}})");
  EXPECT_EQ(written(RowFormat::kNdjson), "application/x-ndjson {\"id\":0}\n{\"id\":1}\n");
  EXPECT_EQ(written(RowFormat::kCsv), "text/csv \"id\"\n0\n1\n");
  EXPECT_THAT(written(RowFormat::kParquet), HasSubstr("PAR1"));
}

TEST(RowAnswers, ArrowEndsWithTheReport) {
  http::Response response;
  AnswerRows(AnswerOf(RowFormat::kArrow, 2), response);
  Collected body;
  ASSERT_TRUE(response.stream(body));
  auto reader = *arrow::ipc::RecordBatchStreamReader::Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(body.bytes)));
  const auto first = *reader->ReadNext();
  EXPECT_EQ(first.batch->num_rows(), 2);
  const auto last = *reader->ReadNext();
  EXPECT_EQ(last.batch->num_rows(), 0);
  EXPECT_EQ(*last.custom_metadata->Get(std::string(kReportKey)), R"({"rows":2})");
}

}  // namespace
}  // namespace tidemark::server
