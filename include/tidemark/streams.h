// Streams that are read into feature tables: topics of Kafka that views have as their stream source.
#pragma once

#include <stop_token>
#include <string>

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
  std::stop_token stop = {};
};

}  // namespace tidemark
