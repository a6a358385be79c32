// What the stores of a server are like, as metrics for Prometheus.
#pragma once

#include <string>

#include "server/catalog/services.h"
#include "server/ops/stream_lags.h"

namespace tidemark::server {

/// Appends sizes, log tails, compaction and freshness of every project of the server. A store that cannot be
/// looked at has `tidemark_store_readable` 0 and nothing else.
void AppendStoreMetrics(Services& services, const StreamLags& lags, std::string& out);

/// Appends what the processes of Python functions have counted.
void AppendPythonMetrics(const PythonWorkers& workers, std::string& out);

}  // namespace tidemark::server
