// The server as a whole: one store's folder, all dialects, one port.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "server/http/settings.h"
#include "tidemark/store.h"

namespace tidemark::server {

struct ServeOptions {
  StoreOptions store;
  http::ServerSettings http;
};

/// A server that is up. Its destructor cuts off what is being answered.
class RunningServer {
 public:
  virtual ~RunningServer() = default;
  virtual std::uint16_t port() const = 0;
  /// Drains (http/server.h). True if nothing had to be cut off.
  virtual bool Stop() = 0;
};

/// Opens the store and listens. Errors as of Store::Open and http::Server::Start.
Result<std::unique_ptr<RunningServer>> Serve(const ServeOptions& options);

}  // namespace tidemark::server
