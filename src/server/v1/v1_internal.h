// What the routes of /v1 share.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/catalog/services.h"
#include "server/http/route.h"
#include "server/http/settings.h"
#include "server/rows/body_rows.h"
#include "server/rows/row_answers.h"
#include "server/v1/jobs.h"
#include "server/v1/multipart.h"
#include "server/v1/request_options.h"

namespace tidemark::server {

struct V1 {
  Services& services;
  const http::Limits limits;
  const std::filesystem::path spool_folder;
  Jobs jobs;

  /// Of the project in the path.
  Result<std::shared_ptr<Store>> StoreOf(const http::Request& request) const;
  /// `types` are those of columns that are known.
  BodyRowsOptions RowsOptions(ColumnTypes types, RowsUse use) const;
  /// Rows of the body, as its Content-Type says.
  static Result<std::unique_ptr<BodyRows>> RowsOf(const http::Request& request,
                                                  const BodyRowsOptions& options);
  /// Does the work and answers its report; or, if the client prefers so or `always_job`, starts a job.
  Result<void> Work(const http::Request& request, http::Response& response, JobRequest job,
                    bool always_job = false);
  /// Answers the rows of a stream in the format that the client wants.
  static void Answer(const http::Request& request, http::Response& response, RowAnswer answer);
  /// kPermissionDenied for a key that may not read all projects: SQL and dumps see them all.
  Result<void> CheckReadsAll(const http::Request& request, const Store& store) const;
  /// Where the caller may name files: nothing for one who is admin of all projects, who may do so anywhere.
  std::optional<std::vector<std::filesystem::path>> SourceFolders(const http::Request& request) const;
};

/// A body of options: the document and what is asked of it. An empty body is an empty object.
class JsonRequest {
 public:
  static Result<JsonRequest> Parse(std::string_view body, const http::Limits& limits);
  RequestOptions& options() { return *options_; }
  RequestOptions* operator->() { return options_.get(); }

 private:
  std::unique_ptr<JsonDocument> document_;
  std::unique_ptr<RequestOptions> options_;
};

/// A body of options and rows: one JSON object, or multipart/form-data.
struct RequestWithRows {
  JsonRequest request;
  /// The rows of a multipart body, behind its options; nullptr: there are none.
  std::unique_ptr<MultipartBody> rows;
  RowFormat format = RowFormat::kJson;
};
Result<RequestWithRows> ReadRequestWithRows(const http::Request& request, http::BodyReader& body,
                                            const http::Limits& limits);
/// Its rows, of the multipart body or of the member `entity_rows`; nullptr: there are none. They can be read
/// after the handler has returned.
Result<std::shared_ptr<BodyRows>> RowsOfRequest(RequestWithRows& parts, BodyRowsOptions options);

/// Types of the columns of writes into a view: `expires_at` too.
void AddWriteTypes(const KnownView& view, ColumnTypes& types);
/// Types of the join keys and the time that entity rows of a request have.
ColumnTypes EntityTypes(const KnownDefinitions& known, const std::vector<std::string>& features,
                        const std::string& service, const std::string& selection,
                        const std::string& event_column);

/// What a training set's request says but for its rows.
Result<HistoricalOptions> HistoricalOptionsOf(RequestOptions& body);

/// `{"name": value}`, and the like.
void AnswerJson(http::Response& response, std::string json, int status = 200);

using Routes = std::vector<http::Route>;
void AddServerRoutes(V1& v1, Routes& routes);
void AddDefinitionRoutes(V1& v1, Routes& routes);
void AddWriteRoutes(V1& v1, Routes& routes);
void AddReadRoutes(V1& v1, Routes& routes);
void AddOnlineRoutes(V1& v1, Routes& routes);
void AddSqlRoutes(V1& v1, Routes& routes);
void AddUpkeepRoutes(V1& v1, Routes& routes);
void AddExistingRoutes(V1& v1, Routes& routes);
void AddDatasetRoutes(V1& v1, Routes& routes);
void AddJobRoutes(V1& v1, Routes& routes);

/// The document at /v1/openapi.json: openapi.json of this folder, embedded.
std::string_view OpenApiText();

}  // namespace tidemark::server
