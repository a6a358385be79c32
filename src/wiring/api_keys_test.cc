// The keys of a store: made, told once, revoked; what is kept gives no secret away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/clock.h"
#include "tidemark/keys.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

class ApiKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / (std::string("tidemark_keys_") + test->name() + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<ApiKeys> Open() const { return ApiKeys::Open(folder_, true).value(); }
  static CreateKeyOptions Reader() { return {.name = "batch", .scopes = {{"*", 1}}}; }

  fs::path folder_;
};

TEST_F(ApiKeysTest, AKeyIsToldOnceAndStaysTheSame) {
  const auto keys = Open();
  const NewApiKey made = keys->Create(Reader()).value();
  EXPECT_THAT(made.key.id, testing::MatchesRegex("TMAK[A-Z2-7]+"));
  EXPECT_EQ(made.key.id.size(), 20);
  EXPECT_THAT(made.secret, testing::MatchesRegex("[A-Za-z0-9_-]+"));
  EXPECT_EQ(made.secret.size(), 43);
  const auto again = Open();
  EXPECT_THAT(again->List().value(), testing::ElementsAre(made.key));
  EXPECT_EQ(again->SecretOf(made.key.id).value(), made.secret);
  EXPECT_NE(keys->Create(Reader()).value().secret, made.secret);
}

// Goal: no file that others may read holds the secret, and the file that it is made with is its owner's only.
TEST_F(ApiKeysTest, NoSecretIsKept) {
  const NewApiKey made = Open()->Create(Reader()).value();
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text.find(made.secret), std::string::npos) << entry.path();
  }
  EXPECT_EQ(fs::status(folder_ / ".tidemark" / "server.key").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(ApiKeysTest, WhatMakesNoSenseIsRefused) {
  const auto keys = Open();
  const auto code = [&](const CreateKeyOptions& options) { return keys->Create(options).error().code; };
  EXPECT_EQ(code({}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.scopes = {{"a b", 1}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.scopes = {{"*", 0}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.scopes = {{"*", 8}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.scopes = {{"*", 1}}, .expires_us = SystemClock().now_us() - 1}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.name = std::string(129, 'x'), .scopes = {{"*", 1}}}), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(keys->List().value().empty());
}

// Goal: a lost or replaced secret file is told, and no new secret takes its place while keys are in use.
TEST_F(ApiKeysTest, ALostSecretIsAnError) {
  const NewApiKey made = Open()->Create(Reader()).value();
  const fs::path secret = folder_ / ".tidemark" / "server.key";
  fs::remove(secret);
  EXPECT_EQ(Open()->SecretOf(made.key.id).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(Open()->Create(Reader()).error().code, ErrorCode::kCorruption);
  std::ofstream(secret, std::ios::binary) << std::string(32, 'x');
  EXPECT_EQ(Open()->SecretOf(made.key.id).error().code, ErrorCode::kCorruption);
  ASSERT_TRUE(Open()->Revoke(made.key.id).value());
  fs::remove(secret);
  EXPECT_TRUE(Open()->Create(Reader()));
}

TEST_F(ApiKeysTest, WithoutAStoreThereAreNone) {
  EXPECT_EQ(ApiKeys::Open(folder_ / "nowhere", false).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tidemark
