// Headers to callers, and callers to stores.
#include "server/flight/call.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::server::flight {
namespace {

/// The text of the key that the client sends; empty: none.
std::string_view KeyOf(const arrow::flight::CallHeaders& headers) {
  constexpr std::string_view kBearer = "bearer ";
  if (const auto found = headers.find("authorization"); found != headers.end()) {
    const std::string_view value = found->second;
    const bool is_bearer = value.size() > kBearer.size() &&
                           std::ranges::equal(value.substr(0, kBearer.size()), kBearer, [](char a, char b) {
                             return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
                           });
    if (is_bearer) return value.substr(kBearer.size());
  }
  const auto found = headers.find("x-api-key");
  return found == headers.end() ? std::string_view{} : found->second;
}

}  // namespace

Result<std::unique_ptr<Call>> Call::Begin(const arrow::flight::ServerCallContext& context,
                                          Environment& environment) {
  TM_ASSIGN(http::Caller caller, environment.authenticator.IdentifyKey(KeyOf(context.incoming_headers())));
  auto watched = environment.watch.Watch([&context] { return context.is_cancelled(); });
  if (watched == nullptr) {
    return Fail(ErrorCode::kBusy,
                "the server is answering as many Flight calls as it may at once; try again later");
  }
  return std::unique_ptr<Call>(new Call(context, environment, std::move(watched), std::move(caller)));
}

Result<std::shared_ptr<Store>> Call::Open(std::string_view project, http::Scope scope) const {
  if (project.empty()) project = caller_.only_project();
  if (project.empty()) project = environment_.services.stores->default_project();
  if (!caller_.Allows(scope, project)) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("the key {} does not have the scope {} in project {}", caller_.key_id(),
                            http::NameOf(scope), project));
  }
  return environment_.services.stores->Get(project);
}

Result<void> Call::CheckReadsAll(const Store& store) const {
  if (caller_.unlimited) return {};
  TM_ASSIGN(const auto projects, store.Projects());
  return http::CheckReadsAll(caller_, projects, "queries and dumps");
}

arrow::Status Call::Failed(const Error& error) const {
  context_.AddTrailer("tidemark-error", std::string(Describe(error.code).name));
  return StatusOf(error);
}

arrow::Status Call::Failed(const FeastFailure& failure) const {
  context_.AddTrailer("tidemark-error", std::string(Describe(failure.error.code).name));
  return StatusOf(failure);
}

}  // namespace tidemark::server::flight
