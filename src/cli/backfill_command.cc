// backfill: rows of a view computed by its query.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct BackfillArguments {
  std::string view;
  std::string start;
  std::string end;
  std::string step = "1d";
  std::string to;
  bool restart = false;
};

Result<WriteTarget> TargetOf(const std::string& to) {
  if (to.empty()) return WriteTarget::kUsual;
  if (to == "offline") return WriteTarget::kOffline;
  if (to == "both" || to == "online_and_offline") return WriteTarget::kBoth;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("--to is offline or both, and not '{}'", to));
}

Result<void> Backfill(Session& session, const BackfillArguments& arguments) {
  BackfillOptions options{.restart = arguments.restart, .work = session.Work()};
  if (!arguments.start.empty()) {
    TM_ASSIGN(options.start_us, ParseTime(arguments.start));
  }
  if (!arguments.end.empty() && arguments.end != "now") {
    TM_ASSIGN(options.end_us, ParseTime(arguments.end));
  }
  TM_ASSIGN(options.step_us, ParseDuration(arguments.step));
  TM_ASSIGN(options.to, TargetOf(arguments.to));
  TM_ASSIGN(const auto store, session.Open());
  const auto report = store->Backfill(arguments.view, options);
  session.progress.Clear();
  if (!report) return std::unexpected(report.error());
  for (const std::string& warning : report->warnings)
    fmt::print(stderr, "warning: {}\n", warning);
  return PrintRows(session.output, {"view", "ranges", "done_before", "rows", "deletions", "online_rows"},
                   {{arguments.view, report->ranges, report->ranges_before, report->rows, report->deletions,
                     report->online_rows}});
}

}  // namespace

void AddBackfillCommand(Command app, Session& session) {
  const Command command =
      app.add_subcommand("backfill", "Compute the rows of a batch view by its query, range by range");
  const auto arguments = std::make_shared<BackfillArguments>();
  command.add_option("view", arguments->view, "The batch feature view").required();
  command.add_option("--start", arguments->start,
                     "First event time, ISO-8601 (default: where the last computed range ends)");
  command.add_option(
      "--end", arguments->end,
      "End of event times, not included, ISO-8601 (default, and now: the last whole step that is "
      "over)");
  command.add_option("--step", arguments->step, "What is computed and committed at a time (default: 1d)");
  command.add_option("--to", arguments->to, "offline or both (default: both for views kept online)");
  command.add_flag("--restart,--force", arguments->restart,
                   "Compute all of the range anew, also what was done before");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Backfill(session, *arguments); };
  });
}

}  // namespace tidemark::cli
