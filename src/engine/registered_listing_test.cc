// Goal: what folders and CSV values say of a table is read as the guide says, and lists survive being kept.
#include "engine/registered_listing.h"

#include <gmock/gmock.h>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ForeignFile FileIn(std::string path, FolderValues folders) {
  return {.file = {.path = std::move(path), .id = "1:2", .size = 3, .mtime_ns = 4},
          .folders = std::move(folders)};
}

DataType Type(TypeKind kind) {
  return {.kind = kind};
}

TEST(RegisteredListing, IsReadAsItWasWritten) {
  const TableListing listing{
      .columns = {{"n", Type(TypeKind::kInt64)}, {"empty", std::nullopt}},
      .files = {FileIn("/a \"b\"/ü.csv", {{"y", "1"}, {"m", std::nullopt}}), FileIn("/b.csv", {})}};
  const TableListing read = ListingFromJson(ToJson(listing)).value();
  ASSERT_EQ(read.columns.size(), 2U);
  EXPECT_EQ(read.columns[0].type, Type(TypeKind::kInt64));
  EXPECT_FALSE(read.columns[1].type.has_value());
  ASSERT_EQ(read.files.size(), 2U);
  EXPECT_EQ(read.files[0].file, listing.files[0].file);
  EXPECT_EQ(read.files[0].folders, listing.files[0].folders);
  for (const char* const text :
       {"", "[]", "{}", R"({"columns": [], "files": [1]})", R"({"columns": [["n"]], "files": []})"})
    EXPECT_EQ(ListingFromJson(text).error().code, ErrorCode::kCorruption) << text;
}

TEST(RegisteredListing, FoldersOfIntegersAreIntegersAndOthersText) {
  const auto columns = FolderColumnsOf({FileIn("/a", {{"m", "07"}, {"zone", "7"}, {"none", std::nullopt}}),
                                        FileIn("/b", {{"m", "12"}, {"zone", "x"}, {"none", std::nullopt}})})
                           .value();
  EXPECT_THAT(columns, ElementsAre(FolderColumn{"m", Type(TypeKind::kInt64)},
                                   FolderColumn{"zone", Type(TypeKind::kString)},
                                   FolderColumn{"none", Type(TypeKind::kString)}));
  EXPECT_THAT(FolderColumnsOf({FileIn("/a", {{"m", "1"}}), FileIn("/b", {})}).error().message,
              HasSubstr("/b is in no partition"));
  EXPECT_THAT(FolderColumnsOf({FileIn("/a", {{"m", "1"}, {"M", "2"}})}).error().message,
              HasSubstr("two folders"));
  const auto other = CheckFolders(FileIn("/c", {{"m", "last"}}), {{"m", Type(TypeKind::kInt64)}});
  EXPECT_EQ(other.error().code, ErrorCode::kTypeMismatch);
}

TEST(RegisteredListing, PartitionsAreFoldersOfTheTable) {
  const std::vector<FolderColumn> columns{{"y", Type(TypeKind::kInt64)}, {"m", Type(TypeKind::kInt64)}};
  for (const char* const text : {"y=1/m=2", "y=1/m=2/", "./y=1//m=2", "/lake/t/y=1/m=2/"})
    EXPECT_EQ(NormalPartition(text, "/lake/t", &columns).value(), "y=1/m=2") << text;
  for (const char* const text : {"", "/", "y=1", "m=2/y=1", "y=1/m=2/d=3", "y=1/m=", "=1/m=2", "../y=1/m=2",
                                 "y=1/../m=2", "/lake/other/y=1/m=2", "2019/07"})
    EXPECT_EQ(NormalPartition(text, "/lake/t", &columns).error().code, ErrorCode::kInvalidArgument) << text;
}

TEST(RegisteredListing, CsvColumnsWidenAndDoNotChange) {
  std::vector<CsvColumn> table{{"n", Type(TypeKind::kInt64)},
                               {"day", Type(TypeKind::kDate)},
                               {"text", Type(TypeKind::kString)},
                               {"empty", std::nullopt}};
  CsvGrowth growth;
  const std::vector<CsvColumn> file{{"n", Type(TypeKind::kFloat64)},
                                    {"day", Type(TypeKind::kTimestamp)},
                                    {"text", Type(TypeKind::kInt64)},
                                    {"empty", Type(TypeKind::kBool)},
                                    {"more", Type(TypeKind::kInt64)}};
  ASSERT_TRUE(MergeCsvColumns(file, {}, CsvMerge::kStrict, table, growth));
  EXPECT_THAT(growth.added, ElementsAre("more"));
  EXPECT_THAT(growth.widened, ElementsAre("n: int64 -> float64", "day: date -> timestamp"));
  EXPECT_EQ(table[2].type, Type(TypeKind::kString));
  EXPECT_EQ(table[3].type, Type(TypeKind::kBool));
  const std::vector<CsvColumn> other{{"n", Type(TypeKind::kString)}};
  const auto refused = MergeCsvColumns(other, {}, CsvMerge::kStrict, table, growth);
  EXPECT_EQ(refused.error().code, ErrorCode::kTypeMismatch);
  EXPECT_THAT(refused.error().message, HasSubstr("'n' is string in the file and float64 in the table"));
  ASSERT_TRUE(MergeCsvColumns(other, {}, CsvMerge::kTextFitsAll, table, growth));
  EXPECT_EQ(table[0].type, Type(TypeKind::kString));
  EXPECT_THAT(
      MergeCsvColumns({{"N", Type(TypeKind::kString)}}, {}, CsvMerge::kStrict, table, growth).error().message,
      HasSubstr("differs only in case"));
}

}  // namespace
}  // namespace tidemark
