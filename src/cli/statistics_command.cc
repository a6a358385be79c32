// statistics: what is in the columns of a view or file, counted by the SDK in a child process.
#include <fmt/format.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/child_process.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct StatisticsArguments {
  std::vector<std::string> rows;
  std::vector<std::string> columns;
};

constexpr std::string_view kCompare = "compare";

ErrorCode CodeOf(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (Describe(static_cast<ErrorCode>(i)).name == name) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kInternal;
}

/// The member, or null.
Json MemberOf(const Json& object, const char* name) {
  const Json* const found = object.member(name);
  return found == nullptr ? Json(nullptr) : *found;
}

Result<Json> AskSdk(const Session& session, const Json& request) {
  // A key is no argument, which others on the machine could see.
  if (!session.api_key.empty() && setenv("TIDEMARK_API_KEY", session.api_key.c_str(), 1) != 0)
    return Fail(ErrorCode::kIo, "the environment cannot be changed");
  TM_ASSIGN(const ChildResult child,
            RunChild({session.python, "-m", "tidemark.statistics_command", request.dump()}));
  Json answer = ParseJson(child.output).value_or(nullptr);
  if (child.exit_code != 0 || !answer.is_object()) {
    return Fail(ErrorCode::kInternal,
                fmt::format("statistics could not be made by {} (see above; TIDEMARK_PYTHON names the "
                            "interpreter, which needs the tidemark package)",
                            session.python));
  }
  if (const Json* const error = answer.member("error"); error != nullptr) {
    return Fail(CodeOf(MemberOf(*error, "code").get<std::string>()),
                MemberOf(*error, "message").get<std::string>());
  }
  return answer;
}

Result<void> PrintStatistics(OutputFormat format, const Json& statistics) {
  std::vector<Row> rows;
  for (const Json& column : statistics.at("columns")) {
    const Json& top = column.at("top");
    const Json median =
        column.at("quantiles").contains("0.5") ? column.at("quantiles").at("0.5") : Json(nullptr);
    rows.push_back({column.at("name"), column.at("type"), column.at("count"), column.at("nulls"),
                    column.at("distinct"), column.at("min"), column.at("max"), column.at("mean"),
                    column.at("std"), median, top.empty() ? Json(nullptr) : top.front().at("value")});
  }
  return PrintRows(
      format, {"column", "type", "count", "nulls", "distinct", "min", "max", "mean", "std", "median", "top"},
      rows);
}

Result<void> PrintComparison(OutputFormat format, const Json& comparison) {
  std::vector<Row> rows;
  for (const Json& column : comparison.at("columns"))
    rows.push_back({column.at("name"), column.at("type"), column.at("psi"), column.at("jensen_shannon")});
  return PrintRows(format, {"column", "type", "psi", "jensen_shannon"}, rows);
}

Result<void> ShowStatistics(Session& session, const StatisticsArguments& arguments) {
  std::vector<std::string> rows = arguments.rows;
  const bool is_comparison = rows.size() > 1;
  if (is_comparison && (rows.size() != 3 || rows[0] != kCompare)) {
    return Fail(ErrorCode::kInvalidArgument,
                "give one view or file, or two to compare: statistics compare REFERENCE CURRENT");
  }
  if (is_comparison) rows.erase(rows.begin());
  Json request{{"rows", rows}, {"columns", arguments.columns}, {"project", session.project}};
  if (session.url.empty()) {
    request["store"] = session.Folder().string();
  } else {
    request["url"] = session.url;
  }
  TM_ASSIGN(const Json answer, AskSdk(session, request));
  if (session.output == OutputFormat::kJson) return PrintDocument(session.output, answer);
  return is_comparison ? PrintComparison(session.output, answer) : PrintStatistics(session.output, answer);
}

}  // namespace

void AddStatisticsCommand(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "statistics", "What is in the columns of a view or file: VIEW|FILE, or compare REFERENCE CURRENT");
  const auto arguments = std::make_shared<StatisticsArguments>();
  command
      .add_option("rows", arguments->rows, "A view, or a .parquet or .csv file; or compare and two of them")
      .required();
  command.add_option("--columns", arguments->columns, "Columns, separated by commas (default: all)")
      .delimiter(',')
      .allow_extra_args(false);
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return ShowStatistics(session, *arguments); };
  });
}

}  // namespace tidemark::cli
