// stream run, stream status, stream restart: streams read into feature tables, how far they were, and from
// where on.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <memory>

#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/table.h"
#include "tidemark/sql.h"

namespace tidemark::cli {
namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;

struct StreamArguments {
  std::vector<std::string> views;
  bool until_end = false;
  std::string group;
  std::string rejected_max = "10%";
  std::string wait_max = "1m";
};

/// `5%` or `0.05`.
Result<double> ParseRate(const std::string& text) {
  const bool is_percent = text.ends_with('%');
  const char* const end = text.data() + text.size() - (is_percent ? 1 : 0);
  double rate = 0;
  const auto [read, error] = std::from_chars(text.data(), end, rate);
  if (is_percent) rate /= 100;
  if (error == std::errc() && read == end && rate >= 0 && rate <= 1) return rate;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("--rejected-max: '{}' is no rate: write 5% or 0.05", text));
}

Result<void> RunStreamsUntilStopped(const Session& session, const StreamArguments& arguments) {
  RunStreamsOptions options;
  TM_ASSIGN(options.rejected_rate_max, ParseRate(arguments.rejected_max));
  TM_ASSIGN(options.wait_max_us, ParseDuration(arguments.wait_max));
  TM_ASSIGN(const auto store, session.Open());
  options.until_end = arguments.until_end;
  options.group = arguments.group;
  options.stop = InterruptToken();
  return store->RunStreams(arguments.views, options);
}

void AddRun(Command app, Session& session) {
  const Command command =
      app.add_subcommand("run", "Read streams into feature tables until SIGTERM or Ctrl-C");
  const auto arguments = std::make_shared<StreamArguments>();
  command.add_option("views", arguments->views, "Feature tables (default: all with a stream)");
  command.add_flag("--until-end", arguments->until_end, "Stop when all messages were read that are there");
  command.add_option("--group", arguments->group, "Consumer group (default: one of this store and view)")
      .type_name("NAME");
  command
      .add_option("--rejected-max", arguments->rejected_max,
                  "Stop before more of the newest messages than this are rejected")
      .type_name("RATE")
      .capture_default_str();
  command
      .add_option("--wait-max", arguments->wait_max,
                  "With --until-end: give up when brokers cannot be reached for so long")
      .type_name("DURATION")
      .capture_default_str();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return RunStreamsUntilStopped(session, *arguments); };
  });
}

/// Microseconds as milliseconds, for people.
Json Milliseconds(const Json& us) {
  return us.is_null() ? Json() : Json(static_cast<double>(us.get<std::int64_t>()) / 1'000);
}

Result<void> PrintStreams(const Session& session, const std::vector<std::string>& views) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string text, store->StreamStatus(views));
  TM_ASSIGN(const Json streams, ParseJson(text));
  std::vector<Row> rows;
  for (const Json& stream : streams) {
    for (const char* problem : {"stream_error", "last_error"}) {
      if (!stream.at(problem).is_null()) {
        fmt::print(stderr, "{}: {}: {}\n", stream.at("view").get<std::string>(), problem,
                   stream.at(problem).get<std::string>());
      }
    }
    if (const Json& since = stream.at("unreachable_since_us"); !since.is_null()) {
      const auto moment = static_cast<std::time_t>(since.get<std::int64_t>() / kUsPerSecond);
      fmt::print(stderr, "{}: a reader waits since {:%FT%TZ} for what it cannot reach\n",
                 stream.at("view").get<std::string>(), fmt::gmtime(moment));
    }
    for (const Json& partition : stream.at("partitions")) {
      rows.push_back({stream.at("view"), partition.at("partition"), partition.at("read"), partition.at("end"),
                      partition.at("lag"), stream.at("readers"), stream.at("rows_per_second"),
                      Milliseconds(stream.at("freshness_p50_us")),
                      Milliseconds(stream.at("freshness_p99_us")), stream.at("filtered"),
                      stream.at("rejected")});
    }
  }
  return PrintRows(session.output,
                   {"view", "partition", "read", "end", "lag", "readers", "rows_per_second",
                    "freshness_p50_ms", "freshness_p99_ms", "filtered", "rejected"},
                   rows);
}

void AddStatus(Command app, Session& session) {
  const Command command = app.add_subcommand("status", "How far streams were read, and who reads them");
  const auto views = std::make_shared<std::vector<std::string>>();
  command.add_option("views", *views, "Feature tables (default: all with a stream)");
  command.callback(
      [&session, views] { session.command = [&session, views] { return PrintStreams(session, *views); }; });
}

struct RestartArguments {
  std::string view;
  std::string from;
  std::vector<std::string> partitions;
  bool is_confirmed = false;
};

Result<void> PrintRestarts(const Session& session, const std::string& told) {
  TM_ASSIGN(const Json partitions, ParseJson(told));
  std::vector<Row> rows;
  for (const Json& each : partitions)
    rows.push_back({each.at("partition"), each.at("read"), each.at("next"), each.at("gives_up")});
  return PrintRows(session.output, {"partition", "read", "next", "gives_up"}, rows);
}

Result<void> RestartStream(const Session& session, const RestartArguments& arguments) {
  const auto from = ParseStreamRestart(arguments.from);
  if (!from) return Fail(ErrorCode::kInvalidArgument, "--from is earliest, latest or continue");
  RestartStreamOptions options{.from = *from, .partitions = arguments.partitions, .dry_run = true};
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string planned, store->RestartStream(arguments.view, options));
  TM_TRY(PrintRestarts(session, planned));
  TM_ASSIGN(const bool agreed, Confirm(arguments.is_confirmed,
                                       fmt::format("Read the stream of '{}' on like this?", arguments.view)));
  if (!agreed) return WriteOut("nothing changed\n");
  options.dry_run = false;
  TM_TRY(store->RestartStream(arguments.view, options));
  return {};
}

void AddRestart(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "restart", "Say where a stream is read on whose messages are gone, or that was made anew");
  const auto arguments = std::make_shared<RestartArguments>();
  command.add_option("view", arguments->view, "View with a stream").required();
  command.add_option("--from", arguments->from, "earliest, latest or continue (behind what was read or lost)")
      .type_name("WHERE")
      .required();
  command.add_option("--partition", arguments->partitions, "A partition (several times; default: all)")
      .type_name("P");
  command.add_flag("-y,--yes", arguments->is_confirmed, "Do not ask");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return RestartStream(session, *arguments); };
  });
}

}  // namespace

void AddStreamCommands(Command app, Session& session) {
  const Command command = app.add_subcommand("stream", "Streams that are read into feature tables");
  command.require_subcommand();
  AddRun(command, session);
  AddStatus(command, session);
  AddRestart(command, session);
}

}  // namespace tidemark::cli
