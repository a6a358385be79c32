// Loads Arrow Flight when it is asked for.
#pragma once

#include <memory>

#include "base/result.h"
#include "server/flight/flight_server.h"

namespace tidemark::server {

/// StartFlight, in libtidemark_flight.so beside libtidemark.so, which is loaded by the first call and stays.
/// Errors as of StartFlight; kNotFound if the library is not there or of another version.
Result<std::unique_ptr<FlightServer>> LoadAndStartFlight(
    const FlightSettings& settings, Services& services,
    const std::shared_ptr<const http::Authenticator>& authenticator);

}  // namespace tidemark::server
