// Fences as text, and the rows that they are about.
#include "engine/tables/erasures.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/result.h"
#include "engine/online_rows.h"
#include "model/feature_table.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::string_view kErased = "erased.";
constexpr std::string_view kUnswept = " unswept";

/// Reads a number at the front, and the space behind it if there is one.
bool TakeNumber(std::string_view& text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

Result<Fence> ReadFence(std::string_view name, std::string_view text) {
  Fence fence;
  fence.is_swept = !text.ends_with(kUnswept);
  if (!fence.is_swept) text.remove_suffix(kUnswept.size());
  std::int64_t tag = 0;
  const bool is_whole = FromHex(name.substr(kErased.size()), fence.key.digest) &&
                        TakeNumber(text, fence.upto_us) && TakeNumber(text, fence.when_us) &&
                        TakeNumber(text, tag) && text.empty() && tag >= 0 &&
                        tag <= std::numeric_limits<std::uint16_t>::max();
  if (!is_whole) {
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("the table's property '{}' cannot be read: it says which rows were erased", name));
  }
  fence.key.tag = static_cast<std::uint16_t>(tag);
  return fence;
}

}  // namespace

std::string FenceName(const KeyMark& key) {
  return std::string(kErased) + ToHex(key.digest);
}

std::string FenceText(const Fence& fence) {
  return fmt::format("{} {} {}{}", fence.upto_us, fence.when_us, fence.key.tag,
                     fence.is_swept ? "" : kUnswept);
}

Result<std::vector<Fence>> FencesOf(const TableProperties& properties) {
  std::vector<Fence> fences;
  for (auto at = properties.lower_bound(std::string(kErased));
       at != properties.end() && at->first.starts_with(kErased); ++at) {
    TM_ASSIGN(Fence fence, ReadFence(at->first, at->second));
    fences.push_back(fence);
  }
  return fences;
}

bool HasNoNewFence(const TableProperties& then, const TableProperties& now) {
  for (auto at = now.lower_bound(std::string(kErased)); at != now.end() && at->first.starts_with(kErased);
       ++at) {
    const auto before = then.find(at->first);
    if (before == then.end()) return false;
    const auto upto = [](std::string_view text) { return text.substr(0, text.find(' ')); };
    if (upto(before->second) != upto(at->second)) return false;
  }
  return true;
}

Result<std::shared_ptr<const Erasures>> Erasures::Of(const TableProperties& properties,
                                                     const KeyedHashFile& hash) {
  TM_ASSIGN(std::vector<Fence> fences, FencesOf(properties));
  if (fences.empty()) return nullptr;
  TM_ASSIGN(auto own, hash.Get(/*make=*/false));
  return std::make_shared<const Erasures>(std::move(fences), std::move(own));
}

Erasures::Erasures(std::vector<Fence> fences, std::shared_ptr<const KeyedHash> hash)
    : fences_(std::move(fences)), hash_(std::move(hash)) {
  for (const Fence& fence : fences_) {
    by_tag_.emplace(fence.key.tag, &fence);
    upto_us_max_ = std::max(upto_us_max_, fence.upto_us);
  }
}

bool Erasures::IsErased(std::string_view key, std::int64_t write_time_us) const {
  if (write_time_us > upto_us_max_) return false;
  const auto [begin, end] = by_tag_.equal_range(hash_->TagOf(key));
  if (begin == end) return false;
  const auto digest = hash_->DigestOf(key);
  return std::any_of(begin, end, [&](const auto& entry) {
    return write_time_us <= entry.second->upto_us && entry.second->key.digest == digest;
  });
}

Result<std::vector<std::int64_t>> Erasures::ErasedRows(const CatalogView& view,
                                                       const arrow::RecordBatch& batch) const {
  arrow::ArrayVector keys;
  for (const JoinKey& key : view.join_keys) {
    TM_ASSIGN(auto canonical, CanonicalKey(batch.GetColumnByName(key.name), *key.type, key.name, 0));
    keys.push_back(std::move(canonical));
  }
  TM_ASSIGN(const auto written,
            TimesToMicros(*batch.GetColumnByName(system_column::kWriteTime), system_column::kWriteTime, 0));
  const OnlineKeyWriter writer(view.id, keys);
  std::vector<std::int64_t> erased;
  std::string key;
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    key.clear();
    writer.Append(row, key);
    if (IsErased(key, written->Value(row))) erased.push_back(row);
  }
  return erased;
}

Result<std::shared_ptr<arrow::RecordBatch>> Erasures::Standing(
    const CatalogView& view, const std::shared_ptr<arrow::RecordBatch>& batch) const {
  TM_ASSIGN(const std::vector<std::int64_t> erased, ErasedRows(view, *batch));
  if (erased.empty()) return batch;
  arrow::Int64Builder builder;
  auto next = erased.begin();
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    if (next != erased.end() && *next == row) {
      ++next;
    } else {
      TM_TRY(FromArrowStatus(builder.Append(row)));
    }
  }
  TM_ASSIGN(const auto standing, FromArrowResult(builder.Finish()));
  TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(batch, standing)));
  return taken.record_batch();
}

}  // namespace tidemark
