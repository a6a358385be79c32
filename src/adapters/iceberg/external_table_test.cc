// Goal: tables of other engines are read as their metadata says, or refused with a reason; whatever is wrong
// with their files is an error and never a crash. (tests/python/test_iceberg_sources.py reads what pyiceberg
// wrote.)
#include "adapters/iceberg/external_table.h"

#include <arrow/io/file.h>
#include <arrow/util/compression.h>
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "adapters/iceberg/iceberg_testing.h"
#include "adapters/iceberg/inflate.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/table_files.h"
#include "adapters/iceberg/table_head.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing_support::DriverRows;
using testing_support::MemoryTableCatalog;
using testing_support::ReaderOf;

/// A table that states nothing of Tidemark's own columns, as another engine would have written it.
class ExternalTableTest : public testing::Test {
 protected:
  ExternalTableTest() {
    TableLayout layout = testing_support::DriverLayout();
    layout.system = {};
    auto made = store_->Create(1, {.database = "db", .name = "t"}, layout);
    EXPECT_TRUE(made) << made.error().ToString();
    table_ = *std::move(made);
    Append(0);
    Append(100);
    folder_of_table_ = Location().parent_path().parent_path();
  }

  fs::path Location() const { return iceberg::ToPath(catalog_.Get(1).value().metadata_location).value(); }

  void Append(std::int64_t first) {
    const auto reader = ReaderOf({DriverRows(first, 100)});
    auto staged = table_->Stage(*reader, {});
    ASSERT_TRUE(staged) << staged.error().ToString();
    ASSERT_TRUE(table_->Append(*std::move(staged), CommitAlways));
  }

  json Metadata() const { return json::parse(std::ifstream(Location())); }

  /// A table's folder whose only metadata file is this.
  fs::path FolderWith(const std::string& bytes, const std::string& name = "v1.metadata.json") const {
    const fs::path folder = folder_.path() / ("other" + std::to_string(++folders_));
    fs::create_directories(folder / "metadata");
    std::ofstream(folder / "metadata" / name, std::ios::binary) << bytes;
    return folder;
  }
  fs::path FolderWith(const json& metadata) const { return FolderWith(metadata.dump()); }

  static std::int64_t RowsOf(const fs::path& path) {
    const auto source = OpenExternalTable(path, {});
    if (!source) {
      ADD_FAILURE() << source.error().ToString();
      return -1;
    }
    std::int64_t rows = 0;
    const auto fragments = (*source)->Fragments({}).value();
    for (const Fragment& fragment : fragments)
      rows += fragment.rows;
    return rows;
  }

  static Error ErrorOf(const fs::path& path, const ExternalTableOptions& options = {}) {
    const auto source = OpenExternalTable(path, options);
    EXPECT_FALSE(source);
    return source ? Error{} : source.error();
  }

  testing_support::TestFolder folder_;
  MemoryTableCatalog catalog_;
  ManualClock clock_{1'700'000'000'000'000};
  std::unique_ptr<OfflineStore> store_ =
      OpenIcebergStore(catalog_, clock_, {.root = folder_.path() / "tables"}).value();
  std::unique_ptr<OfflineTable> table_;
  fs::path folder_of_table_;
  mutable int folders_ = 0;
};

TEST_F(ExternalTableTest, AFolderAndAMetadataFileAreTheSameTable) {
  EXPECT_EQ(RowsOf(folder_of_table_), 200);
  EXPECT_EQ(RowsOf(folder_of_table_ / "metadata"), 200);
  EXPECT_EQ(RowsOf(Location()), 200);
  const fs::path before = Location();
  Append(200);
  EXPECT_EQ(RowsOf(folder_of_table_), 300);
  EXPECT_EQ(RowsOf(before), 200);
}

TEST_F(ExternalTableTest, FilesAreInTheOrderOfTheirCommits) {
  for (int i = 2; i < 12; ++i)
    Append(100 * i);
  const auto source = OpenExternalTable(folder_of_table_, {}).value();
  ASSERT_THAT(source->files(), SizeIs(12));
  std::int64_t expected = 0;
  const auto fragments = source->Fragments({"driver"}).value();
  for (const Fragment& fragment : fragments) {
    ASSERT_THAT(fragment.ranges, SizeIs(1));
    EXPECT_EQ(std::get<std::int64_t>(fragment.ranges[0].low), expected);
    expected += 100;
  }
}

TEST_F(ExternalTableTest, ColumnsAreRenamedByTheMapping) {
  const auto source = OpenExternalTable(folder_of_table_, {.field_mapping = {{"rating", "stars"}}}).value();
  EXPECT_THAT(source->schema()->field_names(), ElementsAre("driver", "event", "stars", "city"));
  EXPECT_THAT(ErrorOf(folder_of_table_, {.field_mapping = {{"ratin", "stars"}}}).message,
              AllOf(HasSubstr("'ratin'"), HasSubstr("rating")));
  EXPECT_EQ(ErrorOf(folder_of_table_, {.field_mapping = {{"rating", "city"}}}).code,
            ErrorCode::kInvalidArgument);
}

TEST_F(ExternalTableTest, TheNewestVersionIsTaken) {
  const std::string text = Metadata().dump();
  const fs::path folder = FolderWith(text, "v3.metadata.json");
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder / "metadata" / name, std::ios::binary) << bytes;
  };
  write("v2.metadata.json", "damaged");
  write("00001-abc.metadata.json", "damaged");
  write("notes.txt", "no metadata");
  EXPECT_EQ(RowsOf(folder), 200);
  write("version-hint.text", "3\n");
  EXPECT_EQ(RowsOf(folder), 200);
  write("version-hint.text", "2");  // whoever wrote 3 died before saying so
  EXPECT_EQ(RowsOf(folder), 200);
  write("version-hint.text", "4");
  EXPECT_THAT(ErrorOf(folder).message, HasSubstr("version 4"));
  write("version-hint.text", "three");
  EXPECT_EQ(ErrorOf(folder).code, ErrorCode::kCorruption);
  fs::remove(folder / "metadata" / "version-hint.text");
  write("00003-def.metadata.json", text);
  EXPECT_THAT(ErrorOf(folder).message, HasSubstr("are of one version"));
  EXPECT_EQ(ErrorOf(folder_.path() / "nowhere").code, ErrorCode::kNotFound);
  EXPECT_EQ(ErrorOf(folder_.path()).code, ErrorCode::kNotFound);
}

TEST_F(ExternalTableTest, GzipIsRead) {
  const std::string text = Metadata().dump();
  const auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP).ValueOrDie();
  std::string packed(static_cast<std::size_t>(codec->MaxCompressedLen(std::ssize(text), nullptr)), '\0');
  const auto bytes = codec->Compress(std::ssize(text), reinterpret_cast<const std::uint8_t*>(text.data()),
                                     std::ssize(packed), reinterpret_cast<std::uint8_t*>(packed.data()));
  packed.resize(static_cast<std::size_t>(bytes.ValueOrDie()));
  EXPECT_EQ(RowsOf(FolderWith(packed, "v1.gz.metadata.json")), 200);
  EXPECT_EQ(RowsOf(FolderWith(packed, "00001-a.metadata.json.gz")), 200);
  for (std::size_t cut = 2; cut < packed.size(); cut += 97)
    EXPECT_EQ(ErrorOf(FolderWith(packed.substr(0, cut), "v1.gz.metadata.json")).code, ErrorCode::kCorruption);
}

TEST_F(ExternalTableTest, VersionOneIsReadAndOthersAreNot) {
  json metadata = Metadata();
  metadata["format-version"] = 3;
  EXPECT_THAT(ErrorOf(FolderWith(metadata)).message, HasSubstr("format version 3"));
  metadata["format-version"] = 1;
  metadata["schema"] = metadata["schemas"][0];
  metadata["partition-spec"] = metadata["partition-specs"][0]["fields"];
  for (const char* name :
       {"schemas", "current-schema-id", "partition-specs", "default-spec-id", "last-sequence-number",
        "last-partition-id", "sort-orders", "default-sort-order-id", "refs"})
    metadata.erase(name);
  for (json& snapshot : metadata["snapshots"])
    snapshot.erase("sequence-number");
  EXPECT_EQ(RowsOf(FolderWith(metadata)), 200);
  for (const char* name : {"schema", "location", "last-column-id"}) {
    json damaged = metadata;
    damaged.erase(name);
    EXPECT_EQ(ErrorOf(FolderWith(damaged)).code, ErrorCode::kCorruption) << name;
  }
}

TEST_F(ExternalTableTest, ATableWithoutSnapshotsHasColumnsAndNoRows) {
  json metadata = Metadata();
  metadata["current-snapshot-id"] = -1;
  metadata["snapshots"] = json::array();
  metadata["refs"] = json::object();
  const auto source = OpenExternalTable(FolderWith(metadata), {}).value();
  EXPECT_THAT(source->files(), SizeIs(0));
  EXPECT_EQ(source->schema()->num_fields(), 4);
}

TEST_F(ExternalTableTest, ColumnsOfOtherTypesAreLeftOut) {
  json metadata = Metadata();
  metadata["schemas"][0]["fields"][3]["type"] = "time";
  const auto source = OpenExternalTable(FolderWith(metadata), {}).value();
  EXPECT_THAT(source->schema()->field_names(), ElementsAre("driver", "event", "rating"));
  EXPECT_THAT(ErrorOf(FolderWith(metadata), {.field_mapping = {{"city", "town"}}}).message,
              HasSubstr("'time'"));
}

TEST_F(ExternalTableTest, AColumnThatOnlyThePartitionSaysIsRefused) {
  json metadata = Metadata();
  metadata["schemas"][0]["fields"].push_back(
      {{"id", 50}, {"name", "country"}, {"required", false}, {"type", "string"}});
  EXPECT_EQ(RowsOf(FolderWith(metadata)), 200);  // a column that was added later
  metadata["partition-specs"][0]["fields"].push_back(
      {{"source-id", 50}, {"field-id", 1000}, {"transform", "identity"}, {"name", "country"}});
  // Beside a transform that Tidemark does not know, the values of others are not known either.
  metadata["partition-specs"][0]["fields"].push_back(
      {{"source-id", 50}, {"field-id", 1001}, {"transform", "truncate[2]"}, {"name", "country_trunc"}});
  const Error error = ErrorOf(FolderWith(metadata));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("'country'"));
}

TEST_F(ExternalTableTest, OurOwnFeatureTablesAreRefused) {
  TableLayout layout = testing_support::DriverLayout();
  layout.columns.push_back({.name = "written", .type = {.kind = TypeKind::kInt64}});
  layout.system.sequence = "written";
  ASSERT_TRUE(store_->Create(2, {.database = "db", .name = "own"}, layout));
  const fs::path path = iceberg::ToPath(catalog_.Get(2).value().metadata_location).value();
  EXPECT_THAT(ErrorOf(path).message, HasSubstr("use its feature view"));
}

/// The current manifest list and its manifests, rewritten by `change` in a copy of the table.
class ManifestTest : public ExternalTableTest {
 protected:
  fs::path CopyWith(const std::function<void(std::vector<iceberg::ManifestFile>&)>& change) const {
    const auto head = iceberg::ReadHead(Location().string()).value();
    const iceberg::Snapshot& snapshot = *head->metadata.current();
    auto manifests = iceberg::LoadManifests(&snapshot).value();
    change(manifests);
    const fs::path list = folder_.path() / ("list" + std::to_string(++folders_) + ".avro");
    std::ofstream(list, std::ios::binary) << iceberg::WriteManifestList(manifests, snapshot);
    return CopyWithList(list);
  }

  fs::path CopyWithList(const fs::path& list) const {
    json metadata = Metadata();
    for (json& each : metadata["snapshots"])
      each["manifest-list"] = list.string();
    return FolderWith(metadata);
  }
};

TEST_F(ManifestTest, DeleteFilesAreRefused) {
  const Error error = ErrorOf(CopyWith([](auto& manifests) { manifests.front().content = 1; }));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("delete files"));
}

TEST_F(ManifestTest, WhatIsNotOnALocalDiskIsRefused) {
  const Error error =
      ErrorOf(CopyWith([](auto& manifests) { manifests.front().location = "s3://bucket/m.avro"; }));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("s3://"));
}

TEST_F(ManifestTest, MissingAndWrongFilesAreErrors) {
  EXPECT_EQ(ErrorOf(CopyWith([](auto& manifests) { manifests.front().location += "x"; })).code,
            ErrorCode::kCorruption);
  EXPECT_EQ(ErrorOf(CopyWith([](auto& manifests) { manifests.front().length += 1; })).code,
            ErrorCode::kCorruption);
  EXPECT_EQ(ErrorOf(CopyWith([](auto& manifests) { manifests.front().added_files += 1; })).code,
            ErrorCode::kCorruption);
}

TEST_F(ManifestTest, DamagedBytesAreNeverACrash) {
  const auto head = iceberg::ReadHead(Location().string()).value();
  const iceberg::Snapshot& snapshot = *head->metadata.current();
  const fs::path list = iceberg::ToPath(snapshot.manifest_list).value();
  const std::string bytes = iceberg::ReadNamedFile(list).value();
  const std::string text = Metadata().dump();
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    const fs::path path = folder_.path() / "damaged.avro";
    std::ofstream(path, std::ios::binary) << damaged;
    static_cast<void>(OpenExternalTable(CopyWithList(path), {}));
    std::string broken = text;
    broken[random() % broken.size()] ^= static_cast<char>(1U << (random() % 8));
    static_cast<void>(OpenExternalTable(FolderWith(broken), {}));
  }
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(ErrorOf(FolderWith(R"({"x":)" + deep)).code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace tidemark
