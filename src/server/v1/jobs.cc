// A few threads take the oldest job that waits.
#include "server/v1/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "model/time.h"
#include "server/v1/json_object.h"
#include "server/v1/reports.h"

namespace tidemark::server {
namespace {

enum class State : std::uint8_t { kQueued, kRunning, kDone, kFailed, kCancelled };

std::string_view NameOf(State state) {
  switch (state) {
    case State::kQueued:
      return "queued";
    case State::kRunning:
      return "running";
    case State::kDone:
      return "done";
    case State::kFailed:
      return "failed";
    case State::kCancelled:
      break;
  }
  return "cancelled";
}

std::int64_t SystemNowUs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string TimeOrNull(std::int64_t us) {
  return us == 0 ? std::string("null") : fmt::format("\"{}\"", FormatTimestampUs(us));
}

}  // namespace

struct Jobs::Job {
  JobRequest request;
  std::string id;
  State state = State::kQueued;
  std::int64_t version = 1;
  std::int64_t created_us = 0;
  std::int64_t started_us = 0;
  std::int64_t ended_us = 0;
  std::string what;  // progress
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::string report;
  std::string error;
  std::stop_source stop;

  bool has_ended() const { return state != State::kQueued && state != State::kRunning; }
};

Jobs::Jobs(JobsLimits limits) : limits_(std::move(limits)) {
  for (std::size_t i = 0; i < limits_.running_max; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { RunJobs(stop); });
}

Jobs::~Jobs() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    for (const auto& job : jobs_)
      job->stop.request_stop();
  }
  for (std::jthread& thread : threads_)
    thread.request_stop();
  changed_.notify_all();
}

Result<std::string> Jobs::Start(JobRequest request) {
  const std::lock_guard lock(mutex_);
  ForgetLocked();
  const auto waiting =
      std::ranges::count_if(jobs_, [](const auto& job) { return job->state == State::kQueued; });
  if (is_ending_ || static_cast<std::size_t>(waiting) >= limits_.waiting_max) {
    return Fail(ErrorCode::kBusy,
                fmt::format("{} jobs are waiting, which is as many as may: try again later", waiting));
  }
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  // Of 64 random bits, so that ids of a server that was started anew are others.
  std::random_device random;
  job->id = fmt::format("{:x}-{:08x}{:08x}", ++last_number_, random(), random());
  job->created_us = limits_.now_us ? limits_.now_us() : SystemNowUs();
  jobs_.push_back(job);
  changed_.notify_all();
  return ToJsonLocked(*job);
}

std::vector<std::string> Jobs::List(std::string_view project) {
  const std::lock_guard lock(mutex_);
  ForgetLocked();
  std::vector<std::string> texts;
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job) {
    if ((*job)->request.project == project) texts.push_back(ToJsonLocked(**job));
  }
  return texts;
}

Result<std::string> Jobs::Get(std::string_view project, std::string_view id, std::int64_t version,
                              std::int64_t wait_ms, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  ForgetLocked();
  const auto job = FindLocked(project, id);
  if (!job)
    return Fail(ErrorCode::kNotFound, fmt::format("there is no job '{}' in project '{}'", id, project));
  changed_.wait_for(lock, stop, std::chrono::milliseconds(wait_ms),
                    [&] { return job->version != version || job->has_ended() || is_ending_; });
  return ToJsonLocked(*job);
}

Result<http::Scope> Jobs::ScopeOf(std::string_view project, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto job = FindLocked(project, id);
  if (!job)
    return Fail(ErrorCode::kNotFound, fmt::format("there is no job '{}' in project '{}'", id, project));
  return job->request.scope;
}

Result<bool> Jobs::Cancel(std::string_view project, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto job = FindLocked(project, id);
  if (!job)
    return Fail(ErrorCode::kNotFound, fmt::format("there is no job '{}' in project '{}'", id, project));
  if (job->has_ended()) return false;
  job->stop.request_stop();
  if (job->state == State::kQueued) {
    job->request.work = {};
    EndLocked(*job, Fail(ErrorCode::kCancelled, "the job was cancelled before it began"));
  }
  return true;
}

std::shared_ptr<Jobs::Job> Jobs::FindLocked(std::string_view project, std::string_view id) {
  for (const auto& job : jobs_) {
    if (job->id == id && job->request.project == project) return job;
  }
  return nullptr;
}

void Jobs::ForgetLocked() {
  const std::int64_t before = (limits_.now_us ? limits_.now_us() : SystemNowUs()) - limits_.kept_us;
  std::erase_if(jobs_, [&](const auto& job) { return job->has_ended() && job->ended_us < before; });
  auto ended = std::ranges::count_if(jobs_, [](const auto& job) { return job->has_ended(); });
  std::erase_if(jobs_, [&](const auto& job) {
    if (static_cast<std::size_t>(ended) <= limits_.ended_max || !job->has_ended()) return false;
    --ended;
    return true;
  });
}

void Jobs::RunJobs(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto is_queued = [](const auto& job) { return job->state == State::kQueued; };
    const auto has_work = [&] { return std::ranges::any_of(jobs_, is_queued); };
    if (!changed_.wait(lock, stop, has_work) || is_ending_) return;
    const std::shared_ptr<Job> job = *std::ranges::find_if(jobs_, is_queued);
    job->state = State::kRunning;
    job->started_us = limits_.now_us ? limits_.now_us() : SystemNowUs();
    ++job->version;
    changed_.notify_all();
    lock.unlock();
    Run(*job);
    lock.lock();
  }
}

void Jobs::Run(Job& job) {
  WorkOptions work{.stop = job.stop.get_token(), .progress = [&](const Progress& progress) {
                     const std::lock_guard lock(mutex_);
                     job.what = progress.what;
                     job.done = progress.done;
                     job.total = progress.total;
                     ++job.version;
                     changed_.notify_all();
                   }};
  auto result = job.request.work(work);
  job.request.work = {};  // with what it holds: spooled rows, a store
  const std::lock_guard lock(mutex_);
  EndLocked(job, std::move(result));
}

void Jobs::EndLocked(Job& job, Result<std::string> result) {
  job.ended_us = limits_.now_us ? limits_.now_us() : SystemNowUs();
  ++job.version;
  if (result) {
    job.state = State::kDone;
    job.report = *std::move(result);
  } else {
    job.state = result.error().code == ErrorCode::kCancelled ? State::kCancelled : State::kFailed;
    job.error = ToJson(result.error(), {});
  }
  changed_.notify_all();
}

std::string Jobs::ToJsonLocked(const Job& job) const {
  JsonObject progress;
  progress.Text("what", job.what).Number("done", job.done).Number("total", job.total);
  return JsonObject()
      .Text("id", job.id)
      .Text("operation", job.request.operation)
      .Text("state", NameOf(job.state))
      .Number("version", job.version)
      .Json("created", TimeOrNull(job.created_us))
      .Json("started", TimeOrNull(job.started_us))
      .Json("ended", TimeOrNull(job.ended_us))
      .Json("progress", progress.End())
      .Json("report", job.report)
      .Json("error", job.error)
      .End();
}

}  // namespace tidemark::server
