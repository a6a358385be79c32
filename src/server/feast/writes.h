// POST /push and /write-to-online-store. Both answer when the rows are durable and can be looked up.
#pragma once

#include "server/catalog/services.h"
#include "server/feast/refusal.h"
#include "server/http/message.h"
#include "server/http/settings.h"

namespace tidemark::server::feast {

/// Thread safe.
class Writes {
 public:
  Writes(Services& services, const http::Limits& limits) : services_(services), limits_(limits) {}

  /// To every view with the push source, online, offline, or both. An empty answer.
  Answer<void> Push(const http::Request& request, http::Response& response);
  /// To one view, online only. Answers null.
  Answer<void> WriteOnline(const http::Request& request, http::Response& response);

 private:
  Services& services_;
  const http::Limits limits_;
};

}  // namespace tidemark::server::feast
