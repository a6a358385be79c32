// Goal: marks are those of HMAC-SHA256 with the store's own secret, and there is one secret for each store,
// whoever makes it first.
#include "base/keyed_hash.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

TEST(KeyedHash, IsHmacSha256) {
  KeyedHash::Secret secret{};
  // RFC 4231, test case 2: key "Jefe", which HMAC fills up with zeros.
  std::string_view("Jefe").copy(reinterpret_cast<char*>(secret.data()), 4);
  const KeyedHash hash(secret);
  EXPECT_EQ(ToHex(hash.DigestOf("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(KeyedHash, DependsOnTheSecret) {
  KeyedHash::Secret secret{};
  const KeyedHash first(secret);
  secret[31] = std::byte{1};
  const KeyedHash second(secret);
  std::set<std::uint16_t> tags;
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_NE(first.DigestOf(key), second.DigestOf(key));
    same += first.TagOf(key) == second.TagOf(key) ? 1 : 0;
    tags.insert(first.TagOf(key));
  }
  EXPECT_LT(same, 10);
  EXPECT_GT(tags.size(), 950U) << "they spread over all tags";
}

TEST(KeyedHash, HexadecimalThereAndBack) {
  const std::array bytes{std::byte{0x00}, std::byte{0xAB}, std::byte{0xFF}};
  EXPECT_EQ(ToHex(bytes), "00abff");
  std::array<std::byte, 3> read{};
  ASSERT_TRUE(FromHex("00abff", read));
  EXPECT_EQ(read, bytes);
  for (const std::string_view bad : {"", "00abf", "00abff0", "00abfg", "-1abff", "0x0aff"})
    EXPECT_FALSE(FromHex(bad, read)) << bad;
}

class KeyedHashFileTest : public testing::Test {
 protected:
  KeyedHashFileTest() : folder_(testing::TempDir() + "/keyed_hash_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~KeyedHashFileTest() override { std::filesystem::remove_all(folder_); }
  const std::string folder_;
  const std::string path_ = folder_ + "/erase.key";
};

TEST_F(KeyedHashFileTest, IsMadeOnceAndForItsOwnerOnly) {
  EXPECT_EQ(KeyedHashFile(path_).Get(false).error().code, ErrorCode::kCorruption);
  std::vector<KeyMark> marks(8);
  {
    std::vector<std::jthread> threads;
    for (KeyMark& mark : marks)
      threads.emplace_back([&] { mark = KeyedHashFile(path_).Get(true).value()->MarkOf("key"); });
  }
  for (const KeyMark& mark : marks)
    EXPECT_EQ(mark, marks.front());
  EXPECT_EQ(KeyedHashFile(path_).Get(false).value()->MarkOf("key"), marks.front());
  struct stat about{};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing is left over";
}

TEST_F(KeyedHashFileTest, ADamagedOneIsAnError) {
  std::ofstream(path_) << "short";
  const auto read = KeyedHashFile(path_).Get(true);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  EXPECT_NE(read.error().message.find("5 bytes"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
