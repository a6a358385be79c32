// What keeps tables in shape while a process lives: one thread for each store that writes.
//
// It flushes a table when its logged rows are many or old, takes over the logs of processes that died,
// compacts when small files have gathered, forgets old snapshots, and completes erasures. What fails is told
// and tried again in a later round.
//
// The thread is made with the first write. It is gone in a forked child, which makes its own with its first
// write; a fork waits for the step that is being done, so that the child finds no lock held by nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/tables/feature_tables.h"
#include "wiring/config.h"

namespace tidemark {

/// Thread safe.
class TableMaintenance {
 public:
  using Views = std::vector<std::shared_ptr<const CatalogView>>;
  struct Parts {
    MaintenanceSettings settings;
    std::function<Result<std::shared_ptr<FeatureTables>>()> tables;
    std::function<Result<Views>()> views;  // all tables of the project
    std::shared_ptr<const Clock> clock;
    std::int64_t interval_ms = 5'000;
    std::function<void(const std::string& message)> tell;  // of what failed; never empty
    std::function<void()> after_round = {};                // for tests
  };

  explicit TableMaintenance(Parts parts);
  /// Ends the thread; a step that may take long is interrupted.
  ~TableMaintenance();
  TableMaintenance(const TableMaintenance&) = delete;
  TableMaintenance& operator=(const TableMaintenance&) = delete;

  /// From now on there is something to maintain. Cheap once the thread is there.
  void Start();

  /// What the thread does in one round. Not to be called while it runs.
  void RunOnce(const std::stop_token& stop);

 private:
  struct Worker;
  friend class Workers;
  friend void StopAllMaintenance();

  void Loop(Worker& worker, const std::stop_token& stop);
  /// One step: never while the process forks; what fails is told, once as long as it fails the same way.
  void Step(const std::string& name, const std::function<Result<void>()>& step);
  void FlushDue(const FeatureTables& tables);
  void Tidy(const FeatureTables& tables, const std::stop_token& stop);

  const Parts parts_;
  // Of the thread alone.
  std::map<std::string, std::string> failures_;       // by step
  std::map<std::uint32_t, std::int64_t> small_left_;  // files that compaction could not make fewer
  std::int64_t tidied_us_ = 0;
  std::int64_t expired_us_ = 0;
  std::mutex mutex_;                // guards worker_
  std::unique_ptr<Worker> worker_;  // last: its thread uses the others
};

/// Ends the threads of all stores of this process, for good: its end is near.
void StopAllMaintenance();

}  // namespace tidemark
