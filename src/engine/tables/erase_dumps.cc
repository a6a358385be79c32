// The keys themselves are not known any more when an erasure is completed later: values are looked at by
// their hashes.
#include <arrow/array.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/result.h"
#include "engine/online_rows.h"
#include "engine/tables/erase_dumps_internal.h"
#include "engine/tables/erasures.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// A dump that was begun so long after a fence was asked for has not read what is before it.
constexpr std::int64_t kFenceTakesUs = std::int64_t{60} * 1'000'000;

bool IsInteger(TypeKind kind) {
  return kind == TypeKind::kInt32 || kind == TypeKind::kInt64;
}

bool IsText(const arrow::DataType& type) {
  return arrow::is_base_binary_like(type.id()) || type.id() == arrow::Type::STRING_VIEW ||
         type.id() == arrow::Type::BINARY_VIEW;
}

/// True if a column of this type can hold keys of the other one.
bool MayBeKeys(const arrow::DataType& type, TypeKind key) {
  switch (key) {
    case TypeKind::kInt32:
    case TypeKind::kInt64:
      return arrow::is_integer(type.id());
    case TypeKind::kBool:
      return type.id() == arrow::Type::BOOL;
    case TypeKind::kTimestamp:
      return type.id() == arrow::Type::TIMESTAMP;
    default:
      return IsText(type);
  }
}

/// Integers that are the whole of some text.
Result<std::shared_ptr<arrow::Array>> IntegersIn(const arrow::StringArray& texts) {
  arrow::Int64Builder found;
  for (std::int64_t row = 0; row < texts.length(); ++row) {
    const std::string_view text = texts.GetView(row);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size())
      TM_TRY(FromArrowStatus(found.Append(value)));
  }
  return FromArrowResult(found.Finish());
}

class DumpSearch {
 public:
  DumpSearch(const CatalogView& view, const Erasures& erased, const std::stop_token& stop)
      : view_(view), erased_(erased), stop_(stop) {}

  /// True if the dump may hold an erased key.
  Result<bool> MayHold(const DumpInfo& dump, arrow::RecordBatchReader& rows) const {
    const bool has_one_key = view_.join_keys.size() == 1;
    if (has_one_key) {
      TM_ASSIGN(const bool is_named, IsNamedIn(dump.sql));
      if (is_named) return true;
    }
    std::vector<int> keys;
    if (!has_one_key) keys = KeyColumns(*rows.schema());
    if (!has_one_key && (keys.empty() || dump.tables.size() > 1)) return true;
    while (true) {
      if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_ASSIGN(const auto batch, FromArrowResult(rows.Next()));
      if (batch == nullptr) return false;
      if (has_one_key) {
        for (const auto& column : batch->columns()) {
          TM_ASSIGN(const bool holds, LeavesHold(column));
          if (holds) return true;
        }
      } else {
        TM_ASSIGN(const bool holds, RowsHold(*batch, keys));
        if (holds) return true;
      }
    }
  }

 private:
  bool IsErased(const OnlineKeyWriter& writer, std::int64_t rows) const {
    std::string key;
    for (std::int64_t row = 0; row < rows; ++row) {
      key.clear();
      writer.Append(row, key);
      if (erased_.IsErased(key, std::numeric_limits<std::int64_t>::min())) return true;
    }
    return false;
  }

  /// Of a table with one join key: whether one of the values is an erased key.
  Result<bool> ValuesHold(const std::shared_ptr<arrow::Array>& values) const {
    const JoinKey& key = view_.join_keys.front();
    std::shared_ptr<arrow::Array> plain = values;
    if (plain->null_count() > 0) {
      TM_ASSIGN(plain, FromArrowResult(arrow::compute::DropNull(*plain)));
    }
    if (IsInteger(key.type->kind) && IsText(*plain->type())) {
      TM_ASSIGN(const auto texts, CastColumn(plain, {.kind = TypeKind::kString}, key.name, 0));
      TM_ASSIGN(plain, IntegersIn(static_cast<const arrow::StringArray&>(*texts)));
    } else if (!MayBeKeys(*plain->type(), key.type->kind)) {
      return false;
    }
    const auto canonical = CanonicalKey(plain, *key.type, key.name, 0);
    if (!canonical) return true;  // nobody can tell
    return IsErased(OnlineKeyWriter(view_.id, {*canonical}), (*canonical)->length());
  }

  /// The same of what lies within a nested column.
  Result<bool> LeavesHold(const std::shared_ptr<arrow::Array>& array) const {
    if (array->type_id() == arrow::Type::DICTIONARY)
      return LeavesHold(static_cast<const arrow::DictionaryArray&>(*array).dictionary());
    if (!arrow::is_nested(array->type_id())) return ValuesHold(array);
    for (const auto& child : array->data()->child_data) {
      if (child == nullptr) continue;
      TM_ASSIGN(const bool holds, LeavesHold(arrow::MakeArray(child)));
      if (holds) return true;
    }
    return false;
  }

  /// The dump's columns of the join keys; none if they are not all there.
  std::vector<int> KeyColumns(const arrow::Schema& schema) const {
    std::vector<int> columns;
    for (const JoinKey& key : view_.join_keys) {
      for (int i = 0; i < schema.num_fields(); ++i) {
        if (FoldName(schema.field(i)->name()) != FoldName(key.name)) continue;
        if (!MayBeKeys(*schema.field(i)->type(), key.type->kind)) return {};
        columns.push_back(i);
        break;
      }
    }
    if (columns.size() != view_.join_keys.size()) columns.clear();
    return columns;
  }

  Result<bool> RowsHold(const arrow::RecordBatch& batch, const std::vector<int>& columns) const {
    arrow::Int64Builder whole;
    for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
      const bool is_whole =
          std::ranges::none_of(columns, [&](int column) { return batch.column(column)->IsNull(row); });
      if (is_whole) TM_TRY(FromArrowStatus(whole.Append(row)));
    }
    TM_ASSIGN(const auto places, FromArrowResult(whole.Finish()));
    arrow::ArrayVector keys;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TM_ASSIGN(const arrow::Datum taken,
                FromArrowResult(arrow::compute::Take(batch.column(columns[i]), places)));
      const JoinKey& key = view_.join_keys[i];
      auto canonical = CanonicalKey(taken.make_array(), *key.type, key.name, 0);
      if (!canonical) return true;  // nobody can tell
      keys.push_back(*std::move(canonical));
    }
    return IsErased(OnlineKeyWriter(view_.id, keys), places->length());
  }

  /// True if a number or a text in quotes of the statement is an erased key.
  Result<bool> IsNamedIn(std::string_view sql) const {
    arrow::StringBuilder words;
    for (std::size_t at = 0; at < sql.size();) {
      const char c = sql[at];
      const auto is_digit = [&](std::size_t i) { return i < sql.size() && sql[i] >= '0' && sql[i] <= '9'; };
      std::size_t end = at + 1;
      if (c == '\'') {
        while (end < sql.size() && sql[end] != c)
          ++end;
        TM_TRY(FromArrowStatus(words.Append(std::string(sql.substr(at + 1, end - at - 1)))));
        ++end;
      } else if (is_digit(at) || (c == '-' && is_digit(at + 1))) {
        while (is_digit(end))
          ++end;
        TM_TRY(FromArrowStatus(words.Append(std::string(sql.substr(at, end - at)))));
      }
      at = end;
    }
    TM_ASSIGN(const auto texts, FromArrowResult(words.Finish()));
    return ValuesHold(texts);
  }

  const CatalogView& view_;
  const Erasures& erased_;
  const std::stop_token& stop_;
};

Erasures ErasedBy(std::span<const ErasureReceipt> receipts, std::shared_ptr<const KeyedHash> hash) {
  std::vector<Fence> fences;
  for (const ErasureReceipt& receipt : receipts) {
    for (const KeyMark& mark : receipt.marks)
      fences.push_back({.key = mark, .upto_us = receipt.fence_us});
  }
  return {std::move(fences), std::move(hash)};
}

}  // namespace

Result<ErasedDumps> EraseFromDumps(const CatalogView& view, Dumps& dumps,
                                   std::span<const ErasureReceipt> receipts,
                                   std::shared_ptr<const KeyedHash> hash, const std::stop_token& stop) {
  ErasedDumps erased;
  if (receipts.empty()) return erased;
  // Those that are being written first: one that is finished meanwhile is listed.
  TM_ASSIGN(const auto written, dumps.BeingWritten());
  for (const auto& [id, tables] : written) {
    if (std::ranges::find(tables, view.id) == tables.end()) continue;
    erased.pending.push_back(
        fmt::format("dump {} of the table is being written: it is looked at when it is done, with the next "
                    "flush, erasure, or work in the background",
                    id));
  }
  std::int64_t asked_us = std::numeric_limits<std::int64_t>::min();
  for (const ErasureReceipt& receipt : receipts)
    asked_us = std::max(asked_us, receipt.asked_us);
  const Erasures keys = ErasedBy(receipts, std::move(hash));
  const DumpSearch search(view, keys, stop);
  TM_ASSIGN(const auto listed, dumps.List());
  for (const DumpInfo& dump : listed) {
    // Of one whose information cannot be read nobody knows what it has read.
    const bool is_known = !dump.sql.empty();
    if (is_known && std::ranges::find(dump.feature_tables, view.id) == dump.feature_tables.end()) continue;
    if (is_known && dump.begun_us > asked_us + kFenceTakesUs) continue;
    auto rows = dumps.Read(dump.id, stop);
    if (!rows && rows.error().code == ErrorCode::kNotFound) continue;  // removed just now
    if (!rows && rows.error().code == ErrorCode::kCancelled) return std::unexpected(rows.error());
    bool may_hold = true;  // what cannot be read
    if (rows) {
      TM_ASSIGN(may_hold, search.MayHold(dump, **rows));
    }
    if (!may_hold) continue;
    auto removed = dumps.Remove(dump.id);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return std::unexpected(removed.error());
    erased.removed.push_back(dump.id);
  }
  return erased;
}

}  // namespace tidemark
