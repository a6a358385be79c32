// Who may do what: scopes of routes and keys, and how the server learns who is asking.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

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
};

/// "open", "read", "write", "admin".
std::string_view NameOf(Scope scope);

/// Who asks. Without keys (an embedded or loopback server) everybody may do everything.
struct Caller {
  std::string key_id = {};                      // empty: nobody in particular
  std::map<std::string, unsigned> scopes = {};  // project ("*": any) -> Scope bits
  bool unlimited = false;                       // no keys are asked for

  bool Allows(Scope scope, std::string_view project) const;
  /// The one project that this key is about; empty if it is about several or all.
  std::string_view only_project() const;
};

/// Finds out who asks. Thread safe; called for every request, so it must be fast.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// The caller by `Authorization: Bearer`, `x-api-key` or an AWS signature. kPermissionDenied with what is
  /// missing or wrong, never with the secret; the request's body is whole where there is one.
  virtual Result<Caller> Identify(const Request& request) const = 0;
};

/// The one of a server without keys: whoever asks may do everything.
std::shared_ptr<const Authenticator> NoKeys();

}  // namespace tidemark::http
