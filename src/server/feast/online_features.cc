// Reads, looks up, writes: all in memory that the thread keeps.
#include "server/feast/online_features.h"

#include <arrow/c/bridge.h>
#include <simdjson.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "server/feast/entity_columns.h"
#include "server/feast/online_answer.h"
#include "server/feast/online_request.h"
#include "server/rows/json_rows.h"

namespace tidemark::server::feast {
namespace {

// Some thousand entities: a millisecond of one thread. More would keep other connections waiting.
constexpr std::size_t kInlineBodyBytes = 32UL << 10U;
// What a thread keeps between requests.
constexpr std::size_t kKeptBodyBytes = 1UL << 20U;

}  // namespace

struct OnlineFeatures::Scratch {
  OnlineRequestReader reader;
  Entities entities;
  std::vector<KeyColumn> keys;
  OnlineResult result;

  static Scratch& OfThread(std::size_t body_bytes) {
    thread_local std::unique_ptr<Scratch> scratch;
    thread_local std::size_t bytes_max = 0;
    if (!scratch || bytes_max > kKeptBodyBytes) {
      scratch = std::make_unique<Scratch>();
      bytes_max = 0;
    }
    bytes_max = std::max(bytes_max, body_bytes);
    return *scratch;
  }
};

namespace {

/// Whether the request goes on where it is; if not, it is called again on a worker.
bool MayWait(const http::Request& request, http::Response& response) {
  response.needs_worker = !request.on_worker;
  return request.on_worker;
}

/// Request data come in the columns of the entities, typed as the on-demand views declare them.
Result<void> ReadWithRequests(const PreparedLookup& lookup, const std::vector<KeyColumn>& keys,
                              const Entities& entities, OnlineResult& result) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text("{" + entities.requests + "}");
  simdjson::dom::element columns;
  if (parser.parse(text).get(columns) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kInvalidArgument, "a column of request data is no JSON");
  }
  JsonRowsOptions options;
  options.types = lookup.requests;
  options.rows_max = entities.rows;
  auto batch = RowsFromJson(columns, options);
  if (!batch) return std::unexpected(std::move(batch).error().In("request data"));
  ArrowSchema schema{};
  ArrowArray array{};
  if (auto status = arrow::ExportRecordBatch(**batch, &array, &schema); !status.ok()) {
    return Fail(ErrorCode::kOutOfSpace, status.ToString());
  }
  return lookup.reader->ReadWith(keys, entities.rows, &schema, &array, result);
}

}  // namespace

void OnlineFeatures::Respond(const http::Request& request, http::Response& response) {
  if (request.body.size() > kInlineBodyBytes && !MayWait(request, response)) return;
  const auto answered = Run(request, response, Scratch::OfThread(request.body.size()), false);
  if (answered) return;
  response.body.clear();
  Send(answered.error(), response);
}

Answer<void> OnlineFeatures::Run(const http::Request& request, http::Response& response, Scratch& scratch,
                                 bool is_plain) {
  const auto otherwise = [&]() -> Answer<void> {
    if (is_plain) return Refuse(422, "the body is not a request for features");
    return RunCarefully(request, response, scratch);
  };
  if (!scratch.reader.Open(request.body)) return otherwise();
  const Asked& asked = scratch.reader.asked();
  auto lookup = cache_.Find(request.project, asked, request.on_worker);
  if (!lookup) {
    if (!MayWait(request, response)) return {};
    // What is no request at all is said before what is asked for is looked for.
    if (!is_plain) TM_TRY(Normalize(request.body, limits_.json_depth_max));
    TM_ASSIGN(lookup, cache_.Get(request.project, asked));
  }
  if (lookup->reader->waits() && !MayWait(request, response)) return {};
  TM_ASSIGN(const auto read, scratch.reader.ReadEntities(*lookup, limits_.entities_max, scratch.entities));
  if (read == OnlineRequestReader::Read::kMalformed) return otherwise();
  scratch.keys.clear();
  for (std::size_t i = 0; i < lookup->keys.size(); ++i)
    scratch.keys.push_back(scratch.entities.columns[i].Values(lookup->keys[i].type));
  if (lookup->requests.empty()) {
    TM_TRY(lookup->reader->Read(scratch.keys, scratch.entities.rows, scratch.result));
  } else {
    TM_TRY(ReadWithRequests(*lookup, scratch.keys, scratch.entities, scratch.result));
  }
  return WriteAnswer(*lookup, scratch.entities, scratch.result, scratch.reader.wants_versions(),
                     response.body);
}

Answer<void> OnlineFeatures::RunCarefully(const http::Request& request, http::Response& response,
                                          Scratch& scratch) {
  if (!MayWait(request, response)) return {};
  TM_ASSIGN(const std::string plain, Normalize(request.body, limits_.json_depth_max));
  http::Request again = request;
  again.body = plain;
  return Run(again, response, scratch, true);
}

}  // namespace tidemark::server::feast
