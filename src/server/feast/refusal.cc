// JSON within JSON.
#include "server/feast/refusal.h"

#include <fmt/format.h>

#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

std::string ClassBody(std::string_view name, std::string_view message) {
  std::string inner = R"({"module": "feast.errors", "class": )";
  json::AppendText(inner, name);
  inner.append(", \"message\": ");
  json::AppendText(inner, message);
  inner.push_back('}');
  std::string body;
  json::AppendText(body, inner);
  return body;
}

std::string TextBody(std::string_view message) {
  std::string body;
  json::AppendText(body, message);
  return body;
}

}  // namespace

Refusal::Refusal(const Error& error) : status(Describe(error.code).http_status) {
  const std::string message = error.ToString();
  body = error.code == ErrorCode::kPermissionDenied ? ClassBody("FeastPermissionError", message)
                                                    : TextBody(message);
}

std::unexpected<Refusal> RefuseAs(int status, std::string_view name, std::string_view message) {
  return std::unexpected(Refusal(status, ClassBody(name, message)));
}

std::unexpected<Refusal> Refuse(int status, std::string_view message) {
  return std::unexpected(Refusal(status, TextBody(message)));
}

std::unexpected<Refusal> NoSuchView(std::string_view view, std::string_view project) {
  return RefuseAs(404, "FeatureViewNotFoundException",
                  fmt::format("Feature view {} does not exist in project {}", view, project));
}

std::unexpected<Refusal> NoSuchService(std::string_view service, std::string_view project) {
  return RefuseAs(404, "FeatureServiceNotFoundException",
                  fmt::format("Feature service {} does not exist in project {}", service, project));
}

Refusal NoSuchRoute(int status, std::string_view text) {
  std::string body = "{\"detail\":";
  json::AppendText(body, text);
  body.push_back('}');
  return {status, std::move(body)};
}

void Send(const Refusal& refusal, http::Response& response) {
  response.status = refusal.status;
  response.body = refusal.body;
}

}  // namespace tidemark::server::feast
