// Goal: whatever happened to the bytes of a log, what is read is what was written: a torn tail is cut, damage
// to what was durable is an error, and no frame is ever wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adapters/wal/log_folder_internal.h"
#include "adapters/wal/wal_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class LogDamageTest : public testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/log"; }
  std::string PathOf(const std::string& name) const { return OnlyLogFile(path(), name); }

  // A dead log with frames "1" to `frames`; its last segment is the one with the greatest number.
  void Write(int frames, std::size_t segment_bytes) {
    const auto logs = OpenWriteLogs({.folder = path(), .segment_bytes = segment_bytes, .ahead_bytes = 0});
    const auto log = Must(logs->Create(nullptr));
    for (int i = 1; i <= frames; ++i) {
      expected_.push_back(std::to_string(i));
      ASSERT_TRUE(log->Append(TestRecord(expected_.back()).record(), nullptr));
      ends_.push_back(std::filesystem::file_size(LastSegment()));
    }
  }
  std::string LastSegment() const {
    std::string last;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path())) {
      if (entry.path().extension() == ".log") last = std::max(last, entry.path().string());
    }
    return last;
  }
  void SetWord(std::uint64_t lsn) const {
    WriteFile(PathOf("durable"), std::string_view(reinterpret_cast<const char*>(&lsn), sizeof(lsn)));
  }
  std::vector<std::string> First(std::size_t count) const {
    return {expected_.begin(), expected_.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  // Whatever is found must be the first frames that were written.
  std::size_t CountOfPrefix(const std::vector<FoundFrame>& frames) const {
    EXPECT_EQ(Names(frames), First(frames.size()));
    return frames.size();
  }

  TemporaryFolder folder_;
  std::vector<std::string> expected_;
  std::vector<std::uintmax_t> ends_;  // of each frame, in its segment
};

// The word may be lost with the power: then only what later frames say is known to have been durable.
TEST_F(LogDamageTest, ATailThatIsTornAnywhereIsCut) {
  Write(2, 1 << 20);
  const std::string segment = LastSegment();
  const std::string whole = ReadFile(segment);
  for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    const auto kept =
        static_cast<std::size_t>(std::ranges::count_if(ends_, [&](auto end) { return end <= bytes; }));
    for (const bool has_garbage : {false, true}) {
      WriteFile(segment,
                whole.substr(0, bytes) + (has_garbage ? std::string(bytes < 40 ? 0 : 50, '\xA5') : ""));
      SetWord(kept);
      EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), First(kept)) << bytes;
      const std::string recovered = bytes < 40 ? "" : ReadFile(segment);
      if (bytes >= 40) {
        EXPECT_EQ(recovered, whole.substr(0, kept == 0 ? 40 : ends_[kept - 1]));
      }
      EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), First(kept)) << "again is the same";
      if (bytes >= 40) {
        EXPECT_EQ(ReadFile(segment), recovered);
      }
    }
  }
}

TEST_F(LogDamageTest, ATailThatIsMissingAlthoughItWasDurableIsAnError) {
  Write(2, 1 << 20);
  const std::string segment = LastSegment();
  const std::string whole = ReadFile(segment);
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    WriteFile(segment, whole.substr(0, bytes));
    const auto read = RecoverAndReadAll(path());
    ASSERT_FALSE(read) << bytes;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
    EXPECT_EQ(ReadFile(segment), whole.substr(0, bytes)) << "what is left must stay as it is";
  }
  WriteFile(segment, whole);
  EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), expected_);
  std::filesystem::remove(segment);
  EXPECT_EQ(RecoverAndReadAll(path()).error().code, ErrorCode::kCorruption);
}

TEST_F(LogDamageTest, EveryFlippedByteIsAnErrorWhenTheWordIsThere) {
  Write(5, 500);
  ASSERT_NE(PathOf("00000001.log"), LastSegment());
  for (const std::string& segment : {PathOf("00000001.log"), LastSegment()}) {
    const std::string whole = ReadFile(segment);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x21);
      WriteFile(segment, damaged);
      const auto read = RecoverAndReadAll(path());
      ASSERT_FALSE(read) << segment << " " << at;
      EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << at;
      EXPECT_THAT(read.error().ToString(), HasSubstr(segment)) << at;
      // A reader that does not recover.
      const auto snapshots = OpenWriteLogs({.folder = path()})->Snapshots();
      if (snapshots) {
        EXPECT_FALSE(ReadAll(*snapshots->at(0))) << at;
      }
    }
    WriteFile(segment, whole);
  }
  EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), expected_);
}

// Without the word, a frame is known to have been durable by a later one; the last has none.
TEST_F(LogDamageTest, EveryFlippedByteIsAnErrorOrATornTailWhenTheWordIsLost) {
  Write(4, 1 << 20);
  const std::string segment = LastSegment();
  const std::string word = PathOf("durable");
  const std::string whole = ReadFile(segment);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
    WriteFile(segment, damaged);
    std::filesystem::remove(word);
    const auto read = RecoverAndReadAll(path());
    const bool is_of_last = at >= ends_[2];
    EXPECT_EQ(read.has_value(), is_of_last) << at;
    if (read) {
      EXPECT_EQ(CountOfPrefix(*read), 3U) << at;
    }
  }
}

TEST_F(LogDamageTest, AWordThatIsWrongIsNeverWrongRows) {
  Write(4, 300);
  const std::string word = PathOf("durable");
  const std::string whole = ReadFile(word);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 2, 4, 0x80}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      WriteFile(word, damaged);
      const auto read = RecoverAndReadAll(path());
      if (read) {
        EXPECT_EQ(Names(*read), expected_);
      }
      if (!read) {
        EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
      }
    }
  }
  WriteFile(word, whole.substr(0, 3));
  EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), expected_);
}

// A frame of the log within a payload of it, or anywhere else but its place, is not a frame.
TEST_F(LogDamageTest, ACopyOfAFrameElsewhereIsNotAFrame) {
  Write(3, 1 << 20);
  const std::string segment = LastSegment();
  const std::string whole = ReadFile(segment);
  WriteFile(segment, whole.substr(0, ends_[1]) + std::string(8, '\0') + whole.substr(ends_[1]));
  SetWord(1);
  // Had the copy been taken for a later frame, it would say that frame 2 was durable, and so it was; but
  // nothing says so of frame 3.
  EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), First(2));
}

TEST_F(LogDamageTest, MissingOrMisplacedSegmentsAreErrors) {
  Write(9, 300);
  const std::string first = PathOf("00000001.log");
  const std::string second = PathOf("00000002.log");
  const std::string third = PathOf("00000003.log");
  const std::string bytes = ReadFile(second);
  std::filesystem::remove(second);
  EXPECT_THAT(RecoverAndReadAll(path()).error().ToString(), HasSubstr("segment 2 is missing"));
  EXPECT_EQ(OpenWriteLogs({.folder = path()})->Snapshots().error().code, ErrorCode::kCorruption);
  WriteFile(second, ReadFile(first));
  EXPECT_EQ(RecoverAndReadAll(path()).error().code, ErrorCode::kCorruption);
  WriteFile(second, bytes);
  EXPECT_EQ(Names(Must(RecoverAndReadAll(path()))), expected_);
}

// Gone from the front are only segments that were trimmed; without the mark nobody knows.
TEST_F(LogDamageTest, ADeletedOldestSegmentIsAnErrorAndATrimmedOneIsNot) {
  Write(9, 300);
  const auto refused = [&](const std::string& text) {
    const auto recovered = RecoverAndReadAll(path());
    ASSERT_FALSE(recovered);
    EXPECT_EQ(recovered.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(recovered.error().ToString(), HasSubstr(text));
    const auto seen = OpenWriteLogs({.folder = path()})->Snapshots();
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(seen.error().ToString(), HasSubstr(text));
  };
  const std::string first = PathOf("00000001.log");
  const std::string bytes = ReadFile(first);
  std::filesystem::remove(first);
  refused("segment 1 is missing before it");
  WriteFile(first, bytes);
  std::uint64_t trimmed = 0;
  {
    const auto logs = OpenWriteLogs({.folder = path()});
    const auto adopted = Must(AdoptAll(*logs));
    trimmed = Must(logs->Snapshots()).at(0)->durable_lsn() / 2;
    ASSERT_TRUE(adopted.at(0)->Trim({adopted[0]->id(), trimmed}));
    ASSERT_FALSE(std::filesystem::exists(first));
  }
  const auto rest = Must(RecoverAndReadAll(path()));
  EXPECT_EQ(Names(rest).back(), expected_.back());
  std::string oldest = LastSegment();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path())) {
    if (entry.path().extension() == ".log") oldest = std::min(oldest, entry.path().string());
  }
  ASSERT_NE(oldest, LastSegment());
  std::filesystem::remove(oldest);
  refused("of which only those up to");
  std::string mark = ReadFile(PathOf("trimmed"));
  mark[0] = static_cast<char>(mark[0] ^ 1);
  WriteFile(PathOf("trimmed"), mark);
  EXPECT_GT(Must(OpenWriteLogs({.folder = path()})->Snapshots()).at(0)->trimmed_lsn(), trimmed);
}

// Who cannot recover a log sees what is known to be durable, and is told that there may be more.
TEST_F(LogDamageTest, ALogThatWasNotRecoveredShowsWhatIsDurableAndSaysSo) {
  Write(4, 300);
  SetWord(2);
  const auto logs = OpenWriteLogs({.folder = path()});
  const auto before = Must(logs->Snapshots());
  EXPECT_TRUE(before.at(0)->is_unrecovered());
  EXPECT_THAT(Names(Must(ReadAll(*before[0]))), ElementsAre("1", "2"));
  const auto adopted = Must(AdoptAll(*logs));
  const auto after = Must(logs->Snapshots());
  EXPECT_FALSE(after.at(0)->is_unrecovered());
  EXPECT_EQ(Names(Must(ReadAll(*after[0]))), expected_);
}

}  // namespace
}  // namespace tidemark::testing_support
