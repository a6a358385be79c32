// Goal: a request is read where it lies, and only if it is plainly one; values of join keys are coerced
// without loss or refused with their place.
#include "server/feast/online_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

namespace tidemark::server::feast {
namespace {

constexpr std::size_t kRowsMax = 3;
constexpr std::size_t kDepthMax = 64;

std::unique_ptr<PreparedLookup> LookupOf(std::string_view key, TypeKind kind) {
  auto lookup = std::make_unique<PreparedLookup>();
  lookup->keys.push_back({.name = std::string(key), .type = {.kind = kind}, .entity = "thing"});
  return lookup;
}

/// The entities of a request for `key`, or the refusal's body.
struct Got {
  std::string refusal;
  Entities entities;
};

Got ReadKeys(std::string_view values, TypeKind kind) {
  const std::string body = R"({"features": ["a:b"], "entities": {"key": )" + std::string(values) + "}}";
  OnlineRequestReader reader;
  EXPECT_TRUE(reader.Open(body)) << body;
  Got got;
  const auto read = reader.ReadEntities(*LookupOf("key", kind), kRowsMax, got.entities);
  if (!read) got.refusal = read.error().body;
  return got;
}

TEST(OnlineRequest, SaysWhatIsAskedFor) {
  OnlineRequestReader reader;
  ASSERT_TRUE(
      reader.Open(R"({"entities": {"key": [1]}, "features": [ "a:b" , "c:d"], "full_feature_names": true,
                              "include_feature_view_version_metadata": true, "more": [{"x": "]"}]})"));
  EXPECT_EQ(reader.asked().features, R"([ "a:b" , "c:d"])");
  EXPECT_EQ(reader.asked().service, "");
  EXPECT_TRUE(reader.asked().full_feature_names);
  EXPECT_TRUE(reader.wants_versions());
  ASSERT_TRUE(reader.Open(R"({"feature_service": "s" , "features": ["a:b"], "entities": {}})"));
  EXPECT_EQ(reader.asked().service, R"("s")");
  EXPECT_EQ(reader.asked().features, "");
}

TEST(OnlineRequest, WhatIsNotPlainIsNormalizedOrRefused) {
  for (const std::string_view body :
       {R"({"entities": {"key": [1]}, "features": ["a:b"], "full_feature_names": "yes"})",
        R"({"ent\u0069ties": {"key": [1]}, "features": ["a:b"]})",
        R"({"entities": {"x": [1]}, "features": ["x:y"], "entities": {"key": [1]}, "features": ["a:b"]})"}) {
    OnlineRequestReader reader;
    EXPECT_FALSE(reader.Open(body)) << body;
    const auto plain = Normalize(body, kDepthMax);
    ASSERT_TRUE(plain) << plain.error().body;
    ASSERT_TRUE(reader.Open(*plain)) << *plain;
    EXPECT_EQ(reader.asked().features, R"(["a:b"])");
    Entities entities;
    ASSERT_TRUE(reader.ReadEntities(*LookupOf("key", TypeKind::kInt64), kRowsMax, entities));
    EXPECT_EQ(entities.columns[0].integer(0), 1);
  }
  for (const std::string_view body :
       {"", "{", "[]", "7", "{} {}", R"({"entities": 1})", R"({"features": ["a:b"]})",
        R"({"entities": {}, "features": ["a:b"]} x)"}) {
    OnlineRequestReader reader;
    EXPECT_FALSE(reader.Open(body)) << body;
    const auto plain = Normalize(body, kDepthMax);
    ASSERT_FALSE(plain) << body;
    EXPECT_EQ(plain.error().status, 422);
    EXPECT_TRUE(plain.error().body.starts_with(R"({"detail":[{"type":)")) << plain.error().body;
  }
}

TEST(OnlineRequest, CoercesWithoutLoss) {
  EXPECT_EQ(ReadKeys(R"([1, "-2", 3.0])", TypeKind::kInt64).entities.columns[0].integer(1), -2);
  EXPECT_EQ(ReadKeys(R"([1, "-2", 3.0])", TypeKind::kInt64).entities.columns[0].integer(2), 3);
  EXPECT_EQ(ReadKeys("[ 9223372036854775807 ]", TypeKind::kInt64).entities.columns[0].integer(0),
            9223372036854775807);
  EXPECT_EQ(ReadKeys(R"([5, "\u00e9"])", TypeKind::kString).entities.columns[0].text(0), "5");
  EXPECT_EQ(ReadKeys(R"([5, "\u00e9"])", TypeKind::kString).entities.columns[0].text(1), "\xC3\xA9");
  EXPECT_TRUE(ReadKeys("[1, false]", TypeKind::kBool).entities.columns[0].boolean(0));
  EXPECT_EQ(ReadKeys("[-5]", TypeKind::kTimestamp).entities.columns[0].integer(0), -5'000'000);
  EXPECT_EQ(ReadKeys(R"(["AP8="])", TypeKind::kBinary).entities.columns[0].text(0),
            std::string_view("\0\xFF", 2));
}

TEST(OnlineRequest, RefusesWhatCannotBeAKey) {
  for (const auto& [values, kind] :
       {std::pair{"[null]", TypeKind::kInt64}, std::pair{"[1.5]", TypeKind::kInt64},
        std::pair{R"(["x"])", TypeKind::kInt64}, std::pair{"[2147483648]", TypeKind::kInt32},
        std::pair{"[9223372036854775808]", TypeKind::kInt64}, std::pair{"[[1]]", TypeKind::kInt64},
        std::pair{"[true]", TypeKind::kString}, std::pair{"[null]", TypeKind::kString},
        std::pair{"[2]", TypeKind::kBool}, std::pair{R"(["*"])", TypeKind::kBinary},
        std::pair{"[9223372036854]", TypeKind::kBinary}, std::pair{"[9223372036855]", TypeKind::kTimestamp},
        std::pair{"[-9223372036854775808]", TypeKind::kTimestamp}}) {
    const Got got = ReadKeys(values, kind);
    EXPECT_NE(got.refusal.find("row 0"), std::string::npos) << values << ": " << got.refusal;
  }
  EXPECT_NE(ReadKeys("[]", TypeKind::kInt64).refusal, "");
  EXPECT_NE(ReadKeys("[1, 2, 3, 4]", TypeKind::kInt64).refusal.find("limit"), std::string::npos);
}

TEST(OnlineRequest, TakesTheEntitysNameAndPassesOthersOver) {
  OnlineRequestReader reader;
  Entities entities;
  ASSERT_TRUE(reader.Open(R"({"features": ["a:b"], "entities": {"x": [[], {}], "thing": [4, 5]}})"));
  ASSERT_TRUE(reader.ReadEntities(*LookupOf("key", TypeKind::kInt64), kRowsMax, entities));
  EXPECT_EQ(entities.columns[0].integer(1), 5);
  ASSERT_TRUE(reader.Open(R"({"features": ["a:b"], "entities": {"x": [1], "key": [4, 5]}})"));
  const auto ragged = reader.ReadEntities(*LookupOf("key", TypeKind::kInt64), kRowsMax, entities);
  ASSERT_FALSE(ragged);
  EXPECT_NE(ragged.error().body.find("same columns"), std::string::npos);
  ASSERT_TRUE(reader.Open(R"({"features": ["a:b"], "entities": {"x": [1]}})"));
  const auto missing = reader.ReadEntities(*LookupOf("key", TypeKind::kInt64), kRowsMax, entities);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().body.find("key"), std::string::npos);
}

}  // namespace
}  // namespace tidemark::server::feast
