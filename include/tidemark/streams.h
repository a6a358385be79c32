// Streams that are read into feature tables: topics of Kafka that views have as their stream source.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tidemark/export.h"

namespace tidemark {

struct RunStreamsOptions {
  /// Ends when all messages were read that are there, instead of waiting for more.
  bool until_end = false;
  /// Who names the same group shares the partitions of a stream. Empty: one of this store's, for each view.
  std::string group = {};
  /// A view whose newest messages are no rows at more than this rate (0 to 1) stops before they are written.
  double rejected_rate_max = 0.1;
  /// What fails is told by the status, and begun again after a while, instead of ending the call: for
  /// servers.
  bool keep_trying = false;
  /// With `until_end`: so long a stream, or a registry of schemas, that cannot be reached is waited for
  /// (microseconds, at least 0); then the call ends with kUnavailable. Without it there is no end to waiting.
  std::int64_t wait_max_us = 60'000'000;
  std::stop_token stop = {};
};

/// Where a stream is read on that cannot be read on by itself.
enum class StreamRestart : std::uint8_t {
  kEarliest,  // the first message that there still is: those that were read before are read once more
  kLatest,    // what comes from now on
  kContinue,  // behind the last message that was read, whatever it is now, and what is gone behind it
};

/// `earliest`, `latest`, `continue`.
TIDEMARK_EXPORT std::string_view NameOf(StreamRestart from);
/// Nothing for another text.
TIDEMARK_EXPORT std::optional<StreamRestart> ParseStreamRestart(std::string_view name);

struct RestartStreamOptions {
  StreamRestart from = StreamRestart::kContinue;
  std::vector<std::string> partitions = {};  // empty: all
  bool dry_run = false;                      // says what would be, and changes nothing
};

}  // namespace tidemark
