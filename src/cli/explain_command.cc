// explain: which row gave a feature its value.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/definition_documents.h"
#include "cli/entity_arguments.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct ExplainArguments {
  std::string feature;
  std::string entity;
  std::string at;
};

Result<void> Explain(Session& session, const ExplainArguments& options) {
  TM_ASSIGN(const FeatureName name, SplitFeature(options.feature));
  ExplainOptions wanted{.t_us = {}, .work = session.Work()};
  if (!options.at.empty()) {
    TM_ASSIGN(wanted.t_us, ParseTime(options.at));
  }
  TM_ASSIGN(const auto store, session.Open());
  auto keys = JoinKeysOf(*store, name.view);
  std::vector<ColumnInfo> requests;
  if (!keys && keys.error().code == ErrorCode::kNotFound) {
    // A computed feature needs the keys of what it is computed from, and request data.
    if (const auto reader = store->PrepareOnline({.features = {options.feature}})) {
      keys = (*reader)->keys();
      requests = (*reader)->requests();
    } else if (reader.error().code != ErrorCode::kNotFound) {
      return std::unexpected(reader.error());
    }
  }
  if (!keys) return std::unexpected(keys.error());
  TM_ASSIGN(const Json entity, ParseEntity(options.entity, *keys, requests));
  TM_ASSIGN(const std::string explained, store->Explain(options.feature, entity.dump(), wanted));
  TM_ASSIGN(const Json document, ParseJson(explained));
  return PrintDocument(session.output, document);
}

}  // namespace

void AddExplainCommand(Command app, Session& session) {
  const Command command =
      app.add_subcommand("explain", "Show which row gave a feature its value, and why, or why there is none");
  const auto options = std::make_shared<ExplainArguments>();
  command.add_option("feature", options->feature, "view:feature").required();
  command.add_option("entity", options->entity, "driver_id=1001, a=1,b=2, or a JSON object").required();
  AddPythonWorkersOption(command, session);
  command.add_option("--at", options->at, "At this time, ISO-8601 (default: now)").type_name("TIME");
  command.callback(
      [&session, options] { session.command = [&session, options] { return Explain(session, *options); }; });
}

}  // namespace tidemark::cli
