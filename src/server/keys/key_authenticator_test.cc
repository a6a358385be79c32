// Keys as requests bring them: which pass, which do not, and when a change counts.
#include "server/keys/key_authenticator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "server/http/message.h"

namespace tidemark::server {
namespace {

using http::Request;
using http::Scope;

constexpr std::chrono::hours kNever{24};  // tests refresh by hand

class KeyAuthenticatorTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("tidemark_authenticator_") + test->name() + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    others_ = ApiKeys::Open(folder_, true).value();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<KeyAuthenticator> Make(KeyDemand demand = KeyDemand::kWhenThereAre) {
    KeyAuthenticatorParts parts;
    parts.keys = ApiKeys::Open(folder_, false).value();
    parts.demand = demand;
    parts.clock = clock_;
    parts.refresh_every = kNever;
    return KeyAuthenticator::Make(std::move(parts)).value();
  }
  NewApiKey Create(KeyScopes scopes, std::optional<std::int64_t> expires_us = {}) const {
    return others_->Create({.scopes = std::move(scopes), .expires_us = expires_us}).value();
  }
  static std::string TextOf(const NewApiKey& made) { return made.key.id + "." + made.secret; }

  std::filesystem::path folder_;
  std::unique_ptr<ApiKeys> others_;  // as another process has it
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(SystemClock().now_us());
};

Result<http::Caller> Ask(const KeyAuthenticator& authenticator, std::string_view name,
                         const std::string& value) {
  Request request;
  request.headers_ = {{name, value}};
  return authenticator.Identify(request);
}

TEST_F(KeyAuthenticatorTest, AKeyPassesByEveryHeader) {
  const NewApiKey made = Create({{"fraud", 3}});
  const auto authenticator = Make();
  const std::string text = TextOf(made);
  for (const auto& caller : {Ask(*authenticator, "authorization", "Bearer " + text),
                             Ask(*authenticator, "authorization", "bearer " + text),
                             Ask(*authenticator, "x-api-key", text), authenticator->IdentifyKey(text)}) {
    ASSERT_TRUE(caller) << caller.error().ToString();
    EXPECT_EQ(caller->key_id(), made.key.id);
    EXPECT_EQ(caller->only_project(), "fraud");
    EXPECT_TRUE(caller->Allows(Scope::kRead, "fraud"));
    EXPECT_TRUE(caller->Allows(Scope::kWrite, "fraud"));
    EXPECT_FALSE(caller->Allows(Scope::kAdmin, "fraud"));
    EXPECT_FALSE(caller->Allows(Scope::kRead, "other"));
    EXPECT_TRUE(caller->Allows(Scope::kOpen, "other"));
  }
}

TEST_F(KeyAuthenticatorTest, NothingElsePasses) {
  const NewApiKey made = Create({{"*", 7}});
  const auto authenticator = Make();
  const auto context = [&](const std::string& text) {
    const auto caller = authenticator->IdentifyKey(text);
    EXPECT_FALSE(caller);
    if (caller) return std::string();
    EXPECT_EQ(caller.error().message.find(made.secret), std::string::npos);
    return caller.error().context;
  };
  EXPECT_EQ(context(""), http::kNoCredentials);
  EXPECT_EQ(context(made.key.id), http::kUnknownKey);
  EXPECT_EQ(context(made.secret), http::kUnknownKey);
  EXPECT_EQ(context(made.key.id + "."), http::kUnknownKey);
  EXPECT_EQ(context(made.key.id + "." + made.secret.substr(1)), http::kUnknownKey);
  EXPECT_EQ(context(TextOf(made) + "x"), http::kUnknownKey);
  EXPECT_EQ(context("TMAKAAAAAAAAAAAAAAAA." + made.secret), http::kUnknownKey);
  EXPECT_FALSE(Ask(*authenticator, "authorization", "Basic " + TextOf(made)));
  EXPECT_FALSE(Ask(*authenticator, "authorization", TextOf(made)));
}

// Goal: what another process creates or revokes counts after a refresh; an end counts by itself.
TEST_F(KeyAuthenticatorTest, ChangesByOthersAreSeen) {
  const auto authenticator = Make();
  EXPECT_TRUE(authenticator->IdentifyKey("")->unlimited);
  EXPECT_FALSE(authenticator->demands_keys());
  const NewApiKey made = Create({{"*", 1}}, clock_->now_us() + 60'000'000);
  ASSERT_TRUE(authenticator->Refresh());
  EXPECT_TRUE(authenticator->demands_keys());
  EXPECT_FALSE(authenticator->IdentifyKey(""));
  EXPECT_TRUE(authenticator->IdentifyKey(TextOf(made)));
  clock_->set_us(clock_->now_us() + 60'000'000);
  EXPECT_THAT(authenticator->IdentifyKey(TextOf(made)).error().message, testing::HasSubstr("past its end"));

  const NewApiKey other = Create({{"*", 1}});
  ASSERT_TRUE(authenticator->Refresh());
  EXPECT_TRUE(authenticator->IdentifyKey(TextOf(other)));
  ASSERT_TRUE(others_->Revoke(other.key.id).value());
  ASSERT_TRUE(authenticator->Refresh());
  EXPECT_THAT(authenticator->IdentifyKey(TextOf(other)).error().message, testing::HasSubstr("revoked"));
  // A store that had keys does not fall open when none is left.
  ASSERT_TRUE(others_->Revoke(made.key.id).value());
  ASSERT_TRUE(authenticator->Refresh());
  EXPECT_FALSE(authenticator->IdentifyKey(""));
}

TEST_F(KeyAuthenticatorTest, TheDemandIsAsTold) {
  EXPECT_FALSE(Make(KeyDemand::kAlways)->IdentifyKey(""));
  Create({{"*", 1}});
  EXPECT_TRUE(Make(KeyDemand::kNever)->IdentifyKey("")->unlimited);
  EXPECT_FALSE(Make(KeyDemand::kWhenThereAre)->IdentifyKey(""));
}

}  // namespace
}  // namespace tidemark::server
