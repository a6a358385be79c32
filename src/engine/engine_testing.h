// A whole store out of parts in memory, for tests of the engine: sources, registry, online store and clock
// are the test's to set.
#pragma once

#include <arrow/table.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/write_times.h"
#include "engine/catalog.h"
#include "engine/historical.h"
#include "engine/materialize.h"
#include "store/function_runner.h"
#include "store/memory_online_store_testing.h"
#include "store/memory_registry_testing.h"
#include "store/memory_source_testing.h"
#include "tidemark/online.h"

namespace tidemark::testing_support {

/// 2024-05-01T12:00:00Z, and so many seconds later.
std::int64_t AtSecond(std::int64_t seconds);

class Scene {
 public:
  /// A source at `path`: its files. More may be added, changed or removed between calls.
  std::vector<MemoryFile>& source(const std::string& path) { return sources_[path]; }
  /// Applies definitions (JSON) to the project; fails the test if that fails.
  void Apply(const std::string& definitions);

  std::shared_ptr<const Catalog> catalog() const;
  SourceOpener opener() const;
  SourceOpeners openers() const { return {opener(), {}}; }

  /// The training set of `features` (view:feature, view) for entity rows that come in batches of a few rows.
  Result<std::shared_ptr<arrow::Table>> Historical(
      const std::shared_ptr<arrow::Table>& entity_rows, const std::vector<std::string>& features,
      const std::function<void(HistoricalRequest&)>& adjust = {});

  Result<MaterializedView> Load(const std::string& view,
                                const std::function<void(MaterializeRequest&)>& adjust = {});

  Result<std::shared_ptr<const OnlineReader>> Prepare(const std::vector<std::string>& features);
  /// The online answer for entities given as int64 or text columns in the order of the reader's keys, with
  /// statuses.
  Result<std::shared_ptr<arrow::RecordBatch>> Online(const std::vector<std::string>& features,
                                                     const arrow::ArrayVector& keys);

  /// Who runs Python functions: nobody at first.
  std::shared_ptr<FunctionRunner> functions = nullptr;

  ManualClock& clock() { return *clock_; }
  MemoryOnlineStore& online() { return *online_; }
  MemoryRegistry& registry() { return *registry_; }
  WriteTimes& write_times() { return write_times_; }
  MemorySource::Reads& reads() { return *reads_; }
  void ReplaceOnline(const std::string& identity) { online_ = std::make_shared<MemoryOnlineStore>(identity); }
  std::shared_ptr<MemoryOnlineStore> shared_online() const { return online_; }
  std::shared_ptr<MemoryRegistry> shared_registry() const { return registry_; }
  std::shared_ptr<ManualClock> shared_clock() const { return clock_; }
  const std::vector<std::string>& warnings() const { return warnings_; }  // of the last Historical

 private:
  std::map<std::string, std::vector<MemoryFile>> sources_;
  std::shared_ptr<MemorySource::Reads> reads_ = std::make_shared<MemorySource::Reads>();
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
  std::shared_ptr<MemoryOnlineStore> online_ = std::make_shared<MemoryOnlineStore>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(AtSecond(1'000'000));
  WriteTimes write_times_;
  std::vector<std::string> warnings_;
};

std::shared_ptr<arrow::Table> TableOf(const std::vector<TextColumn>& columns);
/// A column of a table or batch as text, one value after another: `1, null, "a"`.
std::string TextOf(const arrow::Table& table, const std::string& column);
std::string TextOf(const arrow::RecordBatch& batch, const std::string& column);

inline const std::shared_ptr<arrow::DataType> kMicros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");

}  // namespace tidemark::testing_support
