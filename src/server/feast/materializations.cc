// One thread for each materialization in the background; there are as many as views at most.
#include "server/feast/materializations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "model/name.h"
#include "model/time.h"
#include "server/feast/body_shape.h"
#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

constexpr std::array<BodyField, 6> kRangeFields{{{.name = "start_ts", .shape = Shape::kTextOrNull},
                                                 {.name = "end_ts", .shape = Shape::kTextOrNull},
                                                 {.name = "feature_views", .shape = Shape::kTextsOrNull},
                                                 {.name = "disable_event_timestamp", .shape = Shape::kFlag},
                                                 {.name = "full_feature_names", .shape = Shape::kFlag},
                                                 {.name = "version", .shape = Shape::kTextOrNull}}};
constexpr std::array<BodyField, 4> kIncrementalFields{
    {{.name = "end_ts", .shape = Shape::kText, .is_required = true},
     {.name = "feature_views", .shape = Shape::kTextsOrNull},
     {.name = "full_feature_names", .shape = Shape::kFlag},
     {.name = "version", .shape = Shape::kTextOrNull}}};

Answer<std::int64_t> ReadTime(std::string_view name, std::string_view text) {
  if (const auto us = ParseTimestampUs(text)) return *us;
  return Refuse(
      400, fmt::format("Invalid timestamp format: {} is {}; write 2024-05-01T12:00:00Z", name, Quoted(text)));
}

/// Sets the times of a request for a range.
Answer<void> ReadRange(simdjson::dom::object body, MaterializeOptions& options) {
  if (FlagOf(body, "disable_event_timestamp", false)) {
    options.start_us = 0;
    options.end_us = std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    return {};
  }
  const auto start = TextOf(body, "start_ts");
  const auto end = TextOf(body, "end_ts");
  if (!start || !end) {
    return Refuse(400, "start_ts and end_ts are required when disable_event_timestamp is False");
  }
  TM_ASSIGN(options.start_us, ReadTime("start_ts", *start));
  TM_ASSIGN(options.end_us, ReadTime("end_ts", *end));
  if (*options.start_us >= options.end_us) {
    return Refuse(400, fmt::format("start_ts ({}) must be before end_ts ({})", *start, *end));
  }
  return {};
}

std::string ListOf(const std::vector<std::string>& names) {
  std::string list = "[";
  for (const std::string& name : names) {
    if (list.size() > 1) list.push_back(',');
    json::AppendText(list, name);
  }
  return list.append("]");
}

bool IsSet(const http::Request& request, std::string_view name) {
  const auto value = request.Query(name);
  if (!value) return false;
  const std::string folded = FoldName(*value);
  return folded == "true" || folded == "1" || folded == "yes" || folded == "on";
}

}  // namespace

Answer<void> Materializations::Respond(Kind kind, const http::Request& request, http::Response& response) {
  TM_TRY(request.CheckQuery());
  TM_ASSIGN(auto store, services_.stores->Get(request.project));
  TM_ASSIGN(MaterializeOptions options, ReadBody(kind, request, *store));
  if (IsSet(request, "async")) return Start(request, response, std::move(store), std::move(options));
  options.work.stop = request.stop;
  TM_TRY(store->Materialize(options));
  response.body = "null";
  return {};
}

Answer<MaterializeOptions> Materializations::ReadBody(Kind kind, const http::Request& request,
                                                      const Store& store) {
  BodyReader reader;
  MaterializeOptions options;
  const auto fields = kind == Kind::kRange ? std::span<const BodyField>(kRangeFields)
                                           : std::span<const BodyField>(kIncrementalFields);
  TM_ASSIGN(const auto body, reader.Read(request.body, limits_.json_depth_max, fields));
  TM_ASSIGN(const auto definitions, services_.definitions.GetNow(store));
  const auto named = Find(body, "feature_views");
  if (named && named->is_array()) {
    for (const auto each : simdjson::dom::array{*named}) {
      const std::string_view name{each};
      if (!definitions->View(name)) return NoSuchView(name, store.project());
      options.views.emplace_back(name);
    }
  } else {
    for (const FeatureView& view : definitions->all().views) {
      if (view.online) options.views.push_back(view.name);
    }
  }
  if (TextOf(body, "version")) {
    return Refuse(400, "\"version\" is not supported: the present version of a view is materialized");
  }
  if (kind == Kind::kRange) {
    TM_TRY(ReadRange(body, options));
  } else {
    TM_ASSIGN(options.end_us, ReadTime("end_ts", *TextOf(body, "end_ts")));
  }
  return options;
}

Answer<void> Materializations::Start(const http::Request& request, http::Response& response,
                                     std::shared_ptr<Store> store, MaterializeOptions options) {
  std::list<Job> done;  // joined without the lock
  const std::lock_guard lock(mutex_);
  done = TakeDone();
  const auto conflicting = Running(store->project(), options.views);
  if (!conflicting.empty() && !IsSet(request, "force")) {
    response.status = 409;
    response.body = "{\"error\":";
    json::AppendText(
        response.body,
        fmt::format("Cannot start async materialization — the following feature views are already "
                    "in MATERIALIZING state: {}. Use ?force=true to override.",
                    ListOf(conflicting)));
    response.body.append(",\"feature_views\":").append(ListOf(conflicting)).append("}");
    return {};
  }
  response.status = 202;
  response.body = fmt::format(R"({{"status":"accepted","feature_views":{}}})", ListOf(options.views));
  if (options.views.empty()) return {};
  Job& job = jobs_.emplace_back();
  job.project = store->project();
  job.views = options.views;
  job.thread = std::jthread([this, &job, held = std::move(store),
                             wanted = std::move(options)](const std::stop_token& stop) mutable {
    wanted.work.stop = stop;
    const auto report = held->Materialize(wanted);
    if (!report) fmt::print(stderr, "tidemark: materializing failed: {}\n", report.error().ToString());
    const std::lock_guard ending(mutex_);
    job.is_done = true;
  });
  return {};
}

// The views of a project that are being materialized. The lock is held.
std::vector<std::string> Materializations::Running(const std::string& project,
                                                   const std::vector<std::string>& views) const {
  std::vector<std::string> running;
  for (const std::string& view : views) {
    const auto has_view = [&](const Job& job) {
      return !job.is_done && job.project == project && std::ranges::find(job.views, view) != job.views.end();
    };
    if (std::ranges::any_of(jobs_, has_view)) running.push_back(view);
  }
  return running;
}

// Jobs that have ended, out of the list. The lock is held.
std::list<Materializations::Job> Materializations::TakeDone() {
  std::list<Job> done;
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    const auto next = std::next(at);
    if (at->is_done) done.splice(done.end(), jobs_, at);
    at = next;
  }
  return done;
}

}  // namespace tidemark::server::feast
