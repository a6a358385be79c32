// API keys: who may ask a store's server for what.
//
// A key is an id and a secret. Clients send `<id>.<secret>` (as `Authorization: Bearer` or `x-api-key`), or
// sign their requests as AWS clients do, with the id as access key id and the secret as secret access key.
// The secret is HMAC-SHA256 over the id, keyed by 32 random bytes in a file of the store that only its owner
// may read (.tidemark/server.key). Of a key the store keeps only a hash of the secret.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidemark/error.h"

namespace tidemark {

/// What a key may do in a project. Each is granted on its own.
enum class KeyScope : std::uint8_t {
  kRead = 1,   // values, training sets, definitions
  kWrite = 2,  // rows
  kAdmin = 4,  // definitions, tables, erasing
};

/// "read", "write", "admin".
TIDEMARK_EXPORT std::string_view NameOf(KeyScope scope);

/// Project ("*": any) -> KeyScope bits.
using KeyScopes = std::map<std::string, unsigned, std::less<>>;

struct ApiKey {
  std::string id;    // 20 capital letters and digits
  std::string name;  // what it is for; may be empty
  KeyScopes scopes;
  std::int64_t created_us = 0;
  std::optional<std::int64_t> expires_us = {};  // from then on it is not accepted
  std::optional<std::int64_t> revoked_us = {};
  bool operator==(const ApiKey&) const = default;
};

struct NewApiKey {
  ApiKey key;
  std::string secret;  // 43 characters; it is not told again
};

struct CreateKeyOptions {
  std::string name = {};  // at most 128 bytes
  KeyScopes scopes = {};  // at least one
  std::optional<std::int64_t> expires_us = {};
};

/// The keys of the store in a folder. Thread safe; any number of processes may have it open.
class TIDEMARK_EXPORT ApiKeys {
 public:
  /// Makes the store's registry if `create` and it is not there; without, kNotFound. Errors as of
  /// Store::Open.
  static Result<std::unique_ptr<ApiKeys>> Open(const std::filesystem::path& folder, bool create);
  virtual ~ApiKeys() = default;

  /// kInvalidArgument for no scope, a project that is no name, or an end in the past.
  virtual Result<NewApiKey> Create(const CreateKeyOptions& options) = 0;
  /// All keys, those that are revoked or past their end too, oldest first.
  virtual Result<std::vector<ApiKey>> List() const = 0;
  /// It is not accepted any more, by no server, within a second. False if it was revoked already; kNotFound.
  virtual Result<bool> Revoke(std::string_view id) = 0;

  /// A number that changes whenever a key may have: cheap. It means something to this object only.
  virtual Result<std::int64_t> Revision() const = 0;
  /// The secret of a key, for a server to compare with. kCorruption if it is not the one that was given out,
  /// because the file with the store's secret is gone or another: then nobody can use the key.
  virtual Result<std::string> SecretOf(std::string_view id) const = 0;
};

}  // namespace tidemark
