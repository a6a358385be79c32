// POST /get-online-features.
#pragma once

#include "server/catalog/services.h"
#include "server/feast/lookup_cache.h"
#include "server/feast/refusal.h"
#include "server/http/message.h"
#include "server/http/settings.h"

namespace tidemark::server::feast {

/// Answers on the connection's own thread what is prepared and small; the rest asks for a worker. Thread
/// safe.
class OnlineFeatures {
 public:
  OnlineFeatures(Services& services, const http::Limits& limits) : limits_(limits), cache_(services) {}

  void Respond(const http::Request& request, http::Response& response);

 private:
  struct Scratch;

  /// `is_plain`: the body was normalized before.
  Answer<void> Run(const http::Request& request, http::Response& response, Scratch& scratch, bool is_plain);
  Answer<void> RunCarefully(const http::Request& request, http::Response& response, Scratch& scratch);

  const http::Limits limits_;
  LookupCache cache_;
};

}  // namespace tidemark::server::feast
