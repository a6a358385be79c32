// Exported by C names, for dlsym.
#include "server/flight/plugin.h"

extern "C" {

[[gnu::visibility("default")]] const char* tidemark_flight_version() {
  return TIDEMARK_VERSION;
}

[[gnu::visibility("default")]] void tidemark_flight_start(
    const tidemark::server::FlightSettings& settings, tidemark::server::Services& services,
    const std::shared_ptr<const tidemark::http::Authenticator>& authenticator,
    tidemark::Result<std::unique_ptr<tidemark::server::FlightServer>>& out) {
  out = tidemark::server::StartFlight(settings, services, authenticator);
}

}  // extern "C"
