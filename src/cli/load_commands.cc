// materialize and materialize-incremental.
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "base/json.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct LoadOptions {
  std::string start;
  std::string end;
  std::vector<std::string> views;
  bool reload = false;
};

std::int64_t NowUs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Result<void> PrintReport(OutputFormat format, const MaterializeReport& report) {
  std::vector<Row> rows;
  for (const MaterializeReport::View& view : report.views) {
    for (const std::string& warning : view.warnings)
      fmt::print(stderr, "warning: {}\n", warning);
    rows.push_back({view.view, view.rows_read, view.rows_written, view.files_read, view.files_skipped,
                    std::round(view.seconds * 1000) / 1000});
  }
  return PrintRows(format, {"view", "rows_read", "rows_written", "files_read", "files_skipped", "seconds"},
                   rows);
}

Result<void> Load(Session& session, const LoadOptions& options, bool incremental) {
  MaterializeOptions wanted{.views = options.views,
                            .start_us = {},
                            .end_us = NowUs(),
                            .reload = options.reload,
                            .work = session.Work()};
  if (!incremental) {
    TM_ASSIGN(wanted.start_us, ParseTime(options.start));
  }
  if (!options.end.empty()) {
    TM_ASSIGN(wanted.end_us, ParseTime(options.end));
  }
  TM_ASSIGN(const auto store, session.Open());
  const auto report = store->Materialize(wanted);
  session.progress.Clear();
  if (!report) return std::unexpected(report.error());
  return PrintReport(session.output, *report);
}

}  // namespace

void AddLoadCommands(Command app, Session& session) {
  for (const bool incremental : {false, true}) {
    const Command command =
        incremental
            ? app.add_subcommand("materialize-incremental", "Load what is new into the online store")
            : app.add_subcommand("materialize", "Load the latest rows of a time range into the online store");
    const auto options = std::make_shared<LoadOptions>();
    if (!incremental) command.add_option("start", options->start, "Start, ISO-8601").required();
    command.add_option("end", options->end, incremental ? "End, ISO-8601 (default: now)" : "End, ISO-8601")
        .required(!incremental);
    command.add_option("--views", options->views, "Views, separated by commas (default: all that are online)")
        .delimiter(',')
        .allow_extra_args(false);
    command.add_flag("--reload", options->reload,
                     "Load again what was loaded before, and replace damaged online rows");
    command.callback([&session, options, incremental] {
      session.command = [&session, options, incremental] { return Load(session, *options, incremental); };
    });
  }
}

}  // namespace tidemark::cli
