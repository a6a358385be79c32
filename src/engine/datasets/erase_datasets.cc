// Datasets that have rows which are being erased. The keys themselves may not be known any more: values are
// looked at by their hashes.
#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/result.h"
#include "engine/datasets/saved_datasets.h"
#include "engine/online_rows.h"
#include "engine/tables/erasures.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr int kEraseRoundsMax = 20;

Erasures KeysOf(const KeptRowsErasure& erasure) {
  std::vector<Fence> fences;
  for (const ErasureReceipt& receipt : erasure.receipts) {
    for (const KeyMark& mark : receipt.marks)
      fences.push_back({.key = mark, .upto_us = receipt.fence_us});
  }
  return {std::move(fences), erasure.hash};
}

/// True if a row has an erased key in these columns; rows with a null there have none.
Result<bool> BatchHoldsKey(const CatalogView& view, const arrow::RecordBatch& batch,
                           const std::vector<std::string>& columns, const Erasures& erased) {
  arrow::Int64Builder whole;
  arrow::ArrayVector values;
  for (const std::string& column : columns) {
    values.push_back(batch.GetColumnByName(column));
    if (values.back() == nullptr) return false;
  }
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    if (std::ranges::none_of(values, [&](const auto& each) { return each->IsNull(row); }))
      TM_TRY(FromArrowStatus(whole.Append(row)));
  }
  TM_ASSIGN(const auto places, FromArrowResult(whole.Finish()));
  arrow::ArrayVector keys;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const JoinKey& key = view.join_keys[i];
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(values[i], places)));
    auto canonical = CanonicalKey(taken.make_array(), *key.type, key.name, 0);
    if (!canonical) return true;  // nobody can tell
    keys.push_back(*std::move(canonical));
  }
  const OnlineKeyWriter writer(view.id, keys);
  std::string key;
  for (std::int64_t row = 0; row < places->length(); ++row) {
    key.clear();
    writer.Append(row, key);
    if (erased.IsErased(key, std::numeric_limits<std::int64_t>::min())) return true;
  }
  return false;
}

std::string ErasureText(const KeptRowsErasure& erasure) {
  const ErasureReceipt& receipt = erasure.receipts.back();
  return fmt::format("erasure {} from table '{}' at {}", receipt.id, receipt.table,
                     FormatTimestampUs(receipt.asked_us));
}

}  // namespace

Result<bool> HaveErasedKey(arrow::RecordBatchReader& rows,
                           const std::vector<std::vector<std::string>>& key_columns,
                           const KeptRowsErasure& erasure) {
  const Erasures erased = KeysOf(erasure);
  while (true) {
    if (erasure.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    TM_ASSIGN(const auto batch, FromArrowResult(rows.Next()));
    if (batch == nullptr) return false;
    for (const auto& columns : key_columns) {
      TM_ASSIGN(const bool holds, BatchHoldsKey(erasure.view, *batch, columns, erased));
      if (holds) return true;
    }
  }
}

Result<ErasedKeptRows> SavedDatasets::Erase(const KeptRowsErasure& erasure) {
  ErasedKeptRows erased;
  TM_TRY(RemoveRemains());
  // Anew if one was settled, or saved again, while it was looked at.
  for (int round = 0; round < kEraseRoundsMax; ++round) {
    TM_ASSIGN(const auto all, register_.All());
    bool is_stale = false;
    for (const DatasetRegister::Entry& entry : all) {
      if (erasure.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      const auto touched = EraseFrom(entry, erasure, is_stale);
      if (!touched) return std::unexpected(Error(touched.error()).In("saved dataset " + entry.dataset.name));
      if (*touched && std::ranges::find(erased.touched, entry.dataset.name) == erased.touched.end())
        erased.touched.push_back(entry.dataset.name);
    }
    if (!is_stale) return erased;
  }
  erased.pending.emplace_back(
      "saved datasets are being saved all the time: they are looked at with the next flush, erasure, or work "
      "in the background");
  return erased;
}

Result<bool> SavedDatasets::EraseFrom(const DatasetRegister::Entry& entry, const KeptRowsErasure& erasure,
                                      bool& is_stale) {
  const SavedDataset& dataset = entry.dataset;
  const auto table = std::ranges::find(dataset.tables, erasure.view.id, &UsedTable::view_id);
  if (table == dataset.tables.end()) return false;
  const bool is_being_made = !entry.is_settled;
  // One that was killed here has not come to this.
  if (entry.is_settled && dataset.state == SavedDataset::State::kErased) TM_TRY(RemoveRows(dataset));
  TM_ASSIGN(const bool is_pinned_erased, erasure.holds_erased(dataset.tag()));
  bool rows_hold = false;
  if (!is_being_made && !dataset.are_rows_removed) {
    TM_ASSIGN(rows_hold, RowsHoldErased(dataset, *table, erasure));
  }
  // One that has not tagged its snapshot yet may have read before the fence.
  if (!is_pinned_erased && !rows_hold && !is_being_made) return false;
  if (is_being_made && dataset.state == SavedDataset::State::kErased) return true;
  SavedDataset after = dataset;
  if (after.state != SavedDataset::State::kErased) after.erasure = ErasureText(erasure);
  after.state = SavedDataset::State::kErased;
  after.are_rows_removed = dataset.are_rows_removed || rows_hold;
  TM_ASSIGN(const bool is_put, register_.Put(entry, after));
  if (!is_put) {
    is_stale = true;
    return false;
  }
  TM_TRY(Unpin(dataset));
  if (!is_being_made) TM_TRY(RemoveRows(after));
  return true;
}

/// May be repeated.
Result<void> SavedDatasets::RemoveRows(const SavedDataset& dataset) const {
  TM_TRY(parts_.files->Remove(parts_.files->OwnPath(dataset.id, kEntityRowsFile)));
  const auto path = PathOf(dataset);
  if (!dataset.are_rows_removed || !parts_.files->IsThere(path)) return {};
  TM_ASSIGN(const FileSum sum, parts_.files->SumOf(path, {}));
  return sum == dataset.sum ? parts_.files->Remove(path) : Result<void>();
}

Result<bool> SavedDatasets::RowsHoldErased(const SavedDataset& dataset, const UsedTable& table,
                                           const KeptRowsErasure& erasure) const {
  const auto path = PathOf(dataset);
  if (!parts_.files->IsThere(path)) return false;
  TM_ASSIGN(const FileSum sum, parts_.files->SumOf(path, erasure.stop));
  if (sum != dataset.sum) return false;  // somebody else's by now
  TM_ASSIGN(const auto rows, parts_.files->Read(path, erasure.stop));
  return HaveErasedKey(*rows, table.key_columns, erasure);
}

}  // namespace tidemark
