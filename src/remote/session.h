// What the parts of a remote store share: the server, the project, and the few ways in which it is asked.
#pragma once

#include <arrow/record_batch.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "model/type.h"
#include "remote/http_client.h"
#include "remote/url.h"
#include "tidemark/store.h"

namespace tidemark::remote {

/// Files of this machine: how wiring reads and writes them.
struct LocalFiles {
  /// Rows of a Parquet or CSV file; columns of CSV that are in the map are read as those types.
  std::function<Result<std::shared_ptr<arrow::RecordBatchReader>>(
      const std::filesystem::path&, const std::map<std::string, DataType>&, const std::stop_token&)>
      open;
  /// Writes rows to a Parquet or CSV file, whole or not at all; how many there were.
  std::function<Result<std::int64_t>(arrow::RecordBatchReader&, const std::filesystem::path&)> write;
  /// Whether a file is CSV.
  std::function<bool(const std::filesystem::path&)> is_csv;
};

/// Thread safe.
struct Session {
  std::shared_ptr<HttpClient> client;
  LocalFiles files;
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

  Result<Definitions> ReadDefinitions() const;
};

/// Rows that a caller gave, read as what is known of their columns, which `types` tells if it is asked.
Result<std::shared_ptr<arrow::RecordBatchReader>> OpenGiven(
    const Session& session, const EntityRows& rows,
    const std::function<Result<std::map<std::string, DataType>>()>& types, const std::stop_token& stop);

/// Types of the columns that rows for a view have: join keys, features, times; for a push source, those of
/// all its views.
Result<std::map<std::string, DataType>> WriteTypes(const Session& session, std::string_view view_or_source);
/// Types of the join keys of what a request asks for, by the columns of the entity rows.
Result<std::map<std::string, DataType>> KeyTypes(const Session& session,
                                                 const std::vector<std::string>& features,
                                                 const std::string& service, const std::string& selection);

}  // namespace tidemark::remote
