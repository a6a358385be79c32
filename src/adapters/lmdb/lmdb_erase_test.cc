// Goal: of what is erased no byte is left in data.mdb, whoever writes to it next; a reader that still sees it
// is never disturbed, and said to be in the way; a file that does not add up is not written to.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <latch>
#include <sstream>
#include <thread>

#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/lmdb/lmdb_scrub_internal.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

const std::string kSecret = "the-value-that-is-to-be-erased";

class LmdbErase : public testing::Test {
 protected:
  void SetUp() override { store_ = Open(); }

  std::unique_ptr<OnlineStore> Open() const {
    return OpenLmdbOnlineStore({.folder = folder_.path() + "/online"}).value();
  }

  static TestWrite Write(const std::string& name, std::int64_t sequence, const std::string& payload) {
    const std::string key = TestKey(1, name);
    return {key, TestRow(key, {{1}, {0}, sequence, 0}, payload)};
  }

  void Merge(const std::vector<TestWrite>& writes) const {
    const auto merged = store_->Merge(Writes(writes), {});
    ASSERT_TRUE(merged) << merged.error().ToString();
  }

  OnlineErasure ErasureOf(const std::string& key) const {
    const auto hash = KeyedHashFile(folder_.path() + "/erase.key").Get(true).value();
    return {.mark = hash->MarkOf(key), .key = key, .sequence_max = 1'000'000};
  }

  std::string DataFile() const { return folder_.path() + "/online/data.mdb"; }

  bool FileHas(std::string_view text) const {
    std::ifstream file(DataFile(), std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str().find(text) != std::string::npos;
  }

  /// Rows around and of the key, in several generations, so that pages were split, freed and used again.
  void Fill(std::size_t payload_bytes) const {
    for (int generation = 0; generation < 6; ++generation) {
      std::vector<TestWrite> writes;
      for (int i = 0; i < 400; ++i) {
        writes.push_back(Write("n" + std::to_string(i * 7919 % 400), generation + 1,
                               std::string(static_cast<std::size_t>(i % 50) * 11, 'p')));
      }
      std::string payload = kSecret;
      while (payload.size() < payload_bytes)
        payload += kSecret;
      writes.push_back(Write("secret-key", generation + 1, payload));
      Merge(writes);
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<OnlineStore> store_;
};

TEST_F(LmdbErase, NoByteIsLeftAndNoneComesBack) {
  // In a page with others, in pages of its own (with one buffer, and with more).
  for (const std::size_t bytes : {std::size_t{30}, std::size_t{3000}, std::size_t{20'000}}) {
    SCOPED_TRACE(bytes);
    Fill(bytes);
    ASSERT_TRUE(FileHas(kSecret));
    const TestWrite erased = Write("secret-key", 1, "");
    store_->Erase(std::vector{ErasureOf(erased.key)}).value();
    EXPECT_TRUE(store_->ScrubRemoved().value());
    EXPECT_FALSE(FileHas(kSecret));
    EXPECT_FALSE(FileHas("secret-key"));
    // What this process writes from now on does not bring it back out of old buffers.
    for (int i = 0; i < 200; ++i)
      Merge({Write("n" + std::to_string(i), 100 + i, "q")});
    EXPECT_FALSE(FileHas(kSecret));
    ASSERT_TRUE(store_->ForgetErasures(1'000'000));
  }
}

TEST_F(LmdbErase, AnotherProcessDoesNotBringItBackEither) {
  int to_child[2];
  int from_child[2];
  ASSERT_EQ(::pipe(to_child), 0);
  ASSERT_EQ(::pipe(from_child), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    const auto own = Open();
    store_ = nullptr;
    const auto merge = [&](const std::vector<TestWrite>& writes) {
      return own->Merge(Writes(writes), {}).has_value();
    };
    bool is_good = true;
    for (int i = 0; i < 30; ++i)
      is_good = is_good && merge({Write("secret-key", i, kSecret), Write("c" + std::to_string(i), i, "x")});
    is_good = is_good && ::write(from_child[1], "w", 1) == 1 && ::read(to_child[0], &byte, 1) == 1;
    for (int i = 0; i < 300; ++i)
      is_good = is_good && merge({Write("c" + std::to_string(i), 500 + i, "y")});
    ::_exit(is_good ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(from_child[0], &byte, 1), 1);
  ASSERT_TRUE(FileHas(kSecret));
  EXPECT_EQ(store_->Erase(std::vector{ErasureOf(TestKey(1, "secret-key"))}).value(), 1);
  EXPECT_TRUE(store_->ScrubRemoved().value());
  EXPECT_FALSE(FileHas(kSecret));
  ASSERT_EQ(::write(to_child[1], "g", 1), 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(FileHas(kSecret));
  EXPECT_FALSE(GetAll(*store_, {TestKey(1, "c299")})[0].empty());
  for (const int fd : {to_child[0], to_child[1], from_child[0], from_child[1]})
    ::close(fd);
}

TEST_F(LmdbErase, AReaderThatSeesItIsLeftAlone) {
  Fill(30);
  const std::string key = TestKey(1, "secret-key");
  std::latch is_reading(1);
  std::latch may_end(1);
  bool saw_it = false;
  std::jthread reader([&] {
    const auto scanned = store_->Scan("", [&](std::string_view, std::span<const std::byte>) {
      if (!std::exchange(saw_it, true)) {
        is_reading.count_down();
        may_end.wait();
        saw_it = false;
        return true;
      }
      return true;
    });
    EXPECT_TRUE(scanned);
  });
  is_reading.wait();
  // In another process: this one waits with the environment's renewal until its own readers are done.
  const pid_t child = ::fork();
  if (child == 0) {
    const auto own = Open();
    const bool is_erased = own->Erase(std::vector{ErasureOf(key)}).value_or(-1) == 1;
    const auto scrubbed = own->ScrubRemoved();
    ::_exit(is_erased && scrubbed && !*scrubbed ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "the reader is in the way";
  EXPECT_TRUE(FileHas(kSecret));
  may_end.count_down();
  reader.join();
  EXPECT_TRUE(store_->ScrubRemoved().value());
  EXPECT_FALSE(FileHas(kSecret));
}

TEST_F(LmdbErase, AFileThatDoesNotAddUpIsNotWrittenTo) {
  Fill(3000);
  store_.reset();
  std::string bytes;
  {
    std::ifstream file(DataFile(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  constexpr std::size_t kPage = 4096;
  int refused = 0;
  // Flags, bounds and numbers in the headers of pages; and the newest roots.
  const auto is_dense = [&](std::size_t at) { return at < 16 * kPage || at + 40 * kPage > bytes.size(); };
  for (std::size_t at = 0; at < bytes.size(); at += is_dense(at) ? kPage : 29 * kPage) {
    for (const std::size_t offset : {0, 10, 12, 14, 80, 128}) {
      std::string damaged = bytes;
      damaged[at + offset] = static_cast<char>(damaged[at + offset] ^ 0x55);
      const std::string path = folder_.path() + "/damaged.mdb";
      std::ofstream(path, std::ios::binary) << damaged;
      const int fd = ::open(path.c_str(), O_RDWR);
      const auto scrubbed = lmdb::ScrubFile(fd, {.oldest_reader = 1'000'000});
      ::close(fd);
      if (scrubbed) continue;
      ++refused;
      std::ifstream file(path, std::ios::binary);
      EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), damaged);
    }
  }
  EXPECT_GE(refused, 10);
}

}  // namespace
}  // namespace tidemark::testing_support
