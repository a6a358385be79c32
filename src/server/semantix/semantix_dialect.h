// The dialect of the Semantix ML Hub SDK (README.md).
#pragma once

#include <memory>

#include "server/catalog/services.h"
#include "server/http/route.h"
#include "server/http/settings.h"

namespace tidemark::server {

/// `services` outlives it.
std::shared_ptr<http::Dialect> MakeSemantixDialect(Services& services, const http::Limits& limits);

}  // namespace tidemark::server
