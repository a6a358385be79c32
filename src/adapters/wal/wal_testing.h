// Records that a test writes, and what it finds in the logs of a folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/wal/write_logs.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {

/// A record that owns its bytes. Its content follows from `name`, so that a changed one is found.
class TestRecord {
 public:
  explicit TestRecord(std::string name, std::uint32_t table_id = 1, std::size_t payload_bytes = 60);
  LogRecord record() const;

 private:
  std::string name_;
  std::uint32_t table_id_;
  std::string payload_;
};

/// A frame that was read: where it was, and which record it is. Fails the test if its content is not that of
/// a TestRecord of its name.
struct FoundFrame {
  LogPosition position;
  std::string name;
  bool operator==(const FoundFrame&) const = default;
};

/// All frames after `from` of one log.
Result<std::vector<FoundFrame>> ReadAll(const LogSnapshot& snapshot, std::uint64_t from = 0,
                                        std::optional<std::uint32_t> table_id = std::nullopt);

/// Adopts all orphans of a folder; they are owned until the result is destroyed.
Result<std::vector<std::unique_ptr<OwnedLog>>> AdoptAll(WriteLogs& logs);

/// Adopts all orphans, reads all frames that are left in all logs and lets the logs go again.
Result<std::vector<FoundFrame>> RecoverAndReadAll(const std::string& folder);

/// The names of frames.
std::vector<std::string> Names(const std::vector<FoundFrame>& frames);

/// What a result holds; fails the test on an error.
template <typename T>
T Must(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().ToString();
  return result ? std::move(*result) : T{};
}

/// The path of the only file in the folder's only log with this name.
std::string OnlyLogFile(const std::string& folder, const std::string& name);

/// Runs `body` in a child; its exit code is 0 if body answers true and no expectation failed.
pid_t Fork(const std::function<bool()>& body);
/// The exit code, or 128 and the signal.
int Wait(pid_t child);

}  // namespace tidemark::testing_support
