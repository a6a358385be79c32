// One view after the other, so that a stop has to wait for one broker at most.
#include "server/ops/stream_lags.h"

#include <condition_variable>
#include <stop_token>

#include "base/json.h"

namespace tidemark::server {

StreamLags::StreamLags(Services& services)
    : services_(services), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

std::vector<StreamLagSample> StreamLags::Latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void StreamLags::Run(const std::stop_token& stop) {
  std::mutex waiting;
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    std::vector<StreamLagSample> samples;
    for (const auto& [project, store] : services_.stores->OpenOnes()) {
      for (const std::string& view : ViewsOf(*store)) {
        if (stop.stop_requested()) return;
        samples.push_back(Ask(*store, project, view));
      }
    }
    {
      const std::lock_guard lock(mutex_);
      latest_ = std::move(samples);
    }
    std::unique_lock lock(waiting);
    never.wait_for(lock, stop, kEvery, [] { return false; });
  }
}

std::vector<std::string> StreamLags::ViewsOf(const Store& store) {
  std::vector<std::string> names;
  const auto listed = store.List(ObjectType::kFeatureView);
  const auto views = listed ? ParseJson(*listed) : std::unexpected(listed.error());
  if (!views || !views->is_array()) return names;
  for (const Json& view : *views) {
    const auto source = view.find("stream_source");
    if (source == view.end() || source->value("type", "push") == "push") continue;
    names.push_back(view.value("name", ""));
  }
  return names;
}

StreamLagSample StreamLags::Ask(Store& store, const std::string& project, const std::string& view) {
  StreamLagSample sample{.project = project, .view = view};
  const auto told = store.StreamStatus({view});
  const auto status = told ? ParseJson(*told) : std::unexpected(told.error());
  if (!status || status->empty()) return sample;
  const Json& stream = status->front();
  sample.is_reachable = stream["stream_error"].is_null();
  for (const Json& partition : stream["partitions"]) {
    if (partition["lag"].is_number_integer())
      sample.messages.emplace(partition["partition"].get<std::string>(),
                              partition["lag"].get<std::int64_t>());
  }
  return sample;
}

}  // namespace tidemark::server
