// The conformance suite of Source: what every adapter must do. An adapter's test registers its sources:
//
//   INSTANTIATE_TEST_SUITE_P(Parquet, SourceConformance, testing::Values(SourceUnderTest{"one_file",
//   MakeOneFile}),
//                            SourceName);
#pragma once

#include <arrow/table.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "store/source.h"

namespace tidemark::testing_support {

/// A folder of its own for a test, removed with all that is in it at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// An opened source, and all its rows in the order of their locations; the columns are those of its schema.
struct SourceSample {
  std::unique_ptr<Source> source;
  std::shared_ptr<arrow::Table> rows;
};

struct SourceUnderTest {
  std::string name;
  std::function<SourceSample(const std::filesystem::path& folder)>
      make;  // writes what it needs into the folder
};

class SourceConformance : public testing::TestWithParam<SourceUnderTest> {
 protected:
  void SetUp() override;

  const Source& source() const { return *sample_.source; }
  const arrow::Table& rows() const { return *sample_.rows; }

  TestFolder folder_;
  SourceSample sample_;
};

/// The name of an instance, for INSTANTIATE_TEST_SUITE_P.
std::string SourceName(const testing::TestParamInfo<SourceUnderTest>& info);

/// All rows of some columns, scanned fragment by fragment. Fails the test if the scan does.
std::shared_ptr<arrow::Table> ScanAll(const Source& source, const std::vector<std::string>& columns);

}  // namespace tidemark::testing_support
