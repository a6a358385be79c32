// The conformance suite for OnlineStore: what every adapter must do, and the rows that its tests are made of.
//
// An adapter registers in its own test:
//   INSTANTIATE_TEST_SUITE_P(Lmdb, OnlineStoreConformance, testing::Values(OnlineStoreFactory{...}));
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/online_store.h"
#include "store/packed_row.h"

namespace tidemark::testing_support {

/// A new folder, removed in the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The full key of one string value in a view.
std::string TestKey(std::uint32_t view_id, std::string_view value);

/// A row with one string column, packed for `key`.
std::string TestRow(std::string_view key, const RowOrder& order, std::string_view payload,
                    bool is_deleted = false);

/// The payload of such a row.
std::string TestPayload(std::span<const std::byte> row);

/// A row and its key, kept together.
struct TestWrite {
  std::string key;
  std::string row;
  OnlineWrite write() const { return {key, std::as_bytes(std::span(row))}; }
};
std::vector<OnlineWrite> Writes(const std::vector<TestWrite>& writes);

/// What Get answers for the keys: the rows' bytes, empty for absent ones. Fails the test on an error.
std::vector<std::string> GetAll(const OnlineStore& store, const std::vector<std::string>& keys);

/// All rows with a prefix. Fails the test on an error.
std::map<std::string, std::string> ScanAll(const OnlineStore& store, std::string_view prefix);

/// How the suite opens the adapter's store: an empty one for a folder that it has not been called with
/// before, the same one again for the same folder. The secret of marks is "erase.key" beside the folder.
struct OnlineStoreFactory {
  std::string name;
  std::function<Result<std::unique_ptr<OnlineStore>>(const std::string& folder)> open;
};
void PrintTo(const OnlineStoreFactory& factory, std::ostream* out);

class OnlineStoreConformance : public testing::TestWithParam<OnlineStoreFactory> {
 protected:
  void SetUp() override;
  std::unique_ptr<OnlineStore> Open() const;
  /// With the secret that the store under test looks for.
  OnlineErasure ErasureOf(std::string_view key, std::int64_t sequence_max) const;

  TemporaryFolder folder_;
  std::unique_ptr<OnlineStore> store_;
};

}  // namespace tidemark::testing_support
