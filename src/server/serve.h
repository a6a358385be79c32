// The server as a whole: one store's folder, all dialects, one port.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "server/serve_settings.h"
#include "tidemark/store.h"

namespace tidemark::server {

struct ServeOptions {
  StoreOptions store;
  ServeSettings settings;
};

/// A server that is up. Its destructor cuts off what is being answered.
class RunningServer {
 public:
  virtual ~RunningServer() = default;
  virtual std::uint16_t port() const = 0;
  /// Of Arrow Flight; nothing if it was not asked for.
  virtual std::optional<std::uint16_t> flight_port() const = 0;
  /// Whether requests need a key now.
  virtual bool demands_keys() const = 0;
  /// Drains (http/server.h). True if nothing had to be cut off.
  virtual bool Stop() = 0;
};

/// Opens the store and listens. Errors as of Store::Open, ApiKeys::Open, http::Server::Start and StartFlight;
/// kInvalidArgument if other machines could ask without a key, and nobody said that they may.
Result<std::unique_ptr<RunningServer>> Serve(const ServeOptions& options);

}  // namespace tidemark::server
