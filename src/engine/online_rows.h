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
#include "store/spill.h"

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

/// Rows as they are stored, with their keys: all in one piece of memory, to be merged or put aside.
class PackedRows {
 public:
  std::size_t size() const { return ends_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  /// Makes room for `rows` more like those that were added.
  void Reserve(std::int64_t rows);
  /// The rows as a store merges them; they refer to this object.
  std::vector<OnlineWrite> Writes() const;

  Result<MergeCounts> Merge(OnlineStore& store, const MergeOptions& options) const;

  /// The same without the rows that the store holds already, but for their sequence: they count as kept, and
  /// nothing is written for them.
  Result<MergeCounts> MergeChanged(OnlineStore& store, const MergeOptions& options) const;

  /// Puts them aside; Read gives them back from what `from` says.
  struct Place {
    std::int64_t offset = 0;
    std::size_t rows = 0;
    std::size_t bytes = 0;
    std::int64_t end() const;
  };
  Result<Place> PutAside(std::int64_t offset, Spill& spill) const;
  static Result<PackedRows> Read(const Place& from, const Spill& spill);

 private:
  friend class OnlineBatch;

  struct End {
    std::size_t key;    // where the key ends in bytes_
    std::size_t value;  // where the value ends
  };
  std::string bytes_;  // key, value, key, value, ...
  std::vector<End> ends_;
};

/// Packs rows of columns.
class OnlineBatch {
 public:
  /// All of these must outlive it.
  OnlineBatch(const PackedLayout& layout, std::uint32_t view_id, const arrow::ArrayVector& keys,
              const arrow::ArrayVector& features)
      : keys_(view_id, keys), rows_(layout, features) {}

  Result<void> Add(std::int64_t row, const PackedHeader& header) { return Add(row, header, packed_); }
  /// The same, behind rows that another batch packed.
  Result<void> Add(std::int64_t row, const PackedHeader& header, PackedRows& packed) const;
  const PackedRows& packed() const { return packed_; }

 private:
  OnlineKeyWriter keys_;
  PackedRowWriter rows_;
  PackedRows packed_;
};

/// The layout of the rows that a view writes now.
PackedLayout CurrentLayout(const CatalogView& view);

/// The prefix of all keys of a view.
std::string ViewPrefix(std::uint32_t view_id);

}  // namespace tidemark
