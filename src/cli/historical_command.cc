// get-historical: a training set into a file, or onto the screen.
#include <fmt/format.h>

#include "cli/historical_arguments.h"
#include "cli/result_rows.h"
#include "cli/session.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct TrainingOutput {
  TrainingArguments request;
  std::string out;
  std::optional<std::int64_t> limit;
};

Result<void> WriteFile(Session& session, Store& store, const EntityRows& rows,
                       const HistoricalOptions& request, const fs::path& out) {
  auto report = store.WriteHistorical(rows, request, out);
  session.progress.Clear();
  if (!report) return std::unexpected(std::move(report).error());
  TellWarnings(*report);
  fmt::print(stderr, "{} rows in {}\n", report->rows, out.string());
  return {};
}

Result<void> GetHistorical(Session& session, const TrainingOutput& options) {
  TM_ASSIGN(HistoricalOptions request, HistoricalRequestOf(session, options.request));
  const EntityRows rows = EntityRowsOf(options.request);
  std::error_code failed;
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
  const auto options = std::make_shared<TrainingOutput>();
  AddTrainingOptions(command, options->request);
  command.add_option("--out", options->out, "Write to FILE (.parquet or .csv) instead of the screen")
      .type_name("FILE");
  AddPythonWorkersOption(command, session);
  command.add_option("--limit", options->limit, "Print at most N rows").not_negative();
  command.callback([&session, options] {
    session.command = [&session, options] { return GetHistorical(session, *options); };
  });
}

}  // namespace tidemark::cli
