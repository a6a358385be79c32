// Options, and the request that they make.
#include "cli/historical_arguments.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/result_rows.h"

namespace tidemark::cli {

Result<HistoricalOptions> HistoricalRequestOf(Session& session, const TrainingArguments& options) {
  if (options.entity_rows.empty() == (options.start.empty() && options.end.empty())) {
    return Fail(ErrorCode::kInvalidArgument,
                "give a file of entity rows, or --start or --end for the latest row of every entity");
  }
  HistoricalOptions made;
  made.features = options.features;
  made.service = options.service;
  made.event_timestamp_column = options.event_timestamp;
  made.full_feature_names = options.full_feature_names;
  made.include_status = options.status;
  made.known_by_event = options.known_by == "event";
  TM_ASSIGN(made.reading, ParseReading(options.as_of, options.at_least));
  made.work = session.Work();
  if (!options.known_by.empty() && !made.known_by_event) {
    TM_ASSIGN(made.known_by_us, ParseTime(options.known_by));
  }
  if (options.start.empty() && options.end.empty()) return made;
  made.range.emplace();
  if (!options.start.empty()) {
    TM_ASSIGN(made.range->start_us, ParseTime(options.start));
  }
  if (!options.end.empty()) {
    TM_ASSIGN(made.range->end_us, ParseTime(options.end));
  }
  return made;
}

EntityRows EntityRowsOf(const TrainingArguments& options) {
  EntityRows rows;
  std::error_code failed;
  if (!options.entity_rows.empty()) rows.path = std::filesystem::absolute(options.entity_rows, failed);
  return rows;
}

void TellWarnings(const HistoricalReport& report) {
  for (const std::string& warning : report.warnings)
    fmt::print(stderr, "warning: {}\n", warning);
}

void AddTrainingOptions(Command command, TrainingArguments& options) {
  command.add_option("entity-rows", options.entity_rows, "Parquet or CSV file of entity rows");
  command
      .add_option("--start", options.start,
                  "Without entity rows: the latest row of every entity from this time on")
      .type_name("TIME");
  command.add_option("--end", options.end, "... up to this time (default: now)").type_name("TIME");
  const Option features =
      command.add_option("-f,--features", options.features, "view:feature or view, separated by commas")
          .delimiter(',')
          .allow_extra_args(false);
  command.add_option("--service", options.service, "A feature service instead").excludes(features);
  command.add_option("--event-timestamp", options.event_timestamp, "Timestamp column of the entity rows");
  command.add_option("--known-by", options.known_by,
                     "Only rows created by this time count; 'event': by each entity row's own time");
  command.add_option("--as-of", options.as_of,
                     "Of feature tables, rows written up to this time, or a snapshot by its id");
  command.add_option("--at-least", options.at_least, "The token of a write that must be seen");
  command.add_flag("--full-feature-names", options.full_feature_names, "Name columns view__feature");
  command.add_flag("--status", options.status, "Add a column <feature>__status behind each feature");
}

}  // namespace tidemark::cli
