// Feast's Python feature server, for programs and clients that were written for it (feast 0.67).
//
//   POST /get-online-features                     online_features.h
//   POST /push, /write-to-online-store            writes.h
//   POST /materialize, /materialize-incremental   materializations.h
//   POST /search, /retrieve-online-documents, /v1/vector_stores...   as one without a vector store answers
//
// GET /health is everybody's (server/ops).
#pragma once

#include <memory>

#include "server/catalog/services.h"
#include "server/http/route.h"
#include "server/http/settings.h"

namespace tidemark::server {

/// `services` outlives it.
std::shared_ptr<http::Dialect> MakeFeastDialect(Services& services, const http::Limits& limits);

}  // namespace tidemark::server
