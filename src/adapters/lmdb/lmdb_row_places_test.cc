// Goal: places are those of one snapshot only, and there is room for more of them as more are asked for.
#include "adapters/lmdb/lmdb_row_places_internal.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/hash.h"

namespace tidemark::lmdb {
namespace {

constexpr std::array<std::byte, 100> kMemory{};

std::span<const std::byte> Row(std::size_t at) {
  return std::span(kMemory).subspan(at, 10);
}

TEST(RowPlacesTest, PlacesAreOfOneSnapshot) {
  RowPlaces places;
  places.Enter(7);
  EXPECT_TRUE(places.Find(1).empty());
  places.Add(1, Row(0));
  places.Add(2, Row(20));
  EXPECT_EQ(places.Find(1).data(), Row(0).data());
  EXPECT_EQ(places.Find(2).data(), Row(20).data());
  EXPECT_EQ(places.Find(2).size(), 10U);
  EXPECT_TRUE(places.Find(3).empty());
  EXPECT_TRUE(places.Find(1 + (std::uint64_t{1} << 50U)).empty()) << "another hash that ends alike";

  places.Enter(7);
  EXPECT_FALSE(places.Find(1).empty());
  places.Enter(8);
  EXPECT_TRUE(places.Find(1).empty());
  places.Enter(7);
  EXPECT_TRUE(places.Find(1).empty()) << "what was forgotten does not come back";
}

TEST(RowPlacesTest, HashesThatEndAlikeHaveFourPlaces) {
  RowPlaces places;
  places.Enter(1);
  const auto hash = [](std::uint64_t number) { return (number << 48U) | 7U; };
  for (std::uint64_t i = 1; i <= 4; ++i)
    places.Add(hash(i), Row(i));
  places.Add(hash(2), Row(30));
  EXPECT_EQ(places.Find(hash(1)).data(), Row(1).data());
  EXPECT_EQ(places.Find(hash(2)).data(), Row(30).data()) << "the later one";
  EXPECT_EQ(places.Find(hash(4)).data(), Row(4).data());
  places.Add(hash(5), Row(5));
  EXPECT_TRUE(places.Find(hash(1)).empty()) << "it made room";
  EXPECT_EQ(places.Find(hash(5)).data(), Row(5).data());
}

TEST(RowPlacesTest, AMapThatHasMovedIsForgotten) {
  RowPlaces places;
  places.Enter(7);
  places.Add(1, Row(0));
  places.Forget();
  places.Enter(7);
  EXPECT_TRUE(places.Find(1).empty());
}

TEST(RowPlacesTest, KeysWithoutARowAreKnownByTheirBytes) {
  RowPlaces places;
  places.Enter(1);
  EXPECT_FALSE(places.IsAbsent(5, "key"));
  places.AddAbsent(5, "key");
  EXPECT_TRUE(places.IsAbsent(5, "key"));
  EXPECT_FALSE(places.IsAbsent(5, "kez")) << "another key of that hash";
  EXPECT_FALSE(places.IsAbsent(5, "ke"));
  EXPECT_FALSE(places.IsAbsent(6, "key"));
  EXPECT_TRUE(places.Find(5).empty());
  places.AddAbsent(5, "other");
  EXPECT_FALSE(places.IsAbsent(5, "key")) << "it made room";
  EXPECT_TRUE(places.IsAbsent(5, "other"));
  const std::string most(59, 'k');
  places.AddAbsent(7, most);
  EXPECT_TRUE(places.IsAbsent(7, most));
  places.AddAbsent(8, most + 'k');
  EXPECT_FALSE(places.IsAbsent(8, most + 'k')) << "too long to be kept";

  places.Enter(2);
  EXPECT_FALSE(places.IsAbsent(5, "other")) << "somebody may have written it";
  places.AddAbsent(5, "other");
  places.Forget();
  places.Enter(2);
  EXPECT_FALSE(places.IsAbsent(5, "other"));
}

TEST(RowPlacesTest, ThereIsMoreRoomForAbsentKeysAsMoreAreAskedFor) {
  RowPlaces places;
  places.Enter(1);
  for (int round = 0; round < 4; ++round) {
    for (std::uint64_t i = 0; i < 2'000; ++i)
      places.AddAbsent(MixHash(i + 1), std::to_string(i));
  }
  std::size_t known = 0;
  for (std::uint64_t i = 0; i < 2'000; ++i)
    known += places.IsAbsent(MixHash(i + 1), std::to_string(i)) ? 1U : 0U;
  EXPECT_GT(known, 1'500U);
}

TEST(RowPlacesTest, ThereAreMorePlacesAsMoreAreAskedFor) {
  RowPlaces places;
  places.Enter(1);
  const auto count = [&places](std::uint64_t rows) {
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < rows; ++i)
      found += places.Find(MixHash(i + 1)).empty() ? 0 : 1;
    return found;
  };
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 20'000; ++i)
      places.Add(MixHash(i + 1), Row(0));
  }
  EXPECT_GT(count(20'000), 19'000U);
  for (std::uint64_t i = 0; i < 1'000'000; ++i)
    places.Add(MixHash(i + 1), Row(0));
  EXPECT_EQ(places.size(), 65'536U);
}

}  // namespace
}  // namespace tidemark::lmdb
