// The conformance suite of OfflineStore: what every adapter must do. An adapter's test registers with
//
//   INSTANTIATE_TEST_SUITE_P(Iceberg, OfflineStoreConformance, testing::Values(OfflineStoreMaker{"folder",
//   ...}),
//   ...);
#pragma once

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/offline_store.h"

namespace tidemark::testing_support {

/// A place that holds the tables of one store, none at first, and is gone with this object.
class OfflineStorePlace {
 public:
  virtual ~OfflineStorePlace() = default;
  /// Opens one more instance over what the place holds, as another process would.
  virtual Result<std::unique_ptr<OfflineStore>> Open() = 0;
  /// By which its commits are dated.
  virtual ManualClock& clock() = 0;
  /// How many data files there are, of whatever state.
  virtual std::int64_t data_files() const = 0;
  /// What a writer that died leaves in a table; how many files that are.
  virtual std::int64_t LeaveOrphans(const OfflineTable& table) = 0;
};

struct OfflineStoreMaker {
  std::string name;
  std::function<std::unique_ptr<OfflineStorePlace>()> make_place;
};

class OfflineStoreConformance : public testing::TestWithParam<OfflineStoreMaker> {
 protected:
  OfflineStoreConformance();
  ~OfflineStoreConformance() override;

  std::unique_ptr<OfflineStore> Open();
  std::unique_ptr<OfflineTable> CreateTable(TableId id = 1);

  std::unique_ptr<OfflineStorePlace> place_;
  std::unique_ptr<OfflineStore> store_;
};

/// Printed instead of the bytes of the parameter.
void PrintTo(const OfflineStoreMaker& maker, std::ostream* out);
/// The name of an instance, for INSTANTIATE_TEST_SUITE_P.
std::string OfflineStoreName(const testing::TestParamInfo<OfflineStoreMaker>& info);

/// Batches as a reader.
std::shared_ptr<arrow::RecordBatchReader> ReaderOf(std::vector<std::shared_ptr<arrow::RecordBatch>> batches);

/// `driver` int64 and `event` timestamp, sorted by these, `rating` float64 and `city` string.
TableLayout DriverLayout();
/// `count` rows of it from `first` on; row i is of driver i.
std::shared_ptr<arrow::RecordBatch> DriverRows(std::int64_t first, std::int64_t count);

/// What the tests of tables do all the time; each fails the test if it fails.
std::unique_ptr<StagedRows> StageRows(OfflineTable& table, std::int64_t first, std::int64_t count);
CommitOutcome AppendRows(OfflineTable& table, std::int64_t first, std::int64_t count,
                         const CommitRule& rule = CommitAlways);
Result<CommitOutcome> RewriteRows(OfflineTable& table, std::vector<std::string> inputs, std::int64_t first,
                                  std::int64_t count);
std::vector<DataFileInfo> FilesOf(const OfflineTable& table, const SnapshotChoice& choice = {});
/// How many rows the files of a snapshot have together.
std::int64_t RowsOf(const OfflineTable& table, const SnapshotChoice& choice = {});

}  // namespace tidemark::testing_support
