// The entry points of libtidemark_flight.so, which the program looks up by name.
#pragma once

#include <memory>

#include "base/result.h"
#include "server/flight/flight_server.h"

namespace tidemark::server {

/// "tidemark_flight_version": of which Tidemark it is a part. Another one's is not to be started.
using FlightVersion = const char*();
/// "tidemark_flight_start": StartFlight.
using FlightStart = void(const FlightSettings& settings, Services& services,
                         const std::shared_ptr<const http::Authenticator>& authenticator,
                         Result<std::unique_ptr<FlightServer>>& out);

}  // namespace tidemark::server
