// Requests that need no more than a target and a body.
#include "remote/session.h"

#include <arrow/c/bridge.h>

#include <utility>

#include "model/definition_json.h"
#include "pit/arrow_status.h"
#include "remote/answer_json_internal.h"
#include "remote/arrow_bodies.h"

namespace tidemark::remote {

Target Session::Path(std::initializer_list<std::string_view> parts) const {
  Target target("/v1/projects");
  target.Segment(project);
  for (const std::string_view part : parts)
    target.Segment(part);
  return target;
}

Result<std::string> Session::Get(const Target& target, const std::stop_token& stop) const {
  Request request{.target = target.text()};
  request.stop = stop;
  return client->Call(request);
}

Result<std::string> Session::Post(const Target& target, Effect effect, std::string body,
                                  const std::stop_token& stop) const {
  Request request{.method = "POST", .target = target.text(), .effect = effect};
  request.body = std::move(body);
  request.stop = stop;
  return client->Call(request);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> Session::Rows(
    Request& request, std::function<void(const std::string& report)> on_report) const {
  request.accept = kArrowStream;
  TM_ASSIGN(auto answer, client->Open(request));
  return ReadRows(std::move(answer), std::move(on_report));
}

Result<Definitions> Session::ReadDefinitions() const {
  TM_ASSIGN(const std::string body, Get(Path({"definitions"})));
  TM_ASSIGN(const Json answer, ParseAnswer(url(), body));
  return DefinitionsFromJson(TextOf(Member(answer, "definitions")));
}

Result<std::shared_ptr<arrow::RecordBatchReader>> OpenGiven(
    const Session& session, const EntityRows& rows,
    const std::function<Result<std::map<std::string, DataType>>()>& types, const std::stop_token& stop) {
  std::shared_ptr<arrow::RecordBatchReader> reader;
  if (rows.stream != nullptr && rows.stream->release != nullptr) {
    TM_ASSIGN(reader, FromArrowResult(arrow::ImportRecordBatchReader(rows.stream)));
  } else if (rows.stream != nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
  }
  if ((rows.stream == nullptr) == rows.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "rows come as a stream or from a file: give exactly one");
  }
  if (reader != nullptr) return reader;
  std::map<std::string, DataType> known;
  if (session.files.is_csv(rows.path)) {
    TM_ASSIGN(known, types());
  }
  return session.files.open(rows.path, known, stop);
}

}  // namespace tidemark::remote
