// Rows on their way into the online store: their keys and packed values.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/catalog.h"
#include "pit/rule.h"
#include "store/online_store.h"
#include "store/packed_row.h"

namespace tidemark {

/// Makes the key bytes of rows of one view from canonical key columns.
class OnlineKeyWriter {
 public:
  /// `keys` are canonical (pit/columns.h), in the order of view.join_keys.
  OnlineKeyWriter(std::uint32_t view_id, const arrow::ArrayVector& keys);

  /// Appends the full key of a row.
  void Append(std::int64_t row, std::string& out) const;

 private:
  std::uint32_t view_id_;
  arrow::ArrayVector keys_;
};

/// Collects rows and hands them to an online store as one merge.
class OnlineBatch {
 public:
  /// All of these must outlive it.
  OnlineBatch(const PackedLayout& layout, std::uint32_t view_id, const arrow::ArrayVector& keys,
              const arrow::ArrayVector& features)
      : keys_(view_id, keys), rows_(layout, features) {}

  Result<void> Add(std::int64_t row, const PackedHeader& header);
  std::size_t size() const { return ends_.size(); }
  std::size_t bytes() const { return bytes_.size(); }

  Result<MergeCounts> Merge(OnlineStore& store, const MergeOptions& options);

  /// The same without the rows that the store holds already, but for their sequence: they count as kept, and
  /// nothing is written for them.
  Result<MergeCounts> MergeChanged(OnlineStore& store, const MergeOptions& options);

 private:
  struct End {
    std::size_t key;    // where the key ends in bytes_
    std::size_t value;  // where the value ends
  };
  std::vector<OnlineWrite> Writes() const;

  OnlineKeyWriter keys_;
  PackedRowWriter rows_;
  std::string bytes_;  // key, value, key, value, ...
  std::vector<End> ends_;
};

/// The layout of the rows that a view writes now.
PackedLayout CurrentLayout(const CatalogView& view);

/// The prefix of all keys of a view.
std::string ViewPrefix(std::uint32_t view_id);

}  // namespace tidemark
