// Who asks, by the API keys of a store: `Authorization: Bearer`, `x-api-key`, or an AWS signature.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "server/http/access.h"
#include "tidemark/keys.h"

namespace tidemark::server {

/// Whether requests need a key.
enum class KeyDemand : std::uint8_t {
  kWhenThereAre,  // as soon as the store has one, be it revoked or past its end
  kAlways,
  kNever,
};

/// What it needs, and how often it looks whether keys have changed.
struct KeyAuthenticatorParts {
  std::unique_ptr<ApiKeys> keys;
  KeyDemand demand = KeyDemand::kWhenThereAre;
  std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
  std::chrono::milliseconds refresh_every{400};
};

/// Reads the keys and keeps them in memory, with the secrets that they are compared with; what another
/// process creates or revokes is seen within `refresh_every` and the time to read it. Asking takes no lock.
/// While keys cannot be read, those that were read last count, and standard error says so.
class KeyAuthenticator : public http::Authenticator {
 public:
  static Result<std::shared_ptr<KeyAuthenticator>> Make(KeyAuthenticatorParts parts);

  /// Whether a request needs a key now.
  virtual bool demands_keys() const = 0;
  /// Looks whether keys have changed, at once. Errors as of ApiKeys.
  virtual Result<void> Refresh() = 0;
};

}  // namespace tidemark::server
