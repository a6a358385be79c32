// datasets: training sets that are kept.
#include <fmt/format.h>

#include <map>

#include "base/json.h"
#include "cli/historical_arguments.h"
#include "cli/interrupt.h"
#include "cli/result_rows.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct CreateArguments {
  std::string name;
  TrainingArguments request;
  std::string storage;
  std::vector<std::string> tags;
  bool overwrite = false;
};

Result<std::map<std::string, std::string>> TagsOf(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> tags;
  for (const std::string& text : texts) {
    const std::size_t at = text.find('=');
    if (at == std::string::npos || at == 0)
      return Fail(ErrorCode::kInvalidArgument, fmt::format("--tag '{}': write NAME=VALUE", text));
    tags[text.substr(0, at)] = text.substr(at + 1);
  }
  return tags;
}

Result<void> CreateDataset(Session& session, const CreateArguments& arguments) {
  TM_ASSIGN(HistoricalOptions request, HistoricalRequestOf(session, arguments.request));
  request.ended = TellWarnings;
  SaveDatasetOptions options;
  TM_ASSIGN(options.tags, TagsOf(arguments.tags));
  std::error_code failed;
  if (!arguments.storage.empty()) options.storage = fs::absolute(arguments.storage, failed);
  options.feature_service = arguments.request.service;
  options.allow_overwrite = arguments.overwrite;
  TM_ASSIGN(const auto store, session.Open());
  auto saved = store->SaveDataset(arguments.name, EntityRowsOf(arguments.request), request, options);
  session.progress.Clear();
  if (!saved) return std::unexpected(std::move(saved).error());
  const Json told = Json::parse(*saved);
  fmt::print(stderr, "{} rows in {}\n", told.at("rows").get<std::int64_t>(),
             told.at("path").get<std::string>());
  return {};
}

Result<void> ListDatasets(const Session& session) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string listed, store->SavedDatasets());
  std::vector<Row> rows;
  for (const Json& each : Json::parse(listed)) {
    rows.push_back({each.at("name"), each.at("state"), each.at("created"), each.at("rows"), each.at("bytes"),
                    each.at("path")});
  }
  return PrintRows(session.output, {"name", "state", "created", "rows", "bytes", "path"}, rows);
}

Result<void> ShowDataset(const Session& session, const std::string& name) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string told, store->SavedDataset(name));
  return PrintDocument(session.output, Json::parse(told));
}

Result<void> RebuildDataset(Session& session, const std::string& name, const std::string& out) {
  std::error_code failed;
  const fs::path path = out.empty() ? fs::path() : fs::absolute(out, failed);
  TM_ASSIGN(const auto store, session.Open());
  auto rebuilt = store->RebuildDataset(name, path, session.Work());
  session.progress.Clear();
  if (!rebuilt) return std::unexpected(std::move(rebuilt).error());
  fmt::print(stderr, "the same as it was saved, in {}\n", rebuilt->string());
  return {};
}

Result<void> FetchDataset(const Session& session, const std::string& name, const std::string& out,
                          bool entity_rows) {
  const DatasetFile file = entity_rows ? DatasetFile::kEntityRows : DatasetFile::kRows;
  std::error_code failed;
  TM_ASSIGN(const auto store, session.Open());
  return store->FetchSavedDataset(name, file, fs::absolute(out, failed), InterruptToken());
}

Result<void> DeleteDatasets(const Session& session, const std::vector<std::string>& names) {
  TM_ASSIGN(const auto store, session.Open());
  for (const std::string& name : names)
    TM_TRY(store->DeleteSavedDataset(name));
  return {};
}

void AddCreate(Command datasets, Session& session) {
  const Command command =
      datasets.add_subcommand("create", "Make a training set and keep it, with what it is made of");
  const auto arguments = std::make_shared<CreateArguments>();
  command.add_option("name", arguments->name, "Its name").required();
  AddTrainingOptions(command, arguments->request);
  command.add_option("--storage", arguments->storage, "Write to FILE.parquet instead of the store's folder")
      .type_name("FILE");
  command.add_option("--tag", arguments->tags, "A tag").type_name("NAME=VALUE").allow_extra_args(false);
  command.add_flag("--overwrite", arguments->overwrite, "Replace the one of that name, and the file");
  AddPythonWorkersOption(command, session);
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return CreateDataset(session, *arguments); };
  });
}

void AddFetch(Command datasets, Session& session) {
  const Command command =
      datasets.add_subcommand("fetch", "Copy the file of one, from a server too, if it is what was saved");
  const auto name = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>();
  const auto entity_rows = std::make_shared<bool>(false);
  command.add_option("name", *name, "Its name").required();
  command.add_option("out", *out, "The Parquet file to write").required().type_name("FILE");
  command.add_flag("--entity-rows", *entity_rows, "The entity rows that it was made of");
  command.callback([&session, name, out, entity_rows] {
    session.command = [&session, name, out, entity_rows] {
      return FetchDataset(session, *name, *out, *entity_rows);
    };
  });
}

}  // namespace

void AddDatasetCommands(Command app, Session& session) {
  const Command datasets = app.add_subcommand("datasets", "Training sets that are kept");
  datasets.require_subcommand();
  datasets.add_subcommand("list", "List saved datasets").callback([&session] {
    session.command = [&session] { return ListDatasets(session); };
  });
  const auto name = std::make_shared<std::string>();
  const Command show = datasets.add_subcommand("show", "Print what is known of one");
  show.add_option("name", *name, "Its name").required();
  show.callback(
      [&session, name] { session.command = [&session, name] { return ShowDataset(session, *name); }; });
  AddCreate(datasets, session);
  const auto out = std::make_shared<std::string>();
  const Command rebuild =
      datasets.add_subcommand("rebuild", "Make one again, the same to the byte, or say why that cannot be");
  rebuild.add_option("name", *name, "Its name").required();
  rebuild.add_option("--out", *out, "Write to FILE.parquet instead of its place").type_name("FILE");
  rebuild.callback([&session, name, out] {
    session.command = [&session, name, out] { return RebuildDataset(session, *name, *out); };
  });
  AddPythonWorkersOption(rebuild, session);
  AddFetch(datasets, session);
  const auto names = std::make_shared<std::vector<std::string>>();
  const Command remove =
      datasets.add_subcommand("delete", "Forget some; files outside the store's folder stay");
  remove.add_option("names", *names, "Their names").required();
  remove.callback(
      [&session, names] { session.command = [&session, names] { return DeleteDatasets(session, *names); }; });
}

}  // namespace tidemark::cli
