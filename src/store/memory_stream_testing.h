// A stream in memory, for tests: what is in it, who reads it and what fails are the test's to say.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/stream.h"

namespace tidemark::testing_support {

struct MemoryMessage {
  std::optional<std::string> key;
  std::optional<std::string> value;  // none: a tombstone
  std::int64_t timestamp_us = 0;
  std::int64_t offset = 0;  // given by Add
};

/// Partitions "0", "1" and so on, shared by the members of one group. Thread safe.
class MemoryTopic {
 public:
  explicit MemoryTopic(std::size_t partitions) : partitions_(partitions) {}

  void Add(std::size_t partition, MemoryMessage message);
  /// Something that has an offset and is no message, as the end of a transaction.
  void AddMarker(std::size_t partition);
  /// Forgets the messages before an offset, as brokers do with old ones.
  void RemoveBefore(std::size_t partition, std::int64_t offset);
  /// As if it had been removed and made again.
  void Clear();
  /// What it is known by from now on.
  void Identify(StreamIdentity identity);
  /// The next polls of all members fail with this.
  void Fail(std::optional<Error> error);

  std::unique_ptr<Stream> Open();

 private:
  friend class MemoryStream;
  struct Partition {
    std::vector<MemoryMessage> messages;
    std::set<std::int64_t> markers;
    std::int64_t next = 0;
  };

  std::mutex mutex_;  // guards all
  std::vector<Partition> partitions_;
  StreamIdentity identity_;
  std::optional<Error> error_;
  std::set<const void*> members_;
  std::map<std::size_t, const void*> owners_;  // by partition
};

}  // namespace tidemark::testing_support
