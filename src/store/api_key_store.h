// Where API keys are kept. What a key is: include/tidemark/keys.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tidemark/keys.h"

namespace tidemark {

/// A key as it is kept: with a hash of its secret, never with the secret.
struct StoredApiKey {
  ApiKey key;
  std::string secret_hash;  // SHA-256 in hexadecimal digits
  bool operator==(const StoredApiKey&) const = default;
};

/// Thread safe; several processes may use one. Errors as of Registry.
class ApiKeyStore {
 public:
  virtual ~ApiKeyStore() = default;

  /// kAlreadyExists for an id that is there.
  virtual Result<void> Add(const StoredApiKey& key) = 0;
  /// Oldest first.
  virtual Result<std::vector<StoredApiKey>> List() const = 0;
  virtual Result<std::optional<StoredApiKey>> Get(std::string_view id) const = 0;
  /// False if it was revoked before; kNotFound.
  virtual Result<bool> Revoke(std::string_view id, std::int64_t now_us) = 0;
  /// Changes whenever a key may have, by any process; cheap. It is this object's own count.
  virtual Result<std::int64_t> Revision() const = 0;
};

}  // namespace tidemark
