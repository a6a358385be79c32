// Streams of an embedded store: sessions that read them, one thread for each view, and what they tell of
// themselves to other processes.
//
//   .tidemark/streams/id               what the store's groups are named by: its bytes, and which file it is
//   .tidemark/streams/<view id>-<pid>  the status of a session, as JSON; written about every second
//   .tidemark/streams/<view id>-ended  the counts of sessions that have ended, as JSON
//   .tidemark/streams/reports          empty: its lock says who adds those up
//   .tidemark/streams/shards-<view id> empty: its locks say who reads which shard of Kinesis
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/streams/stream_session.h"
#include "engine/tables/feature_tables.h"
#include "tidemark/streams.h"

namespace tidemark {

/// Topics of Kafka, streams of Kinesis.
StreamOpener OpenerOfStreams();

/// Thread safe.
class StoreStreams {
 public:
  struct Parts {
    std::filesystem::path folder;  // the store's own, `.tidemark`
    std::shared_ptr<const Clock> clock;
    std::function<Result<std::shared_ptr<const Catalog>>()> catalog;
    std::function<Result<std::shared_ptr<FeatureTables>>()> tables;
    std::function<Result<void>(const Definitions&)> apply;
    DecoderMaker decoder;
    StreamOpener open = OpenerOfStreams();
    std::chrono::milliseconds try_again_after = std::chrono::seconds(5);  // what failed, as a server does
  };

  explicit StoreStreams(Parts parts) : parts_(std::move(parts)) {}

  /// As Store::RunStreams.
  Result<void> Run(const std::vector<std::string>& views, const RunStreamsOptions& options) const;
  /// As Store::StreamStatus.
  Result<std::string> Status(const std::vector<std::string>& views) const;
  /// As Store::RestartStream.
  Result<std::string> Restart(const std::string& view, const RestartStreamOptions& options) const;

 private:
  Result<std::vector<std::string>> ViewsWithStreams(const std::vector<std::string>& names) const;
  Result<StreamViews> ViewsOf(const std::string& name) const;
  /// How far the stream was read, by place.
  Result<StreamMarks> ProgressOf(const FeatureTables& tables, const std::string& name) const;
  Result<void> MakeRejected(const std::string& name) const;
  Result<std::string> GroupOf(const CatalogView& view) const;
  Result<void> RunOne(const std::string& name, const RunStreamsOptions& options, RejectionGauge& gauge) const;
  /// Until all have ended; the error is of the one that failed first.
  Result<void> RunAll(const std::vector<std::string>& names, const RunStreamsOptions& options) const;
  /// Until it is stopped: views that get a stream are read, and those that failed are tried again.
  void KeepRunning(const std::vector<std::string>& views, const RunStreamsOptions& options) const;

  const Parts parts_;
};

}  // namespace tidemark
