#include "adapters/wal/wal_testing.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "base/hash.h"

namespace tidemark::testing_support {
namespace {

// Bytes that follow from the name, and differ from those of every other.
std::string PayloadOf(const std::string& name, std::size_t bytes) {
  std::string payload = name + '\0';
  std::uint64_t state = Hash64(std::as_bytes(std::span(name)));
  while (payload.size() < bytes) {
    state = MixHash(state + 1);
    payload += static_cast<char>(state);
  }
  return payload;
}

}  // namespace

TestRecord::TestRecord(std::string name, std::uint32_t table_id, std::size_t payload_bytes)
    : name_(std::move(name)), table_id_(table_id), payload_(PayloadOf(name_, payload_bytes)) {}

LogRecord TestRecord::record() const {
  return {.targets = kLogToOffline | kLogToOnline,
          .table_id = table_id_,
          .schema_version = 3,
          .write_time_us = static_cast<std::int64_t>(name_.size()) * 1'000,
          .batch_key = name_,
          .stream_offsets = std::as_bytes(std::span(payload_).first(name_.size() % 5)),
          .payload = std::as_bytes(std::span(payload_))};
}

Result<std::vector<FoundFrame>> ReadAll(const LogSnapshot& snapshot, std::uint64_t from,
                                        std::optional<std::uint32_t> table_id) {
  std::vector<FoundFrame> frames;
  const auto read_all = snapshot.Read(from, table_id, [&](const LogFrame& frame) -> Result<void> {
    const LogRecord& read = frame.record;
    const std::string name(read.batch_key);
    const TestRecord expected(name, read.table_id, read.payload.size());
    const LogRecord wanted = expected.record();
    EXPECT_TRUE(std::ranges::equal(read.payload, wanted.payload)) << name;
    EXPECT_TRUE(std::ranges::equal(read.stream_offsets, wanted.stream_offsets)) << name;
    EXPECT_EQ(read.targets, wanted.targets);
    EXPECT_EQ(read.schema_version, wanted.schema_version);
    EXPECT_EQ(read.write_time_us, wanted.write_time_us);
    EXPECT_LT(frame.durable_lsn, frame.lsn);
    frames.push_back({{.log = snapshot.id(), .lsn = frame.lsn}, name});
    return {};
  });
  if (!read_all) return std::unexpected(read_all.error());
  return frames;
}

Result<std::vector<std::unique_ptr<OwnedLog>>> AdoptAll(WriteLogs& logs) {
  std::vector<std::unique_ptr<OwnedLog>> adopted;
  TM_ASSIGN(const std::vector<LogId> orphans, logs.Orphans());
  for (const LogId id : orphans) {
    TM_ASSIGN(auto log, logs.Adopt(id));
    if (log != nullptr) adopted.push_back(std::move(log));
  }
  return adopted;
}

Result<std::vector<FoundFrame>> RecoverAndReadAll(const std::string& folder) {
  const auto logs = OpenWriteLogs({.folder = folder});
  TM_ASSIGN(const auto adopted, AdoptAll(*logs));
  TM_ASSIGN(const auto snapshots, logs->Snapshots());
  std::vector<FoundFrame> frames;
  for (const auto& snapshot : snapshots) {
    EXPECT_FALSE(snapshot->is_unrecovered());
    TM_ASSIGN(const std::vector<FoundFrame> of_one, ReadAll(*snapshot, 0));
    frames.insert(frames.end(), of_one.begin(), of_one.end());
  }
  return frames;
}

std::vector<std::string> Names(const std::vector<FoundFrame>& frames) {
  std::vector<std::string> names;
  for (const FoundFrame& frame : frames)
    names.push_back(frame.name);
  return names;
}

std::string OnlyLogFile(const std::string& folder, const std::string& name) {
  std::string found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != name) continue;
    EXPECT_EQ(found, "");
    found = entry.path();
  }
  EXPECT_NE(found, "");
  return found;
}

pid_t Fork(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() && !testing::Test::HasFailure() ? 0 : 1);
  return child;
}

int Wait(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace tidemark::testing_support
