// Goal: a file is there whole under its name, or what was there before it is; nothing else is left.
#include "base/new_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

namespace tidemark {
namespace {

namespace fs = std::filesystem;

class NewFileTest : public testing::Test {
 protected:
  NewFileTest() : folder_(fs::path(testing::TempDir()) / ("new_file_test_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~NewFileTest() override { fs::remove_all(folder_); }

  static std::string TextOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::ptrdiff_t Files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  const fs::path folder_;
};

std::span<const std::byte> BytesOfText(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST_F(NewFileTest, AppearsWholeOverWhatIsThere) {
  const fs::path path = folder_ / "rows.parquet";
  std::ofstream(path) << "former";
  const auto file = NewFile::Begin(path).value();
  ASSERT_TRUE(file->Append(BytesOfText("a")));
  ASSERT_TRUE(file->Append(BytesOfText("bc")));
  EXPECT_EQ(TextOf(path), "former");
  EXPECT_EQ(file->Hash(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ASSERT_TRUE(file->Put());
  EXPECT_EQ(TextOf(path), "abc");
  EXPECT_EQ(Files(), 1);
}

TEST_F(NewFileTest, WhatIsNotPutInItsPlaceGoes) {
  {
    const auto file = NewFile::Begin(folder_ / "rows").value();
    ASSERT_TRUE(file->Append(BytesOfText("a")));
  }
  EXPECT_EQ(Files(), 0);
  const auto nowhere = NewFile::Begin(folder_ / "none" / "rows");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNotFound);
  EXPECT_NE(nowhere.error().message.find("none/rows"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
