// Arrow Flight: bulk reads and writes of a store, for our own clients and for Feast's offline store client.
//
// It lives in a shared object of its own, libtidemark_flight.so, that is loaded when a Flight port is asked
// for (server/flight_library.h): nothing else of the program pays for gRPC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/catalog/services.h"
#include "server/http/access.h"
#include "server/http/settings.h"

namespace tidemark::server {

struct FlightSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8815;   // 0: any that is free
  http::TlsSettings tls = {};  // as the HTTP port's, but read once: gRPC takes them when it starts
  /// Of these count: stream_bytes_max for what one call sends, memory_bytes_max for entity rows that wait in
  /// memory (a quarter of it, beyond that in an unnamed file), drain_time_max.
  http::Limits limits = {};
  std::size_t calls_max = 64;  // being answered at once; beyond: unavailable
};

/// A server that is up. Its destructor stops it, if Stop has not.
class FlightServer {
 public:
  virtual ~FlightServer() = default;
  virtual std::uint16_t port() const = 0;
  /// Takes no more calls, answers those that are there, and returns when they are over; what takes longer
  /// than the time to drain is cut off. True if nothing was.
  virtual bool Stop() = 0;
};

/// Listens and serves. kInvalidArgument for an address or certificate that is none, kAlreadyExists if the
/// port is taken. `services` outlives the server.
Result<std::unique_ptr<FlightServer>> StartFlight(const FlightSettings& settings, Services& services,
                                                  std::shared_ptr<const http::Authenticator> authenticator);

}  // namespace tidemark::server
