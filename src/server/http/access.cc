// Scopes, and the authenticator of a server without keys.
#include "server/http/access.h"

#include <fmt/format.h>

namespace tidemark::http {
namespace {

class Everybody final : public Authenticator {
 public:
  Result<Caller> Identify(const Request& /*request*/) const override { return Caller{.unlimited = true}; }
  Result<Caller> IdentifyKey(std::string_view /*key*/) const override { return Caller{.unlimited = true}; }
};

}  // namespace

std::string_view NameOf(Scope scope) {
  switch (scope) {
    case Scope::kOpen:
      return "open";
    case Scope::kRead:
      return "read";
    case Scope::kWrite:
      return "write";
    case Scope::kAdmin:
      return "admin";
    case Scope::kAny:
      return "any";
  }
  return "open";
}

bool Caller::Allows(Scope scope, std::string_view project) const {
  const auto asked = static_cast<unsigned>(scope);
  if (unlimited || asked == 0) return true;
  if (grant == nullptr) return false;
  for (const std::string_view key : {project, std::string_view("*")}) {
    const auto granted = grant->scopes.find(key);
    if (scope == Scope::kAny && granted != grant->scopes.end() && granted->second != 0) return true;
    if (granted != grant->scopes.end() && (granted->second & asked) == asked) return true;
  }
  return false;
}

std::string_view Caller::only_project() const {
  if (grant == nullptr || grant->scopes.size() != 1 || grant->scopes.begin()->first == "*") return {};
  return grant->scopes.begin()->first;
}

Result<void> CheckReadsAll(const Caller& caller, const std::vector<std::string>& projects,
                           std::string_view what) {
  for (const std::string& project : projects) {
    if (caller.Allows(Scope::kRead, project)) continue;
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("{} see the tables of all projects of the store: this needs a key that may read "
                            "all of them",
                            what));
  }
  return {};
}

std::shared_ptr<const Authenticator> NoKeys() {
  return std::make_shared<const Everybody>();
}

}  // namespace tidemark::http
