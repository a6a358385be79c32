// The server keeps datasets in its own folder; files come here as they are, and are known by their sums.
#include "remote/remote_datasets.h"

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/new_file.h"
#include "remote/answer_json.h"
#include "remote/arrow_bodies.h"
#include "remote/remote_jobs.h"

namespace tidemark::remote {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;

std::string DatasetPlace(std::string_view name) {
  return fmt::format("saved dataset {}", name);
}

/// What a file must be, by the server's word.
Result<std::string> SumOf(const Session& session, std::string_view name, DatasetFile file) {
  TM_ASSIGN(const std::string body, session.Get(session.Path({"datasets", name})));
  TM_ASSIGN(const Json dataset, ParseAnswer(session.url(), body));
  return Text(dataset, file == DatasetFile::kRows ? "sha256" : "entity_rows_sha256");
}

/// The file of this machine that was asked for is not there yet, or may be written over.
Result<void> CheckFree(const SaveDatasetOptions& options) {
  std::error_code failed;
  if (options.storage.empty() || options.allow_overwrite) return {};
  if (!std::filesystem::exists(options.storage, failed)) return {};
  return Fail(ErrorCode::kAlreadyExists,
              fmt::format("there is a file '{}' already: name another one, or allow_overwrite",
                          options.storage.string()));
}

}  // namespace

Result<std::string> SaveDataset(const Session& session, std::string_view name, const EntityRows* rows,
                                Json asked, const HistoricalOptions& what,
                                const SaveDatasetOptions& options) {
  TM_TRY_IN(CheckFree(options), DatasetPlace(name));
  asked["name"] = name;
  if (!options.tags.empty()) asked["tags"] = options.tags;
  Set(asked, "feature_service", options.feature_service);
  Set(asked, "allow_overwrite", options.allow_overwrite);
  Request request{.method = "POST", .target = session.Path({"datasets"}).text(), .effect = Effect::kOnce};
  GivenRows given;
  if (rows == nullptr) {
    request.body = asked.dump();
  } else {
    TM_ASSIGN(given, TakeRows(*rows, asked.dump()));
    request.content_type = given.content_type;
    request.stream = given.body.get();
  }
  TM_ASSIGN(const std::string body, RunJob(session, request, what.work));
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  Json dataset = Member(answer, "dataset");
  if (what.ended) {
    what.ended({.rows = Number(dataset, "rows"), .warnings = Texts(answer, "warnings")});
  }
  if (!options.storage.empty()) {
    TM_TRY_IN(FetchSavedDataset(session, name, DatasetFile::kRows, options.storage, what.work.stop),
              "it is saved on the server; fetching it");
    dataset["path"] = options.storage.string();
  }
  return dataset.dump();
}

Result<std::filesystem::path> RebuildDataset(const Session& session, std::string_view name,
                                             const std::filesystem::path& out, const WorkOptions& work) {
  Request request{.method = "POST",
                  .target = session.Path({"datasets", name, "rebuild"}).text(),
                  .effect = Effect::kRepeatable};
  request.body = "{}";
  TM_ASSIGN(const std::string body, RunJob(session, request, work));
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  if (out.empty()) return std::filesystem::path(Text(answer, "path"));
  TM_TRY(FetchSavedDataset(session, name, DatasetFile::kRows, out, work.stop));
  return out;
}

Result<void> FetchSavedDataset(const Session& session, std::string_view name, DatasetFile file,
                               const std::filesystem::path& out, const std::stop_token& stop) {
  const std::string_view part = file == DatasetFile::kRows ? "file" : "entity-rows";
  Request request{.target = session.Path({"datasets", name, part}).text()};
  request.accept = "application/vnd.apache.parquet";
  request.stop = stop;
  TM_ASSIGN(const auto answer, session.client->Open(request));
  TM_ASSIGN(const auto fetched, NewFile::Begin(out));
  std::vector<char> piece(kPieceBytes);
  while (true) {
    TM_ASSIGN(const std::size_t got, answer->Read(piece));
    if (got == 0) break;
    TM_TRY(fetched->Append(std::as_bytes(std::span(piece).first(got))));
  }
  TM_ASSIGN(const std::string wanted, SumOf(session, name, file));
  if (fetched->Hash() == wanted) return fetched->Put();
  const std::string_view what = file == DatasetFile::kRows
                                    ? "what is fetched is not what was saved: rebuild makes that again"
                                    : "its entity rows are not what was kept: restore them from a backup";
  return std::unexpected(Error{ErrorCode::kCorruption, std::string(what), DatasetPlace(name)});
}

Result<std::string> SaveTable(const Session& session, std::string_view table, ArrowArrayStream* rows,
                              const SaveTableOptions& options, const std::stop_token& stop) {
  Target target = session.Path({"saved-tables", table});
  target.Flag("allow_overwrite", options.allow_overwrite);
  Request request{.method = "PUT", .target = target.text(), .effect = Effect::kOnce};
  TM_ASSIGN(const GivenRows given, TakeRows({.stream = rows, .path = {}}, {}));
  request.content_type = given.content_type;
  request.stream = given.body.get();
  request.stop = stop;
  return session.client->Call(request);
}

}  // namespace tidemark::remote
