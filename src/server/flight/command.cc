// Reads commands; says of every option that is not what it should be which it is.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "model/name.h"
#include "server/flight/command_internal.h"
#include "tidemark/store.h"

namespace tidemark::server::flight {
namespace {

constexpr std::size_t kCommandBytesMax = 4UL << 20U;
constexpr std::size_t kDepthMax = 64;

/// A call that a path can name, and which option its third part is.
struct PathCall {
  std::string_view call;
  std::string_view option;
};
constexpr std::array kPathCalls{
    PathCall{"ingest", "view"},    PathCall{"push", "source"},        PathCall{"delete", "view"},
    PathCall{"read", "view"},      PathCall{"historical", "service"}, PathCall{"latest", "table"},
    PathCall{"snapshot", "table"}, PathCall{"sql", "query"},          PathCall{"dump", "id"},
};

std::unexpected<Error> Wrong(std::string_view name, std::string_view expected, const tidemark::Json& value) {
  constexpr std::size_t kShownMax = 60;
  std::string shown = value.dump();
  if (shown.size() > kShownMax) {
    std::size_t end = kShownMax;
    while ((static_cast<unsigned char>(shown[end]) & 0xC0U) == 0x80U)  // within a character
      --end;
    shown = shown.substr(0, end) + "...";
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the option '{}' must be {}, not {}", name, expected, shown));
}

}  // namespace

Result<Command> Command::Parse(const arrow::flight::FlightDescriptor& descriptor) {
  if (descriptor.type == arrow::flight::FlightDescriptor::PATH) return OfPath(descriptor.path);
  return Parse(descriptor.cmd);
}

Result<Command> Command::Parse(std::string_view text) {
  if (text.size() > kCommandBytesMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the command has {} bytes, more than {}", text.size(), kCommandBytesMax));
  }
  auto members = ParseJson(text, {.depth_max = kDepthMax});
  if (!members || !members->is_object()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        R"(the command is no JSON object; send {"tidemark": 1, "call": "historical", ..}, or a path)");
  }
  Command command(*std::move(members));
  command.is_feast_ = command.members_.contains("api") && !command.members_.contains("tidemark");
  if (command.is_feast_) {
    TM_ASSIGN(command.call_, command.Text("api"));
  } else {
    TM_ASSIGN(const auto version, command.Integer("tidemark"));
    if (version != 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  R"(the command must say "tidemark": 1, which is the form that this server knows)");
    }
    TM_ASSIGN(command.call_, command.Text("call"));
  }
  TM_ASSIGN(command.project_, command.Text("project", ""));
  return command;
}

Result<Command> Command::OfPath(const std::vector<std::string>& path) {
  const auto known =
      path.size() == 3 ? std::ranges::find(kPathCalls, path[0], &PathCall::call) : kPathCalls.end();
  if (known == kPathCalls.end()) {
    std::vector<std::string_view> calls;
    for (const PathCall& call : kPathCalls)
      calls.push_back(call.call);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a path is a call, a project and what the call is about; calls are {}",
                            fmt::join(calls, ", ")));
  }
  for (const std::string& part : path) {
    if (!simdjson::validate_utf8(part))
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} in the path is no UTF-8", Quoted(part)));
  }
  tidemark::Json members = tidemark::Json::object();
  members[std::string(known->option)] = path[2];
  Command command(std::move(members));
  command.call_ = path[0];
  command.project_ = path[1];
  return command;
}

Command Command::OfOptions(std::string_view name, const tidemark::Json& members) {
  Command command(members);
  command.call_ = name;
  return command;
}

std::string Command::TicketText() const {
  tidemark::Json members = members_;
  if (!is_feast_) {
    members["tidemark"] = 1;
    members["call"] = call_;
  }
  if (!project_.empty()) members["project"] = project_;
  return members.dump();
}

bool Command::Has(std::string_view name) const {
  const tidemark::Json* const found = members_.member(name);
  return found != nullptr && !found->is_null();
}

const tidemark::Json* Command::Value(std::string_view name) {
  known_.emplace(name);
  return Has(name) ? members_.member(name) : nullptr;
}

std::string Command::Json(std::string_view name) {
  const tidemark::Json* value = Value(name);
  return value == nullptr ? std::string{} : value->dump();
}

Result<std::string> Command::Text(std::string_view name) {
  TM_ASSIGN(std::string text, Text(name, ""));
  if (text.empty())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the command needs the option '{}'", name));
  return text;
}

Result<std::string> Command::Text(std::string_view name, std::string_view otherwise) {
  const tidemark::Json* value = Value(name);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) return Wrong(name, "text", *value);
  return value->get<std::string>();
}

Result<bool> Command::Flag(std::string_view name) {
  const tidemark::Json* value = Value(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return Wrong(name, "true or false", *value);
  return value->get<bool>();
}

Result<std::optional<std::int64_t>> Command::Integer(std::string_view name) {
  const tidemark::Json* value = Value(name);
  if (value == nullptr) return std::nullopt;
  const bool is_large =
      value->is_number_unsigned() &&
      std::cmp_greater(value->get<std::uint64_t>(), std::numeric_limits<std::int64_t>::max());
  if (!value->is_number_integer() || is_large) return Wrong(name, "an integer", *value);
  return value->get<std::int64_t>();
}

Result<std::optional<std::int64_t>> Command::Time(std::string_view name) {
  const tidemark::Json* value = Value(name);
  if (value == nullptr || !value->is_string()) return Integer(name);
  const auto time = ParseTime(value->text());
  if (!time) return Wrong(name, "a time, such as 2026-01-31T12:00:00Z", *value);
  return *time;
}

Result<std::vector<std::string>> Command::Texts(std::string_view name) {
  const tidemark::Json* value = Value(name);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) return Wrong(name, "a list of texts", *value);
  for (const tidemark::Json& text : *value) {
    if (!text.is_string()) return Wrong(name, "a list of texts", *value);
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

Result<TableReadOptions> Command::Reading() {
  TableReadOptions options;
  TM_ASSIGN(options.as_of_us, Time("as_of"));
  TM_ASSIGN(options.snapshot_id, Integer("snapshot_id"));
  TM_ASSIGN(options.at_least, Text("at_least", ""));
  return options;
}

Result<IngestOptions> Command::Writing() {
  IngestOptions options;
  TM_ASSIGN(const std::string to, Text("to", ""));
  if (to == "online") {
    options.to = WriteTarget::kOnline;
  } else if (to == "offline") {
    options.to = WriteTarget::kOffline;
  } else if (to == "online_and_offline") {
    options.to = WriteTarget::kBoth;
  } else if (!to.empty()) {
    return Wrong("to", "online, offline or online_and_offline", to);
  }
  TM_ASSIGN(options.dry_run, Flag("dry_run"));
  TM_ASSIGN(options.skip_bad_rows, Flag("skip_bad_rows"));
  TM_ASSIGN(options.ignore_other_columns, Flag("ignore_other_columns"));
  TM_ASSIGN(options.idempotency_key, Text("idempotency_key", ""));
  return options;
}

Result<void> Command::NothingElse() const {
  for (const auto& [name, value] : members_.items()) {
    if (known_.contains(name)) continue;
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' has no option '{}'{}", call_, name,
                                                         Suggest(name, {known_.begin(), known_.end()})));
  }
  return {};
}

}  // namespace tidemark::server::flight
