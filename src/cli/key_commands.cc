// `tidemark keys`: create, list and revoke the keys that servers of a store accept.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/table.h"
#include "tidemark/keys.h"
#include "tidemark/sql.h"

namespace tidemark::cli {
namespace {

constexpr std::array kScopes{KeyScope::kRead, KeyScope::kWrite, KeyScope::kAdmin};

struct KeyArguments {
  std::string name;
  std::vector<std::string> scopes;  // "read,write@project"
  std::string expires;              // a time, or a duration from now
  std::string id;
};

Result<unsigned> ParseScope(const std::string& word) {
  for (const KeyScope scope : kScopes) {
    if (NameOf(scope) == word) return static_cast<unsigned>(scope);
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is none of the scopes read, write and admin", word));
}

/// "read", "read,write@fraud": without a project, in all.
Result<KeyScopes> ParseScopes(const std::vector<std::string>& given) {
  KeyScopes scopes;
  for (const std::string& text : given) {
    const std::size_t at = text.find('@');
    const std::string project = at == std::string::npos ? "*" : text.substr(at + 1);
    std::string words = text.substr(0, at) + ",";
    while (!words.empty()) {
      const std::size_t comma = words.find(',');
      TM_ASSIGN(const unsigned bit, ParseScope(words.substr(0, comma)));
      scopes[project] |= bit;
      words.erase(0, comma + 1);
    }
  }
  return scopes;
}

/// A point in time, or how long from now.
Result<std::optional<std::int64_t>> ParseEnd(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto time_us = ParseTime(text)) return *time_us;
  const auto duration_us = ParseDuration(text);
  if (!duration_us) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--expires {} is neither a time (2027-01-31T00:00:00Z) nor a duration (90d)", text));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count() + *duration_us;
}

std::string ScopesText(const KeyScopes& scopes) {
  std::string text;
  for (const auto& [project, bits] : scopes) {
    std::string words;
    for (const KeyScope scope : kScopes) {
      if ((bits & static_cast<unsigned>(scope)) == 0) continue;
      if (!words.empty()) words.push_back(',');
      words.append(NameOf(scope));
    }
    if (!text.empty()) text.push_back(' ');
    text.append(words);
    if (project != "*") text.append("@").append(project);
  }
  return text;
}

std::string TimeText(std::int64_t time_us) {
  const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(time_us)};
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(time));
}

Json TimeOrNull(const std::optional<std::int64_t>& time_us) {
  return time_us ? Json(TimeText(*time_us)) : Json();
}

Result<void> CreateKey(const Session& session, const KeyArguments& arguments) {
  CreateKeyOptions options;
  options.name = arguments.name;
  TM_ASSIGN(options.scopes, ParseScopes(arguments.scopes));
  TM_ASSIGN(options.expires_us, ParseEnd(arguments.expires));
  TM_ASSIGN(const auto keys, ApiKeys::Open(session.Folder(), true));
  TM_ASSIGN(const NewApiKey made, keys->Create(options));
  const Json document{{"id", made.key.id},
                      {"name", made.key.name},
                      {"scopes", ScopesText(made.key.scopes)},
                      {"expires", TimeOrNull(made.key.expires_us)},
                      {"key", made.key.id + "." + made.secret},
                      {"aws_access_key_id", made.key.id},
                      {"aws_secret_access_key", made.secret}};
  TM_TRY(PrintDocument(session.output, document));
  fmt::print(stderr,
             "The key is told this once: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`, or "
             "sign with the pair as AWS clients do.\n");
  return {};
}

Result<void> ListKeys(const Session& session) {
  TM_ASSIGN(const auto keys, ApiKeys::Open(session.Folder(), false));
  TM_ASSIGN(const auto listed, keys->List());
  std::vector<Row> rows;
  for (const ApiKey& key : listed) {
    rows.push_back({key.id, key.name, ScopesText(key.scopes), TimeText(key.created_us),
                    TimeOrNull(key.expires_us), TimeOrNull(key.revoked_us)});
  }
  return PrintRows(session.output, {"id", "name", "scopes", "created", "expires", "revoked"}, rows);
}

Result<void> RevokeKey(const Session& session, const KeyArguments& arguments) {
  TM_ASSIGN(const auto keys, ApiKeys::Open(session.Folder(), false));
  TM_ASSIGN(const bool is_new, keys->Revoke(arguments.id));
  if (!is_new) return WriteOut(fmt::format("{} was revoked before\n", arguments.id));
  return WriteOut(fmt::format("{} is revoked: servers refuse it within a second\n", arguments.id));
}

}  // namespace

void AddKeyCommands(Command app, Session& session) {
  const Command keys = app.add_subcommand("keys", "API keys that servers of the store accept");
  keys.require_subcommand();
  const auto arguments = std::make_shared<KeyArguments>();

  const Command create = keys.add_subcommand("create", "Make a key; its secret is printed this once");
  create.add_option("name", arguments->name, "What the key is for");
  create
      .add_option("--scope", arguments->scopes,
                  "What it may do: read, write, admin, several with commas; in one project with @PROJECT. "
                  "May be given again")
      .required()
      .allow_extra_args(false)  // one value each: what follows may be the name
      .type_name("SCOPES[@PROJECT]");
  create.add_option("--expires", arguments->expires, "When it ends: a time, or a duration from now (90d)")
      .type_name("TIME");
  create.callback([&session, arguments] {
    session.command = [&session, arguments] { return CreateKey(session, *arguments); };
  });

  const Command list = keys.add_subcommand("list", "All keys, without their secrets");
  list.callback([&session] { session.command = [&session] { return ListKeys(session); }; });

  const Command revoke = keys.add_subcommand("revoke", "Make a key void, for good");
  revoke.add_option("id", arguments->id, "The key's id").required();
  revoke.callback([&session, arguments] {
    session.command = [&session, arguments] { return RevokeKey(session, *arguments); };
  });
}

}  // namespace tidemark::cli
