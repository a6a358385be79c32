// Goal: sources that are wrong are refused by an error that names the file and what to do, and differences
// between files that lose nothing are bridged.
#include "adapters/files/file_source.h"

#include <arrow/compute/cast.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/files/files_testing.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class FileSourceTest : public testing::Test {
 protected:
  const fs::path& folder() const { return folder_.path(); }

  Result<std::unique_ptr<Source>> TryOpen(const std::string& path,
                                          const FileSourceOptions& options = {}) const {
    BatchSource definition;
    definition.path = path;
    return OpenFileSource(definition, folder(), options);
  }

  std::unique_ptr<Source> Open(const std::string& path, const FileSourceOptions& options = {}) const {
    auto source = TryOpen(path, options);
    EXPECT_TRUE(source) << source.error().ToString();
    return source ? *std::move(source) : nullptr;
  }

  // The error of opening, or else of scanning all columns.
  Error ErrorOf(const std::string& path, const FileSourceOptions& options = {}) const {
    const auto source = TryOpen(path, options);
    return source ? ScanError(**source) : source.error();
  }

  static Error ScanError(const Source& source) {
    const auto fragments = source.Fragments({});
    for (const Fragment& fragment : *fragments) {
      const auto scanned =
          source.Scan(fragment, source.schema()->field_names(),
                      [](const arrow::RecordBatch&, std::int64_t) -> Result<void> { return {}; });
      if (!scanned) return scanned.error();
    }
    ADD_FAILURE() << "all rows were read without an error";
    return {};
  }

  TestFolder folder_;
};

void ExpectError(const Error& error, ErrorCode code, const testing::Matcher<std::string>& text) {
  EXPECT_EQ(Describe(error.code).name, Describe(code).name) << error.ToString();
  EXPECT_THAT(error.ToString(), text);
}

std::vector<std::string> Files(const Source& source, const fs::path& below) {
  std::vector<std::string> names;
  for (const SourceFile& file : source.files())
    names.push_back(fs::path(file.path).lexically_relative(below).string());
  return names;
}

// Goal: nothing to read is said with the path and with what was looked for.
TEST_F(FileSourceTest, NothingThere) {
  fs::create_directories(folder() / "empty");
  WriteText(folder() / "empty" / "_hidden.parquet", "x");
  ExpectError(ErrorOf("none.parquet"), ErrorCode::kNotFound, HasSubstr("none.parquet"));
  ExpectError(ErrorOf("empty"), ErrorCode::kNotFound,
              AllOf(HasSubstr("empty"), HasSubstr(".parquet, .pq, .csv")));
  ExpectError(ErrorOf("empty/*.parquet"), ErrorCode::kNotFound, HasSubstr("empty/*.parquet"));
  ExpectError(ErrorOf("no_folder/*/x*.parquet"), ErrorCode::kNotFound, HasSubstr("no_folder"));
}

// Goal: the format is known by the ending, or stated, and never guessed from a mixture.
TEST_F(FileSourceTest, Formats) {
  WriteParquet(folder() / "m" / "a.parquet", *MakeKeys({1}));
  WriteText(folder() / "m" / "b.csv", "key\n1\n");
  WriteParquet(folder() / "part-0", *MakeKeys({1, 2}));
  ExpectError(ErrorOf("m"), ErrorCode::kInvalidArgument, AllOf(HasSubstr("a.parquet"), HasSubstr("b.csv")));
  ExpectError(ErrorOf("part-0"), ErrorCode::kInvalidArgument, AllOf(HasSubstr("part-0"), HasSubstr("state")));
  BatchSource stated;
  stated.path = "part-0";
  stated.format = FileFormat::kParquet;
  EXPECT_TRUE(OpenFileSource(stated, folder()));
}

// Goal: a glob matches as in a shell, `**` in any depth; links are followed, even in circles.
TEST_F(FileSourceTest, GlobsAndLinks) {
  for (const char* name :
       {"g/a/1.parquet", "g/a/b/2.parquet", "g/3.parquet", "g/.h/4.parquet", "g/_x/5.parquet"}) {
    WriteParquet(folder() / name, *MakeKeys({1}));
  }
  fs::create_directory_symlink(folder() / "g", folder() / "g" / "a" / "circle");
  fs::create_symlink(folder() / "g" / "3.parquet", folder() / "link.parquet");
  EXPECT_THAT(Files(*Open("g"), folder()),
              testing::ElementsAre("g/3.parquet", "g/a/1.parquet", "g/a/b/2.parquet"));
  EXPECT_THAT(Files(*Open("g/*/[12].parquet"), folder()), testing::ElementsAre("g/a/1.parquet"));
  EXPECT_THAT(Files(*Open("g/a/**/2.parquet"), folder()), testing::Contains("g/a/b/2.parquet"));
  EXPECT_EQ(ScanAll(*Open("link.parquet"), {"key"})->num_rows(), 1);
}

// Goal: damaged Parquet is an error that names the file, wherever the damage is.
TEST_F(FileSourceTest, DamagedParquet) {
  const fs::path good = folder() / "good.parquet";
  WriteParquet(good, *MakeRows(5'000, 1),
               {.page_checksums = true, .compression = arrow::Compression::UNCOMPRESSED});
  const std::string bytes = ReadBytes(good);
  const fs::path bad = folder() / "bad.parquet";
  const auto expect_damaged = [&](std::string_view what) {
    SCOPED_TRACE(what);
    ExpectError(ErrorOf("bad.parquet"), ErrorCode::kCorruption, HasSubstr("bad.parquet"));
  };
  WriteText(bad, "");
  expect_damaged("empty");
  WriteText(bad, "this is no Parquet file, but long enough to be one");
  expect_damaged("text");
  WriteText(bad, bytes.substr(0, bytes.size() / 2));
  expect_damaged("cut short");
  for (const std::size_t at : {bytes.size() / 7, bytes.size() / 3, bytes.size() / 2}) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    WriteText(bad, flipped);
    expect_damaged("a flipped bit at " + std::to_string(at) + " of " + std::to_string(bytes.size()));
  }
}

// Goal: a file that is not what it was when it was opened is never read as if it were.
TEST_F(FileSourceTest, AChangedFileIsSaid) {
  const fs::path path = folder() / "x.parquet";
  WriteParquet(path, *MakeRows(1'000, 1));
  const auto source = Open("x.parquet");
  WriteParquet(folder() / "y.parquet", *MakeRows(1'000, 2));
  fs::rename(folder() / "y.parquet", path);
  ExpectError(ScanError(*source), ErrorCode::kInvalidData,
              AllOf(HasSubstr("x.parquet"), HasSubstr("changed")));
  const auto taken = source->Take(source->Fragments({})->front(), {"key"}, std::vector<std::int64_t>{1});
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().ToString(), HasSubstr("changed"));
  fs::remove(path);
  ExpectError(ScanError(*source), ErrorCode::kNotFound, HasSubstr("x.parquet"));
}

std::shared_ptr<arrow::Table> KeysAs(const std::shared_ptr<arrow::DataType>& type) {
  const auto keys = MakeKeys({1, 2});
  const auto cast = arrow::compute::Cast(keys->column(0), type).ValueOrDie();
  return arrow::Table::Make(arrow::schema({arrow::field("key", type)}), {cast.chunked_array()});
}

// Goal: files whose columns differ are refused with both files and the column.
TEST_F(FileSourceTest, SchemasThatDiffer) {
  WriteParquet(folder() / "d" / "1.parquet", *MakeKeys({1}));
  WriteParquet(folder() / "d" / "2.parquet", *KeysAs(arrow::utf8()));
  ExpectError(ErrorOf("d"), ErrorCode::kTypeMismatch,
              AllOf(HasSubstr("'key'"), HasSubstr("1.parquet"), HasSubstr("2.parquet"), HasSubstr("string")));
  WriteParquet(folder() / "e" / "1.parquet", *MakeRows(3, 1));
  WriteParquet(folder() / "e" / "2.parquet", *MakeKeys({1}));
  ExpectError(ErrorOf("e"), ErrorCode::kTypeMismatch,
              AllOf(HasSubstr("'name'"), HasSubstr("1.parquet"), HasSubstr("2.parquet")));
}

// Goal: what can be brought to one type without loss is.
TEST_F(FileSourceTest, SchemasThatCanBeUnited) {
  const auto rows = MakeRows(10, 1);
  WriteParquet(folder() / "u" / "1.parquet", *KeysAs(arrow::int32()));
  WriteParquet(folder() / "u" / "2.parquet", *MakeKeys({std::int64_t{1} << 60}));
  const auto united = Open("u");
  EXPECT_TRUE(united->schema()->field(0)->type()->Equals(arrow::int64()));
  const auto all = ScanAll(*united, {"key"});
  EXPECT_TRUE(all->Equals(*MakeKeys({1, 2, std::int64_t{1} << 60}))) << all->ToString();
  WriteParquet(folder() / "o" / "1.parquet", *rows->SelectColumns({0, 1}).ValueOrDie());
  WriteParquet(folder() / "o" / "2.parquet", *rows->SelectColumns({1, 0}).ValueOrDie());
  EXPECT_EQ(ScanAll(*Open("o"), {"name", "key"})->num_rows(), 20);
}

// Goal: a mapped column goes by its new name everywhere, and a mapping that cannot be is refused.
TEST_F(FileSourceTest, FieldMapping) {
  WriteParquet(folder() / "f.parquet", *MakeRows(100, 1));
  BatchSource definition;
  definition.path = "f.parquet";
  definition.field_mapping = {{"key", "driver_id"}};
  const auto source = OpenFileSource(definition, folder());
  ASSERT_TRUE(source) << source.error().ToString();
  EXPECT_EQ((*source)->schema()->field(0)->name(), "driver_id");
  const auto fragments = (*source)->Fragments({"driver_id"});
  ASSERT_EQ(fragments->front().ranges.size(), 1U);
  EXPECT_EQ(fragments->front().ranges[0].column, "driver_id");
  EXPECT_EQ(ScanAll(**source, {"driver_id"})->num_rows(), 100);
  definition.field_mapping = {{"no_such", "x"}};
  ExpectError(OpenFileSource(definition, folder()).error(), ErrorCode::kNotFound, HasSubstr("'no_such'"));
  definition.field_mapping = {{"key", "name"}};
  ExpectError(OpenFileSource(definition, folder()).error(), ErrorCode::kInvalidArgument, HasSubstr("'name'"));
}

// Goal: fragments state the ranges that their row groups and folders have.
TEST_F(FileSourceTest, Ranges) {
  WriteParquet(folder() / "r" / "k=7" / "p.parquet", *MakeKeys({3, 1, 2, 9, 8}), {.row_group_rows = 3});
  const auto fragments = Open("r")->Fragments({"key", "k"});
  ASSERT_EQ(fragments->size(), 2U);
  const auto bounds = [](const ColumnRange& range) {
    return std::pair(std::get<std::int64_t>(range.low), std::get<std::int64_t>(range.high));
  };
  ASSERT_EQ((*fragments)[0].ranges.size(), 2U);
  EXPECT_EQ(bounds((*fragments)[0].ranges[0]), std::pair(std::int64_t{1}, std::int64_t{3}));
  EXPECT_EQ(bounds((*fragments)[1].ranges[0]), std::pair(std::int64_t{8}, std::int64_t{9}));
  EXPECT_EQ(bounds((*fragments)[1].ranges[1]), std::pair(std::int64_t{7}, std::int64_t{7}));
  EXPECT_EQ((*fragments)[1].first_location, 3U);
}

// Goal: CSV that is not a table is refused with file and row.
TEST_F(FileSourceTest, DamagedCsv) {
  WriteText(folder() / "c.csv", "");
  ExpectError(ErrorOf("c.csv"), ErrorCode::kInvalidData, AllOf(HasSubstr("c.csv"), HasSubstr("empty")));
  WriteText(folder() / "c.csv", "a,b\n1,2\n3\n4,5\n");
  ExpectError(ErrorOf("c.csv"), ErrorCode::kInvalidData, AllOf(HasSubstr("c.csv"), HasSubstr("row 3 ")));
  WriteText(folder() / "c.csv", "a,b\n1,2\n3,4,5\n");
  ExpectError(ErrorOf("c.csv"), ErrorCode::kInvalidData, AllOf(HasSubstr("row 3 "), HasSubstr("3 values")));
  WriteText(folder() / "c.csv", "a,a\n1,2\n");
  ExpectError(ErrorOf("c.csv"), ErrorCode::kInvalidData, HasSubstr("'a'"));
  std::string long_text = "a,b\n";
  for (int i = 0; i < 1'000'000; ++i)
    long_text += "12345,678\n";
  WriteText(folder() / "c.csv", long_text + "1,2,3\n");
  ExpectError(ErrorOf("c.csv"), ErrorCode::kInvalidData, HasSubstr("row 1000002 "));
}

// Goal: a stated type is kept to the digit, and a value that is not of it is named.
// Goal: a quote out of place is an error with the row that it opened in, never a value that swallows rows.
TEST_F(FileSourceTest, CsvQuotesOutOfPlace) {
  FileSourceOptions known;  // opening reads the header alone, scanning all
  known.guesses_types = false;
  FileSourceOptions parts = known;
  parts.csv_part_bytes = 8;
  const auto refused = [&](const std::string& text, const std::string& row) {
    WriteText(folder() / "q.csv", text);
    for (const FileSourceOptions& options : {FileSourceOptions{}, known}) {
      ExpectError(ErrorOf("q.csv", options), ErrorCode::kInvalidData,
                  AllOf(HasSubstr("q.csv"), HasSubstr(row), HasSubstr("the header is row 1")));
    }
    const auto source = TryOpen("q.csv", parts);
    const Error error = !source ? source.error() : (*source)->Fragments({}).error();
    ExpectError(error, ErrorCode::kInvalidData, AllOf(HasSubstr("q.csv"), HasSubstr(row)));
  };
  refused("a,b\n1,x\n2,\"y\n3,z\n4,w\n", "row 3 ");
  refused("a,b\n1,\"x\n2,\"y\"\n", "row 2 ");
  refused("a,b\n\n1,\"x\"y\n2,y\n", "row 2 ");
  refused("a,\"b\n1,2\n", "row 1 ");
  WriteText(folder() / "q.csv", "a,b\r\n\r\n\"1\",x\"y\r\n2,\"\"\"z\"\"\n,\"\n3,\"\"");
  for (const FileSourceOptions& options : {FileSourceOptions{}, parts})
    EXPECT_EQ(ScanAll(*Open("q.csv", options), {"a", "b"})->num_rows(), 3) << "these are where they belong";
}

// Goal: messages and locations count a CSV file's rows as an editor shows them, in whatever part they lie.
TEST_F(FileSourceTest, CsvRowsOfPartsAreCountedFromTheHeader) {
  std::string text = "id,name\n";
  for (int i = 2; i < 100; ++i)
    text += fmt::format("{},\"{}\"\n", i, i % 7 == 0 ? "two\nlines" : "x");
  WriteText(folder() / "p.csv", text + "oops,x\n101,x\n");
  FileSourceOptions options;
  options.csv_part_bytes = 100;
  options.column_types = {{"id", {.kind = TypeKind::kInt64}}, {"name", {.kind = TypeKind::kString}}};
  ExpectError(ErrorOf("p.csv", options), ErrorCode::kInvalidData,
              AllOf(HasSubstr("row 100 "), HasSubstr("'oops'")));
  WriteText(folder() / "p.csv", text);
  const auto source = Open("p.csv", options);
  const auto fragments = source->Fragments({});
  ASSERT_GT(fragments->size(), 3U);
  for (const Fragment& fragment : *fragments) {
    const auto first = source->Take(fragment, {"id"}, std::vector<std::int64_t>{0});
    ASSERT_TRUE(first) << first.error().ToString();
    EXPECT_EQ(static_cast<const arrow::Int64Array&>(*(*first)->column(0)).Value(0),
              static_cast<std::int64_t>(fragment.first_location));
  }
}

TEST_F(FileSourceTest, CsvStatedTypes) {
  WriteText(folder() / "t.csv", "id,code,when\n9007199254740993,007,2024-01-01\n,,\n1,\"\",\n1,NA,\n");
  FileSourceOptions options;
  options.column_types = {{"id", {.kind = TypeKind::kInt64}},
                          {"code", {.kind = TypeKind::kString}},
                          {"when", {.kind = TypeKind::kTimestamp}}};
  const auto rows = ScanAll(*Open("t.csv", options), {"id", "code", "when"});
  EXPECT_EQ(rows->column(0)->GetScalar(0).ValueOrDie()->ToString(), "9007199254740993");
  EXPECT_FALSE(rows->column(0)->GetScalar(1).ValueOrDie()->is_valid);
  EXPECT_EQ(rows->column(1)->GetScalar(0).ValueOrDie()->ToString(), "007");
  EXPECT_FALSE(rows->column(1)->GetScalar(1).ValueOrDie()->is_valid) << "nothing is null";
  EXPECT_EQ(rows->column(1)->GetScalar(2).ValueOrDie()->ToString(), "") << "quotes are an empty text";
  EXPECT_TRUE(rows->column(1)->GetScalar(2).ValueOrDie()->is_valid);
  EXPECT_EQ(rows->column(1)->GetScalar(3).ValueOrDie()->ToString(), "NA") << "a word is a word";
  EXPECT_TRUE(rows->column(2)->type()->Equals(arrow::utf8())) << "times stay text for the layers above";
  WriteText(folder() / "t.csv", "id,code,when\n1,a,b\nx,a,b\n");
  ExpectError(ErrorOf("t.csv", options), ErrorCode::kInvalidData,
              AllOf(HasSubstr("row 3 "), HasSubstr("'id'"), HasSubstr("'x'")));
  options.column_types["code"] = *DataType::Parse("list<int64>");
  ExpectError(ErrorOf("t.csv", options), ErrorCode::kTypeMismatch,
              AllOf(HasSubstr("'code'"), HasSubstr("Parquet")));
}

// Goal: a type that the first rows suggest does not stand against a later one, however far down.
TEST_F(FileSourceTest, CsvTypesHoldForAllRows) {
  std::string text = "number,label,nothing,late\n";
  for (int i = 0; i < 600'000; ++i)
    text += "1,2,,\n";
  WriteText(folder() / "n.csv", text + "1.5,x,,2024-05-01 10:00:00\n");
  ASSERT_GT(fs::file_size(folder() / "n.csv"), std::uintmax_t{3} << 20);
  WriteText(folder() / "n2.csv", "number,label,nothing,late\n1,y,,\n");
  const auto source = Open("n*.csv");
  EXPECT_EQ(source->schema()->field(0)->type()->ToString(), "double");
  EXPECT_EQ(source->schema()->field(1)->type()->ToString(), "string");
  EXPECT_EQ(source->schema()->field(2)->type()->ToString(), "null");
  EXPECT_EQ(source->schema()->field(3)->type()->ToString(), "timestamp[s]");
  const auto rows = ScanAll(*source, {"number", "label"});
  ASSERT_EQ(rows->num_rows(), 600'002);
  EXPECT_EQ(rows->column(1)->GetScalar(0).ValueOrDie()->ToString(), "2");
}

}  // namespace
}  // namespace tidemark::testing_support
