// Member by member, in the order of the structs.
#include "server/v1/reports.h"

#include "server/v1/json_object.h"

namespace tidemark::server {
namespace {

JsonObject& Add(JsonObject& object, const IngestReport& report) {
  return object.Number("rows", report.rows)
      .Number("online_rows", report.online_rows)
      .Number("ahead", report.ahead)
      .Number("rejected", report.rejected)
      .Flag("repeated", report.repeated)
      .Text("token", report.token)
      .Texts("warnings", report.warnings);
}

}  // namespace

std::string ToJson(const std::vector<Change>& changes) {
  const std::string list = JsonList(changes, [](const Change& change) {
    return JsonObject()
        .Text("action", NameOf(change.action))
        .Text("type", NameOf(change.type))
        .Text("name", change.name)
        .Text("from_name", change.from_name)
        .Texts("details", change.details)
        .End();
  });
  return JsonObject().Json("changes", list).End();
}

std::string ToJson(const IngestReport& report) {
  JsonObject object;
  return Add(object, report).End();
}

std::string ToJson(const std::vector<std::pair<std::string, IngestReport>>& reports) {
  const std::string list = JsonList(reports, [](const auto& report) {
    JsonObject object;
    object.Text("view", report.first);
    return Add(object, report.second).End();
  });
  return JsonObject().Json("views", list).End();
}

std::string ToJson(const OnlineWriteReport& report) {
  return JsonObject().Number("written", report.written).Number("kept", report.kept).End();
}

std::string ToJson(const HistoricalReport& report) {
  return JsonObject().Number("rows", report.rows).Texts("warnings", report.warnings).End();
}

std::string ToJson(const MaterializeReport& report) {
  const std::string list = JsonList(report.views, [](const MaterializeReport::View& view) {
    return JsonObject()
        .Text("view", view.view)
        .Number("rows_read", view.rows_read)
        .Number("rows_written", view.rows_written)
        .Number("files_read", view.files_read)
        .Number("files_skipped", view.files_skipped)
        .Real("seconds", view.seconds)
        .Real("put_seconds", view.put_seconds)
        .Texts("warnings", view.warnings)
        .End();
  });
  return JsonObject().Json("views", list).End();
}

std::string ToJson(const BackfillReport& report) {
  return JsonObject()
      .Number("start_us", report.start_us)
      .Number("end_us", report.end_us)
      .Number("ranges", report.ranges)
      .Number("ranges_before", report.ranges_before)
      .Number("rows", report.rows)
      .Number("deletions", report.deletions)
      .Number("online_rows", report.online_rows)
      .Texts("warnings", report.warnings)
      .End();
}

std::string ToJson(const FlushReport& report) {
  const std::string list = JsonList(report.tables, [](const FlushReport::Table& table) {
    return JsonObject()
        .Text("view", table.view)
        .Number("rows", table.rows)
        .Number("snapshot_id", table.snapshot_id)
        .End();
  });
  return JsonObject().Json("tables", list).End();
}

std::string ToJson(const CompactReport& report) {
  const std::string list = JsonList(report.tables, [](const CompactReport::Table& table) {
    return JsonObject()
        .Text("view", table.view)
        .Number("files_before", table.files_before)
        .Number("files_after", table.files_after)
        .Number("rows", table.rows)
        .Number("bytes", table.bytes)
        .End();
  });
  return JsonObject().Json("tables", list).End();
}

std::string ToJson(const ExpireSnapshotsReport& report) {
  const std::string list = JsonList(report.tables, [](const ExpireSnapshotsReport::Table& table) {
    return JsonObject()
        .Text("view", table.view)
        .Number("snapshots", table.snapshots)
        .Number("files", table.files)
        .Number("bytes", table.bytes)
        .Number("being_read", table.being_read)
        .End();
  });
  return JsonObject().Json("tables", list).End();
}

std::string ToJson(const RelocateReport& report) {
  const std::string list = JsonList(report.tables, [](const RelocateReport::Table& table) {
    return JsonObject()
        .Text("table", table.table)
        .Text("from", table.from)
        .Text("to", table.to)
        .Number("snapshots", table.snapshots)
        .End();
  });
  return JsonObject().Json("tables", list).End();
}

std::string ToJson(const DumpReport& report) {
  return JsonObject()
      .Text("id", report.id)
      .Text("path", report.path.string())
      .Number("rows", report.rows)
      .Number("bytes", report.bytes)
      .End();
}

std::string ToJson(const std::vector<ColumnInfo>& columns) {
  return JsonList(columns, [](const ColumnInfo& column) {
    return JsonObject().Text("name", column.name).Text("type", column.type).End();
  });
}

std::string ToJson(const Error& error, std::string_view request_id) {
  JsonObject object;
  object.Text("code", Describe(error.code).name).Text("message", error.message);
  if (!error.context.empty()) object.Text("context", error.context);
  if (!request_id.empty()) object.Text("request_id", request_id);
  return object.End();
}

}  // namespace tidemark::server
