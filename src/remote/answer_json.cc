// Reports as docs/http-api.md has them.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "remote/answer_json.h"

namespace tidemark::remote {
namespace {

constexpr std::size_t kDepthMax = 128;

template <typename T, typename Read>
std::vector<T> ListOf(const Json& object, const char* name, const Read& read) {
  std::vector<T> made;
  const Json& list = Member(object, name);
  if (!list.is_array()) return made;
  made.reserve(list.size());
  for (const Json& each : list)
    made.push_back(read(each));
  return made;
}

Change::Action ActionNamed(const std::string& name) {
  for (const auto action : {Change::Action::kAdd, Change::Action::kChange, Change::Action::kRename}) {
    if (NameOf(action) == name) return action;
  }
  return Change::Action::kRemove;
}

ObjectType TypeNamed(const std::string& name) {
  for (const auto type : {ObjectType::kEntity, ObjectType::kFeatureView, ObjectType::kOnDemandView}) {
    if (NameOf(type) == name) return type;
  }
  return ObjectType::kFeatureService;
}

}  // namespace

Result<Json> ParseAnswer(std::string_view url, const std::string& body) {
  auto parsed = ParseJson(body, {.depth_max = kDepthMax});
  if (parsed) return parsed;
  return Fail(ErrorCode::kUnavailable, fmt::format("what answers at {} is no Tidemark server: no JSON", url));
}

const Json& Member(const Json& object, const char* name) {
  static const Json kNothing;
  const Json* const found = object.member(name);
  return found == nullptr ? kNothing : *found;
}

std::string Text(const Json& object, const char* name) {
  const Json& member = Member(object, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* name) {
  const Json& member = Member(object, name);
  return member.is_number() ? member.get<std::int64_t>() : 0;
}

double Real(const Json& object, const char* name) {
  const Json& member = Member(object, name);
  return member.is_number() ? member.get<double>() : 0;
}

bool Flag(const Json& object, const char* name) {
  const Json& member = Member(object, name);
  return member.is_boolean() && member.get<bool>();
}

std::vector<std::string> Texts(const Json& object, const char* name) {
  return ListOf<std::string>(object, name, [](const Json& each) {
    return each.is_string() ? each.get<std::string>() : std::string();
  });
}

std::vector<ColumnInfo> Columns(const Json& object, const char* name) {
  return ListOf<ColumnInfo>(object, name, [](const Json& each) {
    return ColumnInfo{.name = Text(each, "name"), .type = Text(each, "type")};
  });
}

std::vector<Change> ChangesOf(const Json& answer) {
  return ListOf<Change>(answer, "changes", [](const Json& each) {
    return Change{.action = ActionNamed(Text(each, "action")),
                  .type = TypeNamed(Text(each, "type")),
                  .name = Text(each, "name"),
                  .from_name = Text(each, "from_name"),
                  .details = Texts(each, "details")};
  });
}

IngestReport IngestReportOf(const Json& answer) {
  return {.rows = Number(answer, "rows"),
          .online_rows = Number(answer, "online_rows"),
          .ahead = Number(answer, "ahead"),
          .rejected = Number(answer, "rejected"),
          .repeated = Flag(answer, "repeated"),
          .token = Text(answer, "token"),
          .warnings = Texts(answer, "warnings")};
}

MaterializeReport MaterializeReportOf(const Json& answer) {
  using View = MaterializeReport::View;
  return {.views = ListOf<View>(answer, "views", [](const Json& each) {
            return View{.view = Text(each, "view"),
                        .rows_read = Number(each, "rows_read"),
                        .rows_written = Number(each, "rows_written"),
                        .files_read = Number(each, "files_read"),
                        .files_skipped = Number(each, "files_skipped"),
                        .seconds = Real(each, "seconds"),
                        .put_seconds = Real(each, "put_seconds"),
                        .warnings = Texts(each, "warnings")};
          })};
}

BackfillReport BackfillReportOf(const Json& answer) {
  return {.start_us = Number(answer, "start_us"),
          .end_us = Number(answer, "end_us"),
          .ranges = Number(answer, "ranges"),
          .ranges_before = Number(answer, "ranges_before"),
          .rows = Number(answer, "rows"),
          .deletions = Number(answer, "deletions"),
          .online_rows = Number(answer, "online_rows"),
          .warnings = Texts(answer, "warnings")};
}

FlushReport FlushReportOf(const Json& answer) {
  using Table = FlushReport::Table;
  return {.tables = ListOf<Table>(answer, "tables", [](const Json& each) {
            return Table{.view = Text(each, "view"),
                         .rows = Number(each, "rows"),
                         .snapshot_id = Number(each, "snapshot_id")};
          })};
}

CompactReport CompactReportOf(const Json& answer) {
  using Table = CompactReport::Table;
  return {.tables = ListOf<Table>(answer, "tables", [](const Json& each) {
            return Table{.view = Text(each, "view"),
                         .files_before = Number(each, "files_before"),
                         .files_after = Number(each, "files_after"),
                         .rows = Number(each, "rows"),
                         .bytes = Number(each, "bytes")};
          })};
}

ExpireSnapshotsReport ExpireSnapshotsReportOf(const Json& answer) {
  using Table = ExpireSnapshotsReport::Table;
  return {.tables = ListOf<Table>(answer, "tables", [](const Json& each) {
            return Table{.view = Text(each, "view"),
                         .snapshots = Number(each, "snapshots"),
                         .files = Number(each, "files"),
                         .bytes = Number(each, "bytes"),
                         .being_read = Number(each, "being_read")};
          })};
}

void SetReading(Json& object, const TableReadOptions& reading) {
  Set(object, "as_of", reading.as_of_us);
  Set(object, "snapshot_id", reading.snapshot_id);
  Set(object, "at_least", reading.at_least);
}

Result<void> SetSelection(Json& object, const std::vector<std::string>& features, const std::string& service,
                          const std::string& selection) {
  if (!features.empty()) object["features"] = features;
  Set(object, "service", service);
  if (selection.empty()) return {};
  TM_ASSIGN(object["selection"], ParseJson(selection, {.depth_max = kDepthMax}));
  return {};
}

}  // namespace tidemark::remote
