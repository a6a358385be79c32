// What whoever runs the server asks of it: whether it is alive and ready, and what it has counted.
//
//   GET /health         200 while it answers and its definitions can be read, or else 503
//   GET /health/live    200 while it answers at all
//   GET /health/ready   as /health; 503 too once the server drains
//   GET /metrics        the text format of Prometheus
#pragma once

#include <atomic>
#include <memory>

#include "server/catalog/services.h"
#include "server/http/metrics.h"
#include "server/http/route.h"

namespace tidemark::server {

/// Claims what no other dialect claims, so it goes last. `services` outlives it.
std::shared_ptr<http::Dialect> MakeOpsDialect(Services& services, std::shared_ptr<http::Metrics> metrics,
                                              const std::atomic<bool>& draining);

}  // namespace tidemark::server
