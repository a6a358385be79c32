// Rows in, and the newest values out.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/catalog/services.h"
#include "server/http/message.h"
#include "server/http/settings.h"
#include "tidemark/online.h"

namespace tidemark::server {

/// Thread safe.
class RowRequests {
 public:
  RowRequests(Services& services, const http::Limits& limits) : services_(services), limits_(limits) {}

  Result<void> Push(const http::Request& request, http::Response& response);
  Result<void> Online(const http::Request& request, http::Response& response);

 private:
  Result<std::shared_ptr<const OnlineReader>> Prepared(Store& store, const OnlineOptions& options);
  /// `name` is of a table, a view or a feature service.
  Result<std::shared_ptr<const OnlineReader>> PreparedByName(Store& store, const std::string& name,
                                                             const std::vector<std::string>& wanted);
  /// The table, if nothing was written to it yet; nullptr: there is none such.
  Result<const KnownView*> WaitingTable(Store& store, const std::string& table,
                                        std::shared_ptr<const KnownDefinitions>* definitions);

  Services& services_;
  const http::Limits limits_;
  std::mutex mutex_;  // guards prepared_
  std::map<std::string, std::shared_ptr<const OnlineReader>, std::less<>> prepared_;
};

}  // namespace tidemark::server
