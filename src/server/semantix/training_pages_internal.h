// Rows of a period, by event time, in pages.
//
// A client asks for the first page and then for the others, ten at a time. What the first one found is kept
// for them, sorted, so that they are cut from one state of the table and cost no reading; a page that is
// asked for later than that reads the table again.
#pragma once

#include <arrow/table.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/catalog/services.h"
#include "server/http/message.h"
#include "server/http/settings.h"

namespace tidemark::server {

/// Thread safe.
class TrainingPages {
 public:
  TrainingPages(Services& services, const http::Limits& limits) : services_(services), limits_(limits) {}

  Result<void> Answer(const http::Request& request, http::Response& response);

 private:
  /// Rows in the order of their event times.
  struct Rows {
    std::shared_ptr<arrow::RecordBatch> batch;
    std::vector<std::int64_t> order;
  };
  struct Kept {
    std::string place;  // project, table and all of the request but the page
    std::shared_ptr<const Rows> rows;
    std::int64_t bytes = 0;
    std::chrono::steady_clock::time_point until;
  };

  static std::shared_ptr<const Rows> NoRows(const std::vector<std::string>& columns);
  Result<std::shared_ptr<const Rows>> Read(const http::Request& request, Store& store,
                                           const KnownView& view) const;
  std::shared_ptr<const Rows> Find(const std::string& place);
  void Keep(const std::string& place, const std::shared_ptr<const Rows>& rows);

  Services& services_;
  const http::Limits limits_;
  std::mutex mutex_;      // guards kept_
  std::list<Kept> kept_;  // newest first
};

}  // namespace tidemark::server
