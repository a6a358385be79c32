// Requests that need no more than a target and a body.
#include "remote/session.h"

#include <utility>

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

}  // namespace tidemark::remote
