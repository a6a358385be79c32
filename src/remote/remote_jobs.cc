// A job is asked for by its version: the server answers when that has changed.
#include "remote/remote_jobs.h"

#include <chrono>
#include <utility>

#include "remote/answer_json.h"
#include "remote/error_answer.h"

namespace tidemark::remote {
namespace {

constexpr std::string_view kWaitMs = "5000";
constexpr std::chrono::seconds kCancelMax{30};

class Job {
 public:
  Job(const Session& session, std::string id) : session_(session), id_(std::move(id)) {}

  /// As the server has it now, or after something has changed.
  Result<Json> Watch(std::int64_t version, const std::stop_token& stop) const {
    Target target = session_.Path({"jobs", id_});
    target.Add("wait_ms", kWaitMs).Add("version", std::to_string(version));
    TM_ASSIGN(const std::string body, session_.Get(target, stop));
    return ParseAnswer(session_.url(), body);
  }

  /// Asks for the end, and waits for it: the job's state then.
  Result<Json> Cancel() const {
    Request request{.method = "DELETE", .target = session_.Path({"jobs", id_}).text()};
    request.effect = Effect::kRepeatable;
    if (auto asked = session_.client->Call(request); !asked) return std::unexpected(std::move(asked).error());
    const auto end = std::chrono::steady_clock::now() + kCancelMax;
    std::int64_t version = 0;
    while (true) {
      TM_ASSIGN(Json state, Watch(version, {}));
      if (IsOver(state) || std::chrono::steady_clock::now() > end) return state;
      version = Number(state, "version");
    }
  }

  static bool IsOver(const Json& state) {
    const std::string name = Text(state, "state");
    return name == "done" || name == "failed" || name == "cancelled";
  }

 private:
  const Session& session_;
  const std::string id_;
};

void Tell(const Json& state, const WorkOptions& work) {
  const Json& progress = Member(state, "progress");
  if (!work.progress || !progress.is_object()) return;
  const std::string what = Text(progress, "what");
  work.progress({.what = what, .done = Number(progress, "done"), .total = Number(progress, "total")});
}

Result<std::string> Outcome(const Json& state) {
  const std::string name = Text(state, "state");
  if (name == "done") return Member(state, "report").dump();
  if (auto error = ErrorFromJson(Member(state, "error").dump())) return std::unexpected(*std::move(error));
  return Fail(ErrorCode::kCancelled, name == "cancelled" ? "interrupted" : "interrupted; the server goes on");
}

}  // namespace

Result<std::string> RunJob(const Session& session, const Target& target, std::string body,
                           const WorkOptions& work) {
  Request request{.method = "POST", .target = target.text(), .effect = Effect::kRepeatable};
  request.body = std::move(body);
  return RunJob(session, request, work);
}

Result<std::string> RunJob(const Session& session, Request& request, const WorkOptions& work) {
  request.is_async = true;
  request.stop = work.stop;
  TM_ASSIGN(const std::string started, session.client->Call(request));
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), started));
  Json state = Member(answer, "job");
  if (!state.is_object()) return started;  // it was done at once
  const Job job(session, Text(state, "id"));
  while (!Job::IsOver(state)) {
    Tell(state, work);
    auto next = job.Watch(Number(state, "version"), work.stop);
    if (!next && next.error().code == ErrorCode::kCancelled) next = job.Cancel();
    if (!next) return std::unexpected(std::move(next).error());
    state = *std::move(next);
    if (work.stop.stop_requested() && !Job::IsOver(state)) break;
  }
  return Outcome(state);
}

}  // namespace tidemark::remote
