// get-historical: a training set into a file, or onto the screen.
#include <fmt/format.h>

#include "cli/result_rows.h"
#include "cli/session.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct TrainingArguments {
  std::string entity_rows;  // empty: all entities between start and end
  std::string start;
  std::string end;
  std::vector<std::string> features;
  std::string service;
  std::string out;
  std::string event_timestamp;
  std::string known_by;
  std::string as_of;
  std::string at_least;
  bool full_feature_names = false;
  bool status = false;
  std::optional<std::int64_t> limit;
};

Result<HistoricalOptions> RequestOf(Session& session, const TrainingArguments& options) {
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

void TellWarnings(const HistoricalReport& report) {
  for (const std::string& warning : report.warnings)
    fmt::print(stderr, "warning: {}\n", warning);
}

Result<void> WriteFile(Session& session, Store& store, const EntityRows& rows,
                       const HistoricalOptions& request, const fs::path& out) {
  auto report = store.WriteHistorical(rows, request, out);
  session.progress.Clear();
  if (!report) return std::unexpected(std::move(report).error());
  TellWarnings(*report);
  fmt::print(stderr, "{} rows in {}\n", report->rows, out.string());
  return {};
}

Result<void> GetHistorical(Session& session, const TrainingArguments& options) {
  TM_ASSIGN(HistoricalOptions request, RequestOf(session, options));
  if (options.entity_rows.empty() == !request.range) {
    return Fail(ErrorCode::kInvalidArgument,
                "give a file of entity rows, or --start or --end for the latest row of every entity");
  }
  std::error_code failed;
  EntityRows rows;
  if (!options.entity_rows.empty()) rows.path = fs::absolute(options.entity_rows, failed);
  TM_ASSIGN(const auto store, session.Open());
  if (!options.out.empty())
    return WriteFile(session, *store, rows, request, fs::absolute(options.out, failed));
  request.ended = TellWarnings;
  ResultRows set;
  TM_TRY(store->GetHistorical(rows, request, set.stream()));
  return PrintResult(session, set, options.limit);
}

}  // namespace

void AddHistoricalCommand(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "get-historical", "Make a training set: features as they were known at each entity row's time");
  const auto options = std::make_shared<TrainingArguments>();
  command.add_option("entity-rows", options->entity_rows, "Parquet or CSV file of entity rows");
  command
      .add_option("--start", options->start,
                  "Without entity rows: the latest row of every entity from this time on")
      .type_name("TIME");
  command.add_option("--end", options->end, "... up to this time (default: now)").type_name("TIME");
  const Option features =
      command.add_option("-f,--features", options->features, "view:feature or view, separated by commas")
          .delimiter(',')
          .allow_extra_args(false);
  command.add_option("--service", options->service, "A feature service instead").excludes(features);
  command.add_option("--out", options->out, "Write to FILE (.parquet or .csv) instead of the screen")
      .type_name("FILE");
  command.add_option("--event-timestamp", options->event_timestamp, "Timestamp column of the entity rows");
  command.add_option("--known-by", options->known_by,
                     "Only rows created by this time count; 'event': by each entity row's own time");
  command.add_option("--as-of", options->as_of,
                     "Of feature tables, rows written up to this time, or a snapshot by its id");
  command.add_option("--at-least", options->at_least, "The token of a write that must be seen");
  AddPythonWorkersOption(command, session);
  command.add_flag("--full-feature-names", options->full_feature_names, "Name columns view__feature");
  command.add_flag("--status", options->status, "Add a column <feature>__status behind each feature");
  command.add_option("--limit", options->limit, "Print at most N rows").not_negative();
  command.callback([&session, options] {
    session.command = [&session, options] { return GetHistorical(session, *options); };
  });
}

}  // namespace tidemark::cli
