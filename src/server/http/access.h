// Who may do what: scopes of routes and keys, and how the server learns who is asking.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::http {

class Request;

/// What a key allows and a route asks for. Each is granted on its own: a key that may write need not be one
/// that may read.
enum class Scope : std::uint8_t {
  kOpen = 0,   // asked for by routes that need no key: health
  kRead = 1,   // values, training sets, definitions
  kWrite = 2,  // rows
  kAdmin = 4,  // definitions, tables, keys, erasing
  kAny = 8,    // one of the three; what exactly is the route's to say
};

/// "open", "read", "write", "admin".
std::string_view NameOf(Scope scope);

/// What a key is and grants. Immutable.
struct Grant {
  std::string key_id;
  std::map<std::string, unsigned, std::less<>> scopes;  // project ("*": any) -> Scope bits
};

/// Who asks. Without keys (an embedded or loopback server) everybody may do everything.
struct Caller {
  std::shared_ptr<const Grant> grant = {};  // null: nobody in particular
  bool unlimited = false;                   // no keys are asked for

  std::string_view key_id() const { return grant ? std::string_view(grant->key_id) : std::string_view{}; }
  bool Allows(Scope scope, std::string_view project) const;
  /// The one project that this key is about; empty if it is about several or all.
  std::string_view only_project() const;
};

/// kPermissionDenied if the caller may not read one of `projects`, for `what` ("queries and dumps") that
/// tells of the tables of all of them.
Result<void> CheckReadsAll(const Caller& caller, const std::vector<std::string>& projects,
                           std::string_view what);

/// Why a caller is not known: the context of Identify's errors, so that a dialect can tell them apart.
inline constexpr std::string_view kNoCredentials = "no key";
inline constexpr std::string_view kUnknownKey = "unknown key";
inline constexpr std::string_view kWrongSignature = "wrong signature";

/// Finds out who asks. Thread safe; called for every request, so it must be fast.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// The caller by `Authorization: Bearer`, `x-api-key` or an AWS signature. kPermissionDenied with what is
  /// missing or wrong, never with the secret; the request's body is whole where there is one.
  virtual Result<Caller> Identify(const Request& request) const = 0;
  /// The caller by the text of a key alone, `<id>.<secret>`, as it stands behind "Bearer"; empty: none was
  /// sent. For protocols other than HTTP. Errors as of Identify.
  virtual Result<Caller> IdentifyKey(std::string_view key) const = 0;
};

/// The one of a server without keys: whoever asks may do everything.
std::shared_ptr<const Authenticator> NoKeys();

}  // namespace tidemark::http
