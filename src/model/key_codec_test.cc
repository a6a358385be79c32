// Goal: keys have the layout that is drawn in the header, sort as their values do, and no two keys share
// bytes.
#include "model/key_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <vector>

#include "base/hash.h"

namespace tidemark {
namespace {

using std::string_literals::operator""s;

std::string Key(std::initializer_list<KeyValue> values, std::uint32_t view_id = 7) {
  std::string key;
  AppendViewId(view_id, key);
  for (const KeyValue& value : values)
    AppendKeyValue(value, key);
  return key;
}

TEST(KeyCodec, HasTheLayoutOfItsHeader) {
  EXPECT_EQ(Key({}, 0x01020304), "\x01\x02\x03\x04"s);
  EXPECT_EQ(Key({std::int64_t{1}}), "\0\0\0\x07\x80\0\0\0\0\0\0\x01"s);
  EXPECT_EQ(Key({std::int64_t{-1}}), "\0\0\0\x07\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s);
  EXPECT_EQ(Key({true, false}), "\0\0\0\x07\x01\0"s);
  EXPECT_EQ(Key({"ab"}), "\0\0\0\x07"s + "ab\0\x01"s);
  EXPECT_EQ(Key({std::string_view("a\0b\0", 4)}), "\0\0\0\x07"s + "a\0\xFF"s + "b\0\xFF\0\x01"s);
  EXPECT_EQ(Key({"", std::int64_t{0}}), "\0\0\0\x07\0\x01\x80\0\0\0\0\0\0\0"s);
}

TEST(KeyCodec, IntegersSortAsTheirValues) {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> values{kMin, kMin + 1, -256, -255, -1, 0, 1, 255, 256, 1LL << 32, kMax};
  for (std::size_t i = 1; i < values.size(); ++i)
    EXPECT_LT(Key({values[i - 1]}), Key({values[i]}));
}

// All strings of up to four of these bytes, alone and in pairs: the order of keys is that of the values, and
// so no two of them have one key.
TEST(KeyCodec, StringsSortAsTheirValues) {
  std::vector<std::string> values{""};
  for (std::size_t from = 0, length = 1; length <= 4; ++length) {
    const std::size_t to = values.size();
    for (; from < to; ++from) {
      for (const char c : {'\0', '\1', 'a', '\xFE', '\xFF'})
        values.push_back(values[from] + c);
    }
  }
  std::ranges::sort(values);
  for (std::size_t i = 1; i < values.size(); ++i)
    ASSERT_LT(Key({values[i - 1]}), Key({values[i]}));

  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < values.size(); i += 7) {
    for (std::size_t j = 0; j < values.size(); j += 11)
      pairs.emplace_back(values[i], values[j]);
  }
  std::ranges::sort(pairs);
  for (std::size_t i = 1; i < pairs.size(); ++i) {
    ASSERT_LT(Key({pairs[i - 1].first, pairs[i - 1].second}), Key({pairs[i].first, pairs[i].second}));
  }
}

TEST(KeyCodec, ShortKeysAreStoredWhole) {
  const std::string key(kOnlineKeyBytesMax, 'x');
  EXPECT_FALSE(IsLongKey(key));
  EXPECT_EQ(StoredKey(key), key);
}

TEST(KeyCodec, LongKeysAreStoredAsPrefixAndHash) {
  const std::string key = Key({std::string(5000, 'x')});
  ASSERT_TRUE(IsLongKey(key));
  const std::string stored = StoredKey(key);
  const auto hash = Hash128(std::as_bytes(std::span(key)));
  ASSERT_EQ(stored.size(), kOnlineKeyPrefixBytes + hash.size());
  EXPECT_GT(stored.size(), kOnlineKeyBytesMax) << "a key that is stored whole could be equal to it";
  EXPECT_LT(stored.size(), 511U) << "LMDB's limit";
  EXPECT_EQ(stored.substr(0, kOnlineKeyPrefixBytes), key.substr(0, kOnlineKeyPrefixBytes));
  EXPECT_TRUE(std::equal(hash.begin(), hash.end(), stored.begin() + kOnlineKeyPrefixBytes,
                         [](std::byte a, char b) { return static_cast<char>(a) == b; }));
}

TEST(KeyCodec, LongKeysThatDifferAreStoredApart) {
  std::set<std::string> stored;
  for (std::size_t length = 390; length < 1390; ++length)
    stored.insert(StoredKey(Key({std::string(length, 'x')})));
  EXPECT_EQ(stored.size(), 1000U);
}

}  // namespace
}  // namespace tidemark
