// Rows go as one Arrow IPC stream, made while it is sent.
#include "remote/remote_writes.h"

#include <fmt/format.h>

#include <random>

#include "pit/stream_export.h"
#include "remote/answer_json.h"
#include "remote/arrow_bodies.h"

namespace tidemark::remote {
namespace {

std::string NewIdempotencyKey() {
  std::random_device random;
  return fmt::format("tm-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::string_view NameOf(WriteTarget to) {
  switch (to) {
    case WriteTarget::kOnline:
      return "online";
    case WriteTarget::kOffline:
      return "offline";
    case WriteTarget::kBoth:
      return "online_and_offline";
    case WriteTarget::kUsual:
      break;
  }
  return {};
}

/// One write of rows: its body, and what makes it safe to send again.
class Write {
 public:
  Write(const Session& session, Target target, const IngestOptions& options)
      : session_(session), options_(options), is_own_key_(options.idempotency_key.empty()) {
    target.Set("to", NameOf(options.to))
        .Flag("dry_run", options.dry_run)
        .Flag("skip_bad_rows", options.skip_bad_rows)
        .Flag("reads_text", options.reads_text)
        .Flag("ignore_other_columns", options.ignore_other_columns);
    request_.method = "POST";
    request_.target = target.text();
    request_.stop = options.stop;
    request_.content_type = kArrowStream;
    request_.effect = options.dry_run ? Effect::kNone : Effect::kRepeatable;
    if (!options.dry_run) {
      request_.idempotency_key = is_own_key_ ? NewIdempotencyKey() : options.idempotency_key;
    }
  }

  Request& request() { return request_; }

  Result<void> Give(const EntityRows& rows) {
    TM_ASSIGN(rows_, TakeRows(rows, {}, options_.progress));
    request_.stream = rows_.body.get();
    request_.content_type = rows_.content_type;
    return {};
  }

  Result<std::string> Send() { return session_.client->Call(request_); }

  /// A write that was sent again by us is no repetition to the caller.
  void Settle(IngestReport& report) const {
    if (!report.repeated || !is_own_key_) return;
    report.repeated = false;
    if (rows_.stream != nullptr && !options_.skip_bad_rows) report.rows = rows_.stream->rows();
    report.warnings.emplace_back(
        "the answer to the write was lost, and it was sent again: its rows are there once, but how many of "
        "them came online is not told");
  }

 private:
  const Session& session_;
  const IngestOptions& options_;
  const bool is_own_key_;
  Request request_;
  GivenRows rows_;
};

Result<IngestReport> SendForReport(const Session& session, Write& write) {
  TM_ASSIGN(const std::string body, write.Send());
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  IngestReport report = IngestReportOf(answer);
  write.Settle(report);
  return report;
}

}  // namespace

Result<IngestReport> Ingest(const Session& session, std::string_view view, const EntityRows& rows,
                            const IngestOptions& options, ArrowArrayStream* rejected) {
  const bool wants_rejected = rejected != nullptr && options.skip_bad_rows;
  Write write(session, session.Path({"views", view, "ingest"}).Flag("rejected_rows", wants_rejected),
              options);
  TM_TRY(write.Give(rows));
  if (!wants_rejected) return SendForReport(session, write);
  write.request().accept = kArrowStream;
  TM_ASSIGN(std::string body, write.Send());
  std::string told;
  TM_ASSIGN(const auto table, ReadTable(std::move(body), [&told](const std::string& text) { told = text; }));
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), told));
  IngestReport report = IngestReportOf(answer);
  write.Settle(report);
  if (table->num_rows() > 0) {
    // A reader refers to the table that it reads.
    const auto reader = std::shared_ptr<arrow::TableBatchReader>(
        new arrow::TableBatchReader(*table), [table](arrow::TableBatchReader* owned) { delete owned; });
    ExportStream(reader, {}, rejected);
  }
  return report;
}

Result<IngestReport> Delete(const Session& session, std::string_view view, const EntityRows& rows,
                            std::optional<std::int64_t> event_us, const IngestOptions& options) {
  Target target = session.Path({"views", view, "delete"});
  if (event_us) target.Add("event_time", std::to_string(*event_us));
  Write write(session, std::move(target), options);
  TM_TRY(write.Give(rows));
  return SendForReport(session, write);
}

Result<std::vector<std::pair<std::string, IngestReport>>> Push(const Session& session,
                                                               std::string_view source,
                                                               const EntityRows& rows,
                                                               const IngestOptions& options) {
  Write write(session, session.Path({"push", source}), options);
  TM_TRY(write.Give(rows));
  TM_ASSIGN(const std::string body, write.Send());
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  std::vector<std::pair<std::string, IngestReport>> reports;
  for (const Json& each : Member(answer, "views")) {
    IngestReport report = IngestReportOf(each);
    write.Settle(report);
    reports.emplace_back(Text(each, "view"), std::move(report));
  }
  return reports;
}

Result<OnlineWriteReport> WriteOnline(const Session& session, std::string_view view, ArrowArrayStream* rows) {
  const IngestOptions options;
  Write write(session, session.Path({"views", view, "write-online"}), options);
  write.request().idempotency_key.clear();  // merging rows twice is merging them once
  TM_TRY(write.Give({.stream = rows, .path = {}}));
  TM_ASSIGN(const std::string body, write.Send());
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  return OnlineWriteReport{.written = Number(answer, "written"), .kept = Number(answer, "kept")};
}

Result<std::string> Erase(const Session& session, std::string_view view, const EntityRows& keys,
                          const WorkOptions& work) {
  IngestOptions options;
  options.stop = work.stop;
  Write write(session, session.Path({"views", view, "erase"}), options);
  write.request().idempotency_key.clear();  // erasing again completes what was begun
  TM_TRY(write.Give(keys));
  return write.Send();
}

}  // namespace tidemark::remote
