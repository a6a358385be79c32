// Records on their way into a group's table: checked, then a few rows of Arrow through the store's log.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "server/sagemaker/groups.h"
#include "server/sagemaker/runtime_requests.h"
#include "server/sagemaker/values.h"
#include "tidemark/tables.h"

namespace tidemark::sagemaker {

/// A record whose every value fits. Views into what it was made of.
struct Row {
  std::vector<const FeatureValue*> values;  // by feature of the group; nullptr: null
  EventText event;
  std::optional<std::int64_t> expires_at_us;

  std::string_view identifier(const Group& group) const { return values[group.identifier]->text; }
};

/// A record as a whole: identifier and event time are there, every feature is defined, once, and fits.
Answer<Row> CheckRecord(const Group& group, const WriteEntry& entry);
/// The features that a request names, by feature of the group: defined, once each, and fitting.
Answer<std::vector<const FeatureValue*>> CheckFeatures(const Group& group,
                                                       const std::vector<FeatureValue>& record);
Answer<void> CheckIdentifier(const Group& group, std::string_view identifier);

/// The stores that a write goes to: those named, all of which the group has, or all that it has.
Answer<Targets> StoresOf(const Group& group, const std::optional<Targets>& targets);

/// When a row expires that is of `event_us`; never, if the group has no ttl either.
std::optional<std::int64_t> ExpiryOf(const Group& group, std::int64_t event_us,
                                     std::optional<std::int64_t> ttl_us);

struct WriteOptions {
  Targets stores;
  std::string key;  // the same write again within a day changes nothing; empty: none
  std::stop_token stop;
};

/// Writes rows, durably, all or none.
Result<IngestReport> WriteRows(const OpenGroup& group, std::span<const Row> rows,
                               const WriteOptions& options);

/// A deletion of one key. A hidden one is listed nowhere: what it deleted is gone without a trace online.
struct Deletion {
  FeatureValue identifier;
  FeatureValue event_time;
  bool is_hidden = false;
};
Result<IngestReport> WriteDeletion(const OpenGroup& group, const Deletion& deletion,
                                   const WriteOptions& options);

}  // namespace tidemark::sagemaker
