// Tidemark's own API over HTTP: docs/http-api.md.
#pragma once

#include <memory>

#include "server/catalog/services.h"
#include "server/http/route.h"
#include "server/http/settings.h"

namespace tidemark::server {

/// Claims what is under /v1. `services` outlives it.
std::shared_ptr<http::Dialect> MakeV1Dialect(Services& services, const http::Limits& limits);

}  // namespace tidemark::server
