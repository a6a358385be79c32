// Which rows of a table have been erased, as its properties say.
//
//   erased.<digest>  "<write time> <when> <tag>", and "unswept" behind that as long as data files may have
//   rows
//
// A fence stands for one key, by its keyed hash: rows of it that were written up to the fence's write time
// are gone for every reader, and never reach files or the online store again. It is committed before anything
// is removed, and goes when nothing can bring such a row any more.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/keyed_hash.h"
#include "engine/catalog.h"
#include "store/offline_store.h"

namespace tidemark {

struct Fence {
  KeyMark key;
  std::int64_t upto_us = 0;  // write time
  std::int64_t when_us = 0;  // it was put up
  bool is_swept = false;     // no data file of the newest snapshot has rows of it
  bool operator==(const Fence&) const = default;
};

std::string FenceName(const KeyMark& key);
std::string FenceText(const Fence& fence);
/// kCorruption for one that cannot be read: rows that are to be gone would come back.
Result<std::vector<Fence>> FencesOf(const TableProperties& properties);

/// True if no fence of `now` is newer than those of `then`: what was read then holds no row that is to be
/// gone.
bool HasNoNewFence(const TableProperties& then, const TableProperties& now);

/// The fences of a table, to be asked. Immutable.
class Erasures {
 public:
  /// Null if no fence stands. `hash` gives the store's keyed hash.
  static Result<std::shared_ptr<const Erasures>> Of(const TableProperties& properties,
                                                    const KeyedHashFile& hash);
  Erasures(std::vector<Fence> fences, std::shared_ptr<const KeyedHash> hash);

  /// By the full key (model/key_codec.h).
  bool IsErased(std::string_view key, std::int64_t write_time_us) const;

  /// The rows of a batch (with the view's join keys and write_time) that are erased, ascending.
  Result<std::vector<std::int64_t>> ErasedRows(const CatalogView& view,
                                               const arrow::RecordBatch& batch) const;
  /// The batch without them: itself if there are none.
  Result<std::shared_ptr<arrow::RecordBatch>> Standing(
      const CatalogView& view, const std::shared_ptr<arrow::RecordBatch>& batch) const;

  const std::vector<Fence>& fences() const { return fences_; }

 private:
  const std::vector<Fence> fences_;
  const std::shared_ptr<const KeyedHash> hash_;
  std::unordered_multimap<std::uint16_t, const Fence*> by_tag_;
  std::int64_t upto_us_max_ = 0;
};

}  // namespace tidemark
