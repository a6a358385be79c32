// Records as lookups find them, written as JSON.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/sagemaker/groups.h"
#include "server/sagemaker/record_writes.h"
#include "tidemark/online.h"

namespace tidemark::sagemaker {

/// The records of some identifiers. Reuse it: buffers are kept. Not thread safe.
class RecordLookup {
 public:
  /// Looks them up in one go. Each must have passed CheckIdentifier.
  Result<void> Read(const OpenGroup& group, std::span<const std::string_view> identifiers);

  /// Whether lookups see the record: it is there, neither deleted nor expired.
  bool is_found(std::size_t row) const;
  /// What is stored of it, whether or not it is seen.
  StoredRow stored(std::size_t row) const;
  EventText event(std::size_t row) const;

  /// Appends `[{"FeatureName": ..., "ValueAsString": ...}]` of the features, by index; nulls are left out.
  Result<void> AppendRecord(std::size_t row, std::span<const std::size_t> features, std::string& out) const;

  /// A value as it would be sent to write it again; false for a null. `texts` holds what it refers to.
  Result<bool> Value(std::size_t row, std::size_t feature, std::deque<std::string>& texts,
                     FeatureValue& value) const;

 private:
  Result<void> Nested();
  bool is_null(std::size_t row, const Feature& feature) const;
  void AppendText(std::size_t row, const Feature& feature, std::string& out) const;
  Result<void> AppendItems(std::size_t row, const Feature& feature, std::string& out) const;
  Result<std::vector<std::string>> Items(std::size_t row, const Feature& feature) const;

  const Group* group_ = nullptr;
  OnlineResult result_;
  std::vector<std::string> identifiers_;        // as they are stored
  std::vector<std::int64_t> numbers_;           // the same, where they are numbers
  std::shared_ptr<arrow::RecordBatch> nested_;  // of groups with collections
};

/// A value of a column, of a type that features have, as text.
std::string ItemText(const arrow::Array& items, std::int64_t at);

/// The features that are asked for, by index, all if there are none. kInvalid for one that is not defined.
Answer<std::vector<std::size_t>> FeaturesNamed(const Group& group, std::span<const std::string_view> names);

}  // namespace tidemark::sagemaker
