// Sessions and their threads; what they need that is not there yet is made before they start.
#include "wiring/store_streams.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <thread>
#include <tuple>

#include "adapters/kafka/kafka_stream.h"
#include "adapters/kinesis/kinesis_stream.h"
#include "base/json.h"
#include "base/keyed_hash.h"
#include "base/thread_turns.h"
#include "engine/streams/rejected_messages.h"
#include "engine/streams/stream_restart.h"
#include "model/name.h"
#include "wiring/stream_reports.h"

namespace tidemark {
namespace {

constexpr std::size_t kGroupDigits = 16;

Json OffsetOrNull(const std::optional<StreamOffset>& offset) {
  return offset ? Json(offset->text()) : Json();
}

/// False if it was stopped meanwhile.
bool WaitBeforeTrying(std::chrono::milliseconds wait, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, wait, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

StreamOpener OpenerOfStreams() {
  return [](const StreamSource& source, const StreamOpening& opening) -> Result<std::unique_ptr<Stream>> {
    if (const auto* const kafka = std::get_if<KafkaSource>(&source)) return OpenKafkaStream(*kafka, opening);
    return OpenKinesisStream(std::get<KinesisSource>(source), opening);
  };
}

Result<std::vector<std::string>> StoreStreams::ViewsWithStreams(const std::vector<std::string>& names) const {
  TM_ASSIGN(const auto catalog, parts_.catalog());
  std::vector<std::string> found;
  for (const std::string& name : names) {
    TM_ASSIGN(const CatalogView* view, catalog->View(name));
    TM_TRY(StreamSourceOf(*view));
    if (std::ranges::find(found, name) == found.end()) found.push_back(name);
  }
  if (!names.empty()) return found;
  for (const auto& [name, view] : catalog->views()) {
    if (view.is_typed() && StreamSourceOf(view)) found.push_back(name);
  }
  return found;
}

Result<StreamViews> StoreStreams::ViewsOf(const std::string& name) const {
  TM_ASSIGN(const auto catalog, parts_.catalog());
  TM_ASSIGN(const CatalogView* view, catalog->View(name));
  TM_ASSIGN(const CatalogView* rejected, catalog->View(RejectedViewName(name)));
  return StreamViews{{catalog, view}, {catalog, rejected}};
}

Result<void> StoreStreams::MakeRejected(const std::string& name) const {
  TM_ASSIGN(const auto catalog, parts_.catalog());
  if (catalog->views().contains(RejectedViewName(name))) return {};
  TM_ASSIGN(const Definitions definitions, RejectedDefinitions(name));
  return parts_.apply(definitions);
}

Result<std::string> StoreStreams::GroupOf(const CatalogView& view) const {
  const std::filesystem::path folder = parts_.folder / "streams";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return Fail(ErrorCode::kIo,
                fmt::format("cannot make the folder '{}': {}", folder.string(), error.message()));
  const std::string file = (folder / "id").string();
  TM_ASSIGN(const auto hash, KeyedHashFile(file).Get(true));
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0)
    return Fail(ErrorCode::kIo, fmt::format("cannot look at '{}': {}", file, std::strerror(errno)));
  // Of this store alone, by whatever path: another one's of the same name reads its own messages, and so does
  // a copy, whose file is another.
  const auto digest = hash->DigestOf(fmt::format("group {}", about.st_ino));
  return fmt::format("tidemark-{}-{}", ToHex(digest).substr(0, kGroupDigits), view.id);
}

Result<void> StoreStreams::RunOne(const std::string& name, const RunStreamsOptions& options,
                                  RejectionGauge& gauge) const {
  TM_TRY(MakeRejected(name));
  StreamSessionParts parts;
  TM_ASSIGN(parts.tables, parts_.tables());
  TM_ASSIGN(const StreamViews views, ViewsOf(name));
  TM_ASSIGN(const StreamReportFile report, StreamReportFile::Open(parts_.folder / "streams", views.view->id));
  parts.views = [this, name] { return ViewsOf(name); };
  parts.open = parts_.open;
  parts.decoder = parts_.decoder;
  parts.clock = parts_.clock;
  parts.gauge = &gauge;
  // Reading goes on where nobody can be told of it.
  parts.tell = [&report](const StreamSessionStatus& status) { std::ignore = report.Write(status); };
  parts.warn = [&name](const std::string& what) {
    fmt::print(stderr, "tidemark: stream of view {}: {}\n", name, what);
  };
  TM_ASSIGN(const StreamSource source, StreamSourceOf(*views.view));
  if (std::holds_alternative<KafkaSource>(source)) {
    parts.elsewhere = [this, id = views.view->id] {
      return StreamPartitionsElsewhere(parts_.folder / "streams", id);
    };
  }
  StreamSessionOptions session;
  session.until_end = options.until_end;
  if (options.until_end) session.wait_max_us = options.wait_max_us;
  session.group = options.group;
  session.lease_file = (parts_.folder / "streams" / fmt::format("shards-{}", views.view->id)).string();
  if (session.group.empty()) {
    TM_ASSIGN(session.group, GroupOf(*views.view));
  }
  return StreamSession(std::move(parts), std::move(session)).Run(options.stop);
}

Result<void> StoreStreams::RunAll(const std::vector<std::string>& names,
                                  const RunStreamsOptions& options) const {
  std::mutex mutex;
  Result<void> first;
  {
    std::vector<std::jthread> threads;
    for (const std::string& name : names) {
      threads.emplace_back([&, name] {
        RunInShortTurns();
        RejectionGauge gauge(options.rejected_rate_max);
        auto ran = RunOne(name, options, gauge);
        if (ran) return;
        // The others go on: who waits for them is told now, and of the first one in the end.
        if (names.size() > 1)
          fmt::print(stderr, "tidemark: stream of view {} ends: {}\n", name, ran.error().ToString());
        const std::lock_guard lock(mutex);
        if (first) first = std::move(ran);
      });
    }
  }
  return first;
}

void StoreStreams::KeepRunning(const std::vector<std::string>& views,
                               const RunStreamsOptions& options) const {
  struct Reader {
    std::atomic<bool> has_ended = false;
    std::jthread thread;  // last: it uses the other
  };
  std::map<std::string, RejectionGauge> gauges;  // by view; its readers come and go
  std::map<std::string, std::unique_ptr<Reader>> readers;
  std::string told;
  const auto tell = [&](const std::string& problem) {
    if (problem != told) fmt::print(stderr, "tidemark: streams: {}\n", problem);
    told = problem;
  };
  do {
    std::erase_if(readers, [](const auto& reader) { return reader.second->has_ended.load(); });
    const auto names = ViewsWithStreams(views);
    if (!names) {
      tell(names.error().ToString());
      continue;
    }
    for (const std::string& name : *names) {
      const auto [reader, is_new] = readers.try_emplace(name, nullptr);
      if (!is_new) continue;
      reader->second = std::make_unique<Reader>();
      RejectionGauge& gauge = gauges.try_emplace(name, options.rejected_rate_max).first->second;
      reader->second->thread = std::jthread([&, name, own = reader->second.get()] {
        // To lookups of the server, and to those who ask for them on this machine: who wakes up waits until a
        // turn ends, and the usual one is of milliseconds.
        RunInShortTurns();
        GiveWay(Share::kNinth);
        // What ended it is in the status.
        if (auto ran = RunOne(name, options, gauge); !ran)
          fmt::print(stderr, "tidemark: stream of view {}: {}\n", name, ran.error().ToString());
        own->has_ended = true;
      });
    }
  } while (WaitBeforeTrying(parts_.try_again_after, options.stop));
}

Result<void> StoreStreams::Run(const std::vector<std::string>& views,
                               const RunStreamsOptions& options) const {
  if (options.rejected_rate_max < 0 || options.rejected_rate_max > 1)
    return Fail(ErrorCode::kInvalidArgument, "the greatest rate of rejected messages is from 0 to 1");
  if (options.wait_max_us < 0)
    return Fail(ErrorCode::kInvalidArgument, "a stream cannot be waited for less than no time");
  if (options.keep_trying) {
    KeepRunning(views, options);
    return {};
  }
  TM_ASSIGN(const auto names, ViewsWithStreams(views));
  if (names.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "no feature table has a stream to read: give a view a KafkaSource or a KinesisSource");
  }
  return RunAll(names, options);
}

Result<StreamMarks> StoreStreams::ProgressOf(const FeatureTables& tables, const std::string& name) const {
  TM_ASSIGN(const auto catalog, parts_.catalog());
  TM_ASSIGN(const CatalogView* view, catalog->View(name));
  if (view->definition.is_table()) return tables.StreamProgress(*view);
  const auto rejected = catalog->views().find(RejectedViewName(name));
  if (rejected == catalog->views().end()) return StreamMarks{};  // it was never read
  return tables.StreamProgress(rejected->second);
}

Result<std::string> StoreStreams::Status(const std::vector<std::string>& views) const {
  TM_ASSIGN(const auto names, ViewsWithStreams(views));
  if (names.empty()) return "[]";
  TM_ASSIGN(const auto catalog, parts_.catalog());
  TM_ASSIGN(const auto tables, parts_.tables());
  Json all = Json::array();
  for (const std::string& name : names) {
    TM_ASSIGN(const CatalogView* view, catalog->View(name));
    TM_ASSIGN(const StreamSource source, StreamSourceOf(*view));
    TM_ASSIGN(const StreamMarks marks, ProgressOf(*tables, name));
    std::map<std::string, StreamOffset> read;
    std::map<std::string, StreamOffset> reached;
    for (const auto& [place, mark] : marks) {
      const auto partition = PartitionOfPlace(source, place);
      if (!partition) continue;
      if (mark.read) read.emplace(*partition, *mark.read);
      if (const auto to = mark.reached()) reached.emplace(*partition, *to);
    }
    Json status{{"view", name}, {"stream", StreamPlace(source, "*")}};
    const auto lags = [&]() -> Result<std::vector<StreamLag>> {
      TM_ASSIGN(const auto stream, parts_.open(source, {.group = "tidemark-status"}));
      return stream->Lags(reached);
    }();
    Json partitions = Json::array();
    std::int64_t lag = 0;
    bool is_lag_known = lags.has_value();
    for (const StreamLag& of : lags ? *lags : std::vector<StreamLag>()) {
      const auto last = read.find(of.partition);
      partitions.push_back({{"partition", of.partition},
                            {"read", last == read.end() ? Json() : Json(last->second.text())},
                            {"end", OffsetOrNull(of.end)},
                            {"lag", of.messages ? Json(*of.messages) : Json()}});
      lag += of.messages.value_or(0);
      is_lag_known = is_lag_known && of.messages.has_value();
    }
    status["partitions"] = std::move(partitions);
    status["lag"] = is_lag_known ? Json(lag) : Json();
    status["stream_error"] = lags ? Json() : Json(lags.error().ToString());
    const Json sum = StreamReportSum(parts_.folder / "streams", view->id);
    for (const auto& [key, value] : sum.items())
      status[key] = value;
    all.push_back(std::move(status));
  }
  return all.dump();
}

Result<std::string> StoreStreams::Restart(const std::string& name,
                                          const RestartStreamOptions& options) const {
  TM_ASSIGN(const auto named, ViewsWithStreams({name}));
  TM_TRY(MakeRejected(name));
  TM_ASSIGN(const StreamViews views, ViewsOf(name));
  TM_ASSIGN(const StreamSource source, StreamSourceOf(*views.view));
  TM_ASSIGN(const auto tables, parts_.tables());
  TM_ASSIGN(const auto stream, parts_.open(source, {.group = "tidemark-restart"}));
  TM_ASSIGN(const auto lags, stream->Lags({}));
  TM_ASSIGN(const StreamMarks marks, tables->StreamProgress(ProgressTable(views)));
  auto planned = PlanRestart(source, marks, lags, options);
  if (!planned) return std::unexpected(std::move(planned).error().In("view " + name));
  std::vector<std::string> places;
  StreamMarks restarts;
  StreamMarks nothing_read;
  Json told = Json::array();
  for (const PartitionRestart& restart : *planned) {
    places.push_back(restart.place);
    restarts.emplace(restart.place, restart.mark);
    nothing_read.emplace(restart.place, StreamMark{});
    told.push_back({{"partition", restart.partition},
                    {"read", OffsetOrNull(restart.read)},
                    {"next", OffsetOrNull(restart.next)},
                    {"gives_up", restart.gives_up}});
  }
  if (options.dry_run) return told.dump();
  // Of a view with a table it only keeps messages from being rejected twice.
  if (views.view->definition.is_table()) TM_TRY(tables->TakeStream(*views.rejected, places, nothing_read));
  TM_TRY(tables->TakeStream(ProgressTable(views), places, restarts));
  return told.dump();
}

}  // namespace tidemark
