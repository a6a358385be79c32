// The thread, what it does in a round, and what a fork and the end of the process mean for it.
#include "wiring/table_maintenance.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <thread>

#include "base/lock_file.h"
#include "base/result.h"
#include "base/thread_turns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kTidyEveryUs = std::int64_t{60} * 1'000'000;
constexpr std::int64_t kExpireEveryUs = std::int64_t{3600} * 1'000'000;
constexpr std::int64_t kSmallFilesMax = 16;
constexpr std::size_t kSnapshotsKept = 10;

}  // namespace

struct TableMaintenance::Worker {
  const std::uint64_t forks = ForkCount();  // another count: it is the parent's, and its thread is not here
  std::mutex mutex;
  std::condition_variable_any wake;
  std::mutex step;               // held while a step is done, and by a fork
  std::stop_source interrupted;  // of the step that is being done, by a fork; guarded by `mutex`
  std::jthread thread;           // last: it uses those above
};

/// All workers of this process: what a fork, and the end of the process, must know of.
class Workers {
 public:
  static Workers& Get() {
    static Workers* const all = [] {
      pthread_atfork([] { Get().BeforeFork(); }, [] { Get().AfterFork(); }, [] { Get().InChild(); });
      return new Workers;  // never destroyed: stores may be closed while the process ends
    }();
    return *all;
  }

  /// False if no more of them are to be made.
  bool Add(TableMaintenance::Worker* worker) {
    const std::lock_guard lock(mutex_);
    if (is_over_) return false;
    workers_.push_back(worker);
    return true;
  }

  void Remove(TableMaintenance::Worker* worker) {
    const std::lock_guard lock(mutex_);
    workers_.remove(worker);
  }

  void StopAll() {
    std::list<TableMaintenance::Worker*> all;
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
      all = workers_;
    }
    for (TableMaintenance::Worker* worker : all) {
      worker->thread.request_stop();
      worker->wake.notify_all();
      if (worker->thread.joinable()) worker->thread.join();
    }
  }

 private:
  void BeforeFork() {
    mutex_.lock();
    for (TableMaintenance::Worker* worker : workers_) {
      {
        const std::lock_guard lock(worker->mutex);
        worker->interrupted.request_stop();
      }
      worker->step.lock();
      worker->mutex.lock();
    }
  }
  void AfterFork() {
    for (TableMaintenance::Worker* worker : workers_) {
      worker->mutex.unlock();
      worker->step.unlock();
    }
    mutex_.unlock();
  }
  void InChild() {
    AfterFork();
    workers_.clear();
  }

  std::mutex mutex_;  // guards those below
  std::list<TableMaintenance::Worker*> workers_;
  bool is_over_ = false;
};

TableMaintenance::TableMaintenance(Parts parts) : parts_(std::move(parts)) {}

TableMaintenance::~TableMaintenance() {
  if (worker_ == nullptr) return;
  if (worker_->forks != ForkCount()) {
    [[maybe_unused]] const Worker* const left = worker_.release();  // its thread is the parent's
    return;
  }
  Workers::Get().Remove(worker_.get());
  worker_->thread.request_stop();
  worker_->wake.notify_all();
  // The thread is joined with the worker.
}

void TableMaintenance::Start() {
  if (!parts_.settings.is_on) return;
  const std::lock_guard lock(mutex_);
  if (worker_ != nullptr && worker_->forks == ForkCount()) return;
  [[maybe_unused]] const Worker* const left = worker_.release();  // a parent's, if there is one
  worker_ = std::make_unique<Worker>();
  if (!Workers::Get().Add(worker_.get())) return;
  worker_->thread =
      std::jthread([this, worker = worker_.get()](const std::stop_token& stop) { Loop(*worker, stop); });
}

void TableMaintenance::Loop(Worker& worker, const std::stop_token& stop) {
  GiveWay(Share::kThird);
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(worker.mutex);
      worker.wake.wait_for(lock, stop, std::chrono::milliseconds(parts_.interval_ms), [] { return false; });
    }
    if (stop.stop_requested()) return;
    std::stop_source interrupted;
    const std::lock_guard step(worker.step);
    {
      const std::lock_guard lock(worker.mutex);
      worker.interrupted = interrupted;
    }
    const std::stop_callback ends(stop, [&interrupted] { interrupted.request_stop(); });
    RunOnce(interrupted.get_token());
    if (parts_.after_round) parts_.after_round();
  }
}

void TableMaintenance::Step(const std::string& name, const std::function<Result<void>()>& step) {
  const auto done = step();
  if (done || done.error().code == ErrorCode::kCancelled) {
    failures_.erase(name);
    return;
  }
  std::string& told = failures_[name];
  const std::string message = done.error().ToString();
  if (told == message) return;
  told = message;
  parts_.tell(fmt::format("in the background, {}: {}; it is tried again", name, message));
}

void TableMaintenance::RunOnce(const std::stop_token& stop) {
  std::shared_ptr<FeatureTables> tables;
  Step("opening tables", [&]() -> Result<void> {
    TM_ASSIGN(tables, parts_.tables());
    return tables->log().Recover();
  });
  if (tables == nullptr || stop.stop_requested()) return;
  Step("writing rows into the folders of batch sources", [&] { return tables->log().FolderError(); });
  FlushDue(*tables);
  const std::int64_t now_us = parts_.clock->now_us();
  if (now_us - tidied_us_ < kTidyEveryUs || stop.stop_requested()) return;
  tidied_us_ = now_us;
  Tidy(*tables, stop);
}

void TableMaintenance::FlushDue(const FeatureTables& tables) {
  const std::int64_t now_us = parts_.clock->now_us();
  bool is_flushed = false;
  for (const auto& [table, waiting] : tables.log().Unflushed()) {
    const bool is_due = waiting.bytes >= parts_.settings.flush_bytes ||
                        now_us - waiting.oldest_us >= parts_.settings.flush_after_us;
    if (!is_due) continue;
    Step(fmt::format("flushing table {}", table), [&]() -> Result<void> {
      TM_ASSIGN(const auto view, tables.log().ViewOf(table));
      if (view != nullptr && view->definition.is_table()) {
        TM_TRY(tables.Flush(*view));
      } else {
        tables.log().TakeUnflushed(table);  // rows of a view that is gone are trimmed
      }
      return {};
    });
    is_flushed = true;
  }
  if (is_flushed) Step("trimming logs", [&] { return tables.TrimLogs(); });
  if (tables.log().HasAdopted())
    Step("flushing the logs of processes that ended", [&] { return tables.FlushLogs(); });
}

void TableMaintenance::Tidy(const FeatureTables& tables, const std::stop_token& stop) {
  const std::int64_t now_us = parts_.clock->now_us();
  Views views;
  Step("looking for tables", [&]() -> Result<void> {
    TM_ASSIGN(views, parts_.views());
    return {};
  });
  const bool expires = now_us - expired_us_ >= kExpireEveryUs;
  for (const auto& view : views) {
    if (stop.stop_requested()) return;
    const std::string& name = view->definition.name;
    // One that nothing was written to yet, or that was dropped meanwhile.
    if (const auto table = tables.offline().Open(view->id);
        !table && table.error().code == ErrorCode::kNotFound) {
      continue;
    }
    Step("completing erasures of " + name, [&] { return tables.CompleteErasures(*view, stop); });
    Step("compacting " + name, [&]() -> Result<void> {
      TM_ASSIGN(const std::int64_t small, tables.SmallFiles(*view));
      std::int64_t& left = small_left_[view->id];
      if (small < left + kSmallFilesMax) return {};
      TM_TRY(tables.Compact(*view, stop));
      TM_ASSIGN(left, tables.SmallFiles(*view));
      return {};
    });
    if (!expires) continue;
    Step("expiring snapshots of " + name, [&]() -> Result<void> {
      TM_TRY(tables.ExpireSnapshots(
          *view, {.older_than_us = now_us - parts_.settings.snapshot_age_us, .keep = kSnapshotsKept}));
      return {};
    });
  }
  if (!expires) return;
  expired_us_ = now_us;
  Step("forgetting erasures", [&] { return tables.ForgetErasures(); });
}

void StopAllMaintenance() {
  Workers::Get().StopAll();
}

}  // namespace tidemark
