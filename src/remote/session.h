// What the parts of a remote store share: the server, the project, and the few ways in which it is asked.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "remote/http_client.h"
#include "remote/url.h"
#include "tidemark/store.h"

namespace tidemark::remote {

/// Writes rows to a Parquet or CSV file of this machine, whole or not at all; how many there were.
using WriteFile =
    std::function<Result<std::int64_t>(arrow::RecordBatchReader& rows, const std::filesystem::path& path)>;

/// Thread safe.
struct Session {
  std::shared_ptr<HttpClient> client;
  WriteFile write_file;
  std::string project;

  /// "/v1/projects/<project>" and the parts behind it.
  Target Path(std::initializer_list<std::string_view> parts) const;
  const std::string& url() const { return client->url().text; }

  /// The body of an answer in JSON, as text.
  Result<std::string> Get(const Target& target, const std::stop_token& stop = {}) const;
  Result<std::string> Post(const Target& target, Effect effect, std::string body,
                           const std::stop_token& stop = {}) const;
  /// Rows that answer a request.
  Result<std::shared_ptr<arrow::RecordBatchReader>> Rows(
      Request& request, std::function<void(const std::string& report)> on_report = {}) const;
};

}  // namespace tidemark::remote
