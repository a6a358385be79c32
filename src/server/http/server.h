// The HTTP server: threads, connections, limits and draining around the routes of the dialects.
//
// One thread per core, each with an event loop, a listening socket of its own (SO_REUSEPORT) and its
// connections. Handlers that are quick run there; the others on worker threads, which may wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/http/access.h"
#include "server/http/metrics.h"
#include "server/http/route.h"
#include "server/http/settings.h"

namespace tidemark::http {

class Server {
 public:
  /// Binds and listens, and begins to serve. kInvalidArgument
  /// for an address or certificate that is none, kAlreadyExists if the port is taken, kInvalidArgument naming
  /// both dialects if two have one route.
  static Result<std::unique_ptr<Server>> Start(ServerSettings settings,
                                               std::vector<std::shared_ptr<Dialect>> dialects,
                                               std::shared_ptr<const Authenticator> authenticator,
                                               std::shared_ptr<Metrics> metrics);
  virtual ~Server() = default;  ///< as Stop, but cuts off what is being answered

  virtual std::uint16_t port() const = 0;
  /// Takes no more connections, answers what has arrived, tells clients that the connection closes, and
  /// returns when all are gone or the time to drain is over; then the rest is cut off. True if none was.
  virtual bool Stop() = 0;
};

}  // namespace tidemark::http
