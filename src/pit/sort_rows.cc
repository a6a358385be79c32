// Column by column, the last one first: every pass keeps the order of the passes before it.
#include "pit/sort_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <limits>
#include <string_view>

#include "pit/key_order_internal.h"
#include "pit/key_reader_internal.h"

namespace tidemark {
namespace {

using pit_internal::PlaceOfBytes;
using pit_internal::PlaceOfInteger;
using pit_internal::RadixSort;

/// One column to sort by.
class SortColumn {
 public:
  static Result<SortColumn> Make(const arrow::Array& column, std::int64_t rows) {
    if (column.length() != rows || column.null_count() > 0) {
      return Fail(ErrorCode::kInvalidArgument, "rows to sort have columns of other lengths, or with nulls");
    }
    SortColumn made;
    switch (column.type_id()) {
      case arrow::Type::INT64:
        made.integers_ = static_cast<const arrow::Int64Array&>(column).raw_values();
        return made;
      case arrow::Type::BOOL:
        made.bools_ = static_cast<const arrow::BooleanArray*>(&column);
        return made;
      case arrow::Type::BINARY:
        made.binary_ = static_cast<const arrow::BinaryArray*>(&column);
        return made;
      case arrow::Type::LARGE_BINARY:
        made.large_ = static_cast<const arrow::LargeBinaryArray*>(&column);
        return made;
      default:
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("rows are not sorted by a column of type {}", column.type()->ToString()));
    }
  }

  bool is_bytes() const { return binary_ != nullptr || large_ != nullptr; }

  /// Ascends with the values; of bytes only the first eight count.
  std::uint64_t Place(std::int64_t row) const {
    if (integers_ != nullptr) return PlaceOfInteger(integers_[row]);
    if (bools_ != nullptr) return bools_->Value(row) ? 1 : 0;
    return PlaceOfBytes(Bytes(row));
  }

  std::strong_ordering Compare(std::int64_t left, std::int64_t right) const {
    if (const auto places = Place(left) <=> Place(right); places != 0 || !is_bytes()) return places;
    return Bytes(left) <=> Bytes(right);
  }

 private:
  std::string_view Bytes(std::int64_t row) const {
    return binary_ != nullptr ? binary_->GetView(row) : large_->GetView(row);
  }

  const std::int64_t* integers_ = nullptr;
  const arrow::BooleanArray* bools_ = nullptr;
  const arrow::BinaryArray* binary_ = nullptr;
  const arrow::LargeBinaryArray* large_ = nullptr;
};

struct Item {
  std::uint64_t place;
  std::uint32_t row;
};

class Sorting {
 public:
  Sorting(std::vector<SortColumn> columns, std::int64_t rows) : columns_(std::move(columns)), rows_(rows) {}

  SortedRows Run() {
    SortedRows sorted;
    if (!IsSorted()) {
      items_.resize(static_cast<std::size_t>(rows_));
      for (std::size_t i = 0; i < items_.size(); ++i)
        items_[i].row = static_cast<std::uint32_t>(i);
      for (std::size_t i = columns_.size(); i-- > 0;)
        SortBy(columns_[i]);
      sorted.order.reserve(items_.size());
      for (const Item& item : items_)
        sorted.order.push_back(item.row);
    }
    CountRepeats(sorted);
    return sorted;
  }

 private:
  std::strong_ordering Compare(std::int64_t left, std::int64_t right) const {
    for (const SortColumn& column : columns_) {
      if (const auto order = column.Compare(left, right); order != 0) return order;
    }
    return std::strong_ordering::equal;
  }

  bool IsSorted() const {
    for (std::int64_t row = 1; row < rows_; ++row) {
      if (Compare(row - 1, row) > 0) return false;
    }
    return true;
  }

  void SortBy(const SortColumn& column) {
    for (Item& item : items_)
      item.place = column.Place(item.row);
    RadixSort(items_, other_, [](const Item& item) { return item.place; });
    if (column.is_bytes()) SortRuns(column);
  }

  /// Puts those in order whose first eight bytes are the same.
  void SortRuns(const SortColumn& column) {
    for (auto begin = items_.begin(); begin != items_.end();) {
      const auto end = std::find_if(begin, items_.end(),
                                    [place = begin->place](const Item& item) { return item.place != place; });
      const auto less = [&](const Item& left, const Item& right) {
        return column.Compare(left.row, right.row) < 0;
      };
      if (!std::is_sorted(begin, end, less)) std::stable_sort(begin, end, less);
      begin = end;
    }
  }

  void CountRepeats(SortedRows& sorted) const {
    const auto row_at = [&](std::int64_t place) -> std::int64_t {
      return sorted.order.empty() ? place : sorted.order[static_cast<std::size_t>(place)];
    };
    for (std::int64_t place = 1; place < rows_; ++place) {
      if (Compare(row_at(place - 1), row_at(place)) != 0) continue;
      sorted.repeats.resize(static_cast<std::size_t>(rows_), 0);
      const auto at = static_cast<std::size_t>(place);
      sorted.repeats[at] = sorted.repeats[at - 1] + 1;
    }
  }

  const std::vector<SortColumn> columns_;  // keys, event, created
  const std::int64_t rows_;
  std::vector<Item> items_;
  std::vector<Item> other_;  // what a sort needs beside them
};

}  // namespace

Result<SortedRows> SortRows(const SortColumns& columns) {
  const std::int64_t rows = columns.event->length();
  if (rows > std::numeric_limits<std::uint32_t>::max()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} rows are too many to sort at once", rows));
  }
  std::vector<SortColumn> sorted_by;
  for (const auto& key : columns.keys) {
    TM_ASSIGN(SortColumn column, SortColumn::Make(*key, rows));
    sorted_by.push_back(column);
  }
  for (const auto& times : {columns.event, columns.created}) {
    TM_ASSIGN(SortColumn column, SortColumn::Make(*times, rows));
    sorted_by.push_back(column);
  }
  return Sorting(std::move(sorted_by), rows).Run();
}

Result<bool> HaveDifferentKeys(const arrow::ArrayVector& keys, std::int64_t rows) {
  if (rows < 2) return true;
  if (keys.empty()) return false;
  TM_ASSIGN(auto reader, pit_internal::KeyReader::Make(keys, rows));
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(rows));
  reader.ReadBlock(0, hashes);
  std::ranges::sort(hashes);
  return std::ranges::adjacent_find(hashes) == hashes.end();
}

}  // namespace tidemark
