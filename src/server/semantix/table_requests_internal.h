// Making, listing and removing tables.
#pragma once

#include "base/result.h"
#include "server/catalog/services.h"
#include "server/http/message.h"
#include "server/http/settings.h"

namespace tidemark::server {

/// Thread safe.
class TableRequests {
 public:
  TableRequests(Services& services, const http::Limits& limits) : services_(services), limits_(limits) {}

  Result<void> Create(const http::Request& request, http::Response& response);
  Result<void> List(const http::Request& request, http::Response& response);
  Result<void> Delete(const http::Request& request, http::Response& response);

 private:
  Services& services_;
  const http::Limits limits_;
};

}  // namespace tidemark::server
