// What a training set is asked for with, of the commands that make one.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/session.h"
#include "tidemark/store.h"

namespace tidemark::cli {

struct TrainingArguments {
  std::string entity_rows;  // empty: all entities between start and end
  std::string start;
  std::string end;
  std::vector<std::string> features;
  std::string service;
  std::string event_timestamp;
  std::string known_by;
  std::string as_of;
  std::string at_least;
  bool full_feature_names = false;
  bool status = false;
};

void AddTrainingOptions(Command command, TrainingArguments& options);

/// What the engine is asked; kInvalidArgument unless there are entity rows or a range of times.
Result<HistoricalOptions> HistoricalRequestOf(Session& session, const TrainingArguments& options);
/// Of a file, by its full path.
EntityRows EntityRowsOf(const TrainingArguments& options);

void TellWarnings(const HistoricalReport& report);

}  // namespace tidemark::cli
