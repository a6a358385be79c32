// Goal: from any path of a user's it is told where a table begins and what partitions say, and CSV files are
// read as they were listed.
#include "adapters/files/external_folder.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "store/source_testing.h"

namespace tidemark {
namespace testing_support {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ExternalFolderTest : public testing::Test {
 protected:
  ExternalFolderTest() : files_(OpenExternalFolder(store(), {store() / ".tidemark"})) {
    fs::create_directories(store() / ".tidemark");
    Write("lake/t/y=2019/m=07/a.csv", "n,s\n1,x\n");
    Write("lake/t/y=2019/m=08/b.csv", "n\n2\n");
    Write("lake/t/y=2019/m=08/_hidden.csv", "n\n3\n");
  }

  fs::path store() const { return folder_.path() / "store"; }
  std::string Place(const std::string& path) const { return (folder_.path() / path).string(); }

  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(Place(path)).parent_path());
    std::ofstream(Place(path)) << text;
  }

  TestFolder folder_;
  std::shared_ptr<const ExternalFiles> files_;
};

TEST_F(ExternalFolderTest, ATableBeginsAboveItsPartitions) {
  for (const std::string_view path :
       {"lake/t", "lake/t/", "lake/t/y=2019", "lake/t/y=2019/m=07/", "lake/t/y=2019/m=07/a.csv"}) {
    const ExternalPlace place = files_->Locate(Place(std::string(path))).value();
    EXPECT_EQ(place.root, Place("lake/t")) << path;
    EXPECT_TRUE(place.is_folder);
  }
  EXPECT_EQ(files_->Locate(Place("lake/t/y=2019/m=07/a.csv"))->partition, "y=2019/m=07");
  EXPECT_EQ(files_->Locate("../lake/t/y=2019")->partition, "y=2019");
  Write("lake/one.csv", "n\n1\n");
  const ExternalPlace one = files_->Locate(Place("lake/one.csv")).value();
  EXPECT_EQ(one.root, Place("lake/one.csv"));
  EXPECT_FALSE(one.is_folder);
  EXPECT_EQ(files_->Locate(Place("lake/t/*/*/*.csv"))->root, Place("lake/t/*/*/*.csv"));
}

TEST_F(ExternalFolderTest, NothingOfTidemarksOwnIsExternal) {
  fs::create_directories(store() / ".tidemark" / "tables");
  for (const std::string_view path : {".tidemark", ".tidemark/tables", "."})
    EXPECT_EQ(files_->Locate(std::string(path)).error().code, ErrorCode::kInvalidArgument) << path;
  EXPECT_EQ(files_->Locate(Place("nothing")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_->Locate("").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ExternalFolderTest, FilesSayTheirPartition) {
  const FoundFiles all = files_->Find(Place("lake/t"), "", std::nullopt).value();
  EXPECT_EQ(all.format, FileFormat::kCsv);
  ASSERT_EQ(all.files.size(), 2U);
  const FoundFiles one = files_->Find(Place("lake/t"), "y=2019/m=08", FileFormat::kCsv).value();
  ASSERT_EQ(one.files.size(), 1U);
  EXPECT_THAT(one.files[0].folders, ElementsAre(Pair("y", "2019"), Pair("m", "08")));
  EXPECT_EQ(one.files[0].folders, all.files[1].folders);
  EXPECT_THAT(files_->Find(Place("lake/t"), "y=2020", std::nullopt).error().message, HasSubstr("y=2020"));
}

TEST_F(ExternalFolderTest, AnAddressIsNoPath) {
  const Error error = files_->Locate("s3://bucket/lake").error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("'s3://bucket/lake' is an address"));
}

TEST_F(ExternalFolderTest, CsvIsReadAsItWasListed) {
  const FoundFiles all = files_->Find(Place("lake/t"), "", std::nullopt).value();
  EXPECT_EQ(files_->CsvColumns(all.files[0].file, {})->at(1).type->kind, TypeKind::kString);
  ExternalFiles::CsvReading reading{.files = all.files};
  reading.types = {{"n", {.kind = TypeKind::kInt64}}, {"m", {.kind = TypeKind::kInt64}}};
  reading.guesses_types = true;
  reading.mapping = {{"n", "number"}};
  reading.types.emplace("number", DataType{.kind = TypeKind::kInt64});
  const auto source = files_->OpenCsv(reading).value();
  EXPECT_THAT(source->schema()->field_names(), ElementsAre("number", "s", "y", "m"));
  const auto fragments = source->Fragments({}).value();
  std::vector<std::string> rows;
  for (const Fragment& fragment : fragments) {
    ASSERT_TRUE(source->Scan(fragment, {"number", "s", "m"},
                             [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
                               std::string row;
                               for (const auto& column : batch.columns())
                                 row += column->GetScalar(0).ValueOrDie()->ToString() + " ";
                               rows.push_back(row);
                               return {};
                             }));
  }
  EXPECT_THAT(rows, ElementsAre("1 x 7 ", "2 null 8 "));
  const fs::path file = Place("lake/t/y=2019/m=07/a.csv");
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
  const Error changed = files_->OpenCsv(reading).error();
  EXPECT_EQ(changed.code, ErrorCode::kInvalidData);
  EXPECT_THAT(changed.ToString(), AllOf(HasSubstr("a.csv"), HasSubstr("written over")));
  fs::remove(file);
  const Error error = files_->OpenCsv(reading).error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.ToString(), AllOf(HasSubstr("a.csv"), HasSubstr("refresh")));
}

}  // namespace
}  // namespace testing_support
}  // namespace tidemark
