// Asked locations are sorted out by fragment; within one, a bitmap gives the distinct rows in order and their
// ranks, so nothing is sorted.
#include "engine/row_values.h"

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"
#include "base/result.h"
#include "model/type_width.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kMeasuredRows = 1000;
constexpr std::int64_t kVariableWidthBytesMin = 16;
constexpr std::int64_t kUncountedWidthBytes = 32;

std::int64_t BytesOf(const arrow::Array& values) {
  const auto referenced = arrow::util::ReferencedBufferSize(values);
  return referenced.ok() ? *referenced : arrow::util::TotalBufferSize(values);
}

/// The distinct rows asked of one fragment.
class FragmentRows {
 public:
  void Mark(std::int64_t row) {
    const auto word = static_cast<std::size_t>(row >> 6);
    if (word >= bits_.size()) bits_.resize(word + 1);
    bits_[word] |= std::uint64_t{1} << (row & 63);
  }

  void BuildRanks() {
    ranks_.resize(bits_.size());
    std::int32_t rank = 0;
    for (std::size_t word = 0; word < bits_.size(); ++word) {
      ranks_[word] = rank;
      rank += std::popcount(bits_[word]);
    }
    count_ = rank;
  }

  std::int32_t RankOf(std::int64_t row) const {
    const auto word = static_cast<std::size_t>(row >> 6);
    const std::uint64_t below = bits_[word] & ((std::uint64_t{1} << (row & 63)) - 1);
    return ranks_[word] + std::popcount(below);
  }

  std::vector<std::int64_t> Rows() const {
    std::vector<std::int64_t> rows;
    rows.reserve(static_cast<std::size_t>(count_));
    for (std::size_t word = 0; word < bits_.size(); ++word) {
      for (std::uint64_t left = bits_[word]; left != 0; left &= left - 1) {
        rows.push_back(static_cast<std::int64_t>(word * 64) + std::countr_zero(left));
      }
    }
    return rows;
  }

  std::int32_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<std::int32_t> ranks_;  // distinct rows before each word
  std::int32_t count_ = 0;
};

/// What is asked, by fragment: asks [begin[f], begin[f + 1]) of `asks` are indexes into the locations.
struct AsksByFragment {
  std::vector<std::size_t> begin;
  std::vector<std::uint32_t> asks;
};

std::size_t FragmentOf(const std::vector<Fragment>& fragments, RowLocation location) {
  const auto after = std::ranges::upper_bound(fragments, location, {}, &Fragment::first_location);
  TM_CHECK(after != fragments.begin(), "a row lies before the first fragment");
  return static_cast<std::size_t>(after - fragments.begin()) - 1;
}

AsksByFragment SortOut(const std::vector<Fragment>& fragments, std::span<const RowLocation> locations) {
  AsksByFragment sorted;
  sorted.begin.assign(fragments.size() + 1, 0);
  std::vector<std::uint32_t> fragment_of(locations.size());
  std::size_t last = 0;
  for (std::size_t i = 0; i < locations.size(); ++i) {
    if (locations[i] == kNoRow) continue;
    const bool same = locations[i] >= fragments[last].first_location &&
                      (last + 1 == fragments.size() || locations[i] < fragments[last + 1].first_location);
    if (!same) last = FragmentOf(fragments, locations[i]);
    fragment_of[i] = static_cast<std::uint32_t>(last);
    ++sorted.begin[last + 1];
  }
  for (std::size_t f = 0; f < fragments.size(); ++f)
    sorted.begin[f + 1] += sorted.begin[f];
  sorted.asks.resize(sorted.begin.back());
  std::vector<std::size_t> next(sorted.begin.begin(), sorted.begin.end() - 1);
  for (std::size_t i = 0; i < locations.size(); ++i) {
    if (locations[i] != kNoRow) sorted.asks[next[fragment_of[i]]++] = static_cast<std::uint32_t>(i);
  }
  return sorted;
}

class Reading {
 public:
  Reading(const ViewSource& source, const std::vector<Fragment>& fragments,
          std::span<const RowLocation> locations, const RowValuesOptions& options)
      : source_(source), fragments_(fragments), locations_(locations), options_(options) {}

  Result<RowValues> Run() {
    values_.index.assign(locations_.size(), -1);
    if (!fragments_.empty()) asks_ = SortOut(fragments_, locations_);
    for (std::size_t f = 0; f < fragments_.size(); ++f) {
      if (asks_.begin[f + 1] > asks_.begin[f]) used_.push_back(f);
    }
    rows_.resize(used_.size());
    parts_.resize(used_.size());
    TM_TRY(ParallelFor(used_.size(), options_.threads, options_.stop,
                       [this](std::size_t i, std::size_t) { return MarkRows(i); }));
    TM_TRY(PlaceParts());
    TM_TRY(ParallelFor(used_.size(), options_.threads, options_.stop,
                       [this](std::size_t i, std::size_t) { return ReadPart(i); }));
    TM_TRY(JoinParts());
    return std::move(values_);
  }

 private:
  std::int64_t RowOf(std::size_t used, std::uint32_t ask) const {
    return static_cast<std::int64_t>(locations_[ask] - fragments_[used_[used]].first_location);
  }

  std::span<const std::uint32_t> AsksOf(std::size_t used) const {
    const std::size_t f = used_[used];
    return std::span(asks_.asks).subspan(asks_.begin[f], asks_.begin[f + 1] - asks_.begin[f]);
  }

  Result<void> MarkRows(std::size_t used) {
    for (const std::uint32_t ask : AsksOf(used))
      rows_[used].Mark(RowOf(used, ask));
    rows_[used].BuildRanks();
    return {};
  }

  Result<void> PlaceParts() {
    std::int64_t at = 0;
    for (const FragmentRows& rows : rows_) {
      first_.push_back(static_cast<std::int32_t>(at));
      at += rows.count();
    }
    TM_CHECK(at <= std::numeric_limits<std::int32_t>::max(), "more distinct rows than a block may have");
    return {};
  }

  Result<void> ReadPart(std::size_t used) {
    const std::vector<std::int64_t> rows = rows_[used].Rows();
    const Fragment& fragment = fragments_[used_[used]];
    if (options_.with_keys) {
      TM_ASSIGN(parts_[used].keys, source_.TakeKeys(fragment, rows));
    }
    if (!options_.features.empty()) {
      TM_ASSIGN(parts_[used].features, source_.TakeFeatures(fragment, options_.features, rows));
    }
    for (const std::uint32_t ask : AsksOf(used)) {
      values_.index[ask] = first_[used] + rows_[used].RankOf(RowOf(used, ask));
    }
    rows_[used] = {};
    return {};
  }

  /// One column of all parts; the parts' pieces are given up as it goes, so that memory does not double.
  Result<void> JoinColumn(arrow::ArrayVector RowValues::* side, std::size_t column) {
    arrow::ArrayVector pieces;
    for (RowValues& part : parts_)
      pieces.push_back(std::move((part.*side)[column]));
    if (pieces.size() == 1) {
      (values_.*side)[column] = std::move(pieces.front());
      return {};
    }
    TM_ASSIGN((values_.*side)[column], FromArrowResult(arrow::Concatenate(pieces, BufferPool())));
    return {};
  }

  /// No row at all was asked for: columns of no values.
  Result<void> MakeEmpty() {
    for (const Field& field : options_.features) {
      TM_ASSIGN(auto column, FromArrowResult(arrow::MakeEmptyArray(ToArrow(field.type))));
      values_.features.push_back(std::move(column));
    }
    return {};
  }

  Result<void> JoinParts() {
    if (parts_.empty()) return MakeEmpty();
    for (const auto side : {&RowValues::keys, &RowValues::features}) {
      const std::size_t columns = (parts_.front().*side).size();
      (values_.*side).resize(columns);
      TM_TRY(ParallelFor(columns, options_.threads, options_.stop,
                         [this, side](std::size_t column, std::size_t) { return JoinColumn(side, column); }));
    }
    return {};
  }

  const ViewSource& source_;
  const std::vector<Fragment>& fragments_;
  const std::span<const RowLocation> locations_;
  const RowValuesOptions& options_;
  AsksByFragment asks_;
  std::vector<std::size_t> used_;  // fragments with asked rows
  std::vector<FragmentRows> rows_;
  std::vector<std::int32_t> first_;  // place of each part's first row in the joined columns
  std::vector<RowValues> parts_;     // their index is not used
  RowValues values_;
};

/// Gathers values of one fixed width; nulls come from negative indexes and from the values' own.
template <typename Word>
Result<std::shared_ptr<arrow::Array>> GatherFixed(const arrow::ArrayData& values,
                                                  std::span<const std::int32_t> index) {
  const auto rows = static_cast<std::int64_t>(index.size());
  TM_ASSIGN(auto data, FromArrowResult(arrow::AllocateBuffer(rows * static_cast<std::int64_t>(sizeof(Word)),
                                                             BufferPool())));
  TM_ASSIGN(auto valid, FromArrowResult(arrow::AllocateEmptyBitmap(rows, BufferPool())));
  const Word* from = values.GetValues<Word>(1);
  auto* to = reinterpret_cast<Word*>(data->mutable_data());
  std::uint8_t* valid_bits = valid->mutable_data();
  const std::uint8_t* from_valid = values.MayHaveNulls() ? values.buffers[0]->data() : nullptr;
  std::int64_t nulls = 0;
  for (std::size_t i = 0; i < index.size(); ++i) {
    const std::int32_t at = index[i];
    const bool present =
        at >= 0 && (from_valid == nullptr || arrow::bit_util::GetBit(from_valid, values.offset + at));
    to[i] = present ? from[at] : Word{};
    valid_bits[i >> 3] =
        static_cast<std::uint8_t>(valid_bits[i >> 3] | (static_cast<unsigned>(present) << (i & 7)));
    nulls += present ? 0 : 1;
  }
  std::shared_ptr<arrow::Buffer> validity;
  if (nulls > 0) validity = std::move(valid);
  return arrow::MakeArray(arrow::ArrayData::Make(
      values.type, rows, {std::move(validity), std::shared_ptr<arrow::Buffer>(std::move(data))}, nulls));
}

Result<std::shared_ptr<arrow::Array>> GatherAny(const std::shared_ptr<arrow::Array>& values,
                                                std::span<const std::int32_t> index) {
  arrow::Int32Builder builder;
  TM_TRY(FromArrowStatus(builder.Reserve(static_cast<std::int64_t>(index.size()))));
  for (const std::int32_t at : index) {
    if (at < 0) {
      builder.UnsafeAppendNull();
    } else {
      builder.UnsafeAppend(at);
    }
  }
  TM_ASSIGN(const auto places, FromArrowResult(builder.Finish()));
  TM_ASSIGN(const auto taken, FromArrowResult(arrow::compute::Take(
                                  values, places, arrow::compute::TakeOptions::NoBoundsCheck())));
  return taken.make_array();
}

}  // namespace

Result<RowValues> ReadRowValues(const ViewSource& source, const std::vector<Fragment>& fragments,
                                std::span<const RowLocation> locations, const RowValuesOptions& options) {
  return Reading(source, fragments, locations, options).Run();
}

Result<RowBytes> MeasureRowBytes(const ViewSource& source, const std::vector<Fragment>& fragments,
                                 const std::vector<Field>& features) {
  RowBytes bytes;
  std::vector<Field> variable;
  for (const Field& field : features) {
    bytes.fixed += FixedWidth(field.type.kind);
    if (FixedWidth(field.type.kind) == 0) variable.push_back(field);
  }
  if (variable.empty()) return bytes;
  bytes.variable = kVariableWidthBytesMin * std::ssize(variable);
  if (fragments.empty()) return bytes;
  const Fragment& fragment = fragments[fragments.size() / 2];
  // CSV: rows that are not counted yet cannot be asked for, and its values are short.
  if (fragment.rows <= 0) {
    bytes.variable += kUncountedWidthBytes * std::ssize(variable);
    return bytes;
  }
  std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(kMeasuredRows, fragment.rows)));
  std::iota(rows.begin(), rows.end(), (fragment.rows - std::ssize(rows)) / 2);
  TM_ASSIGN(const auto columns, source.TakeFeatures(fragment, variable, rows));
  for (const auto& column : columns)
    bytes.variable += BytesOf(*column) / std::ssize(rows);
  return bytes;
}

Result<std::shared_ptr<arrow::Array>> Gather(const std::shared_ptr<arrow::Array>& values,
                                             std::span<const std::int32_t> index) {
  const bool fixed = arrow::is_primitive(values->type_id()) && values->type_id() != arrow::Type::BOOL;
  switch (fixed ? values->type()->byte_width() : 0) {
    case 4:
      return GatherFixed<std::uint32_t>(*values->data(), index);
    case 8:
      return GatherFixed<std::uint64_t>(*values->data(), index);
    default:
      return GatherAny(values, index);
  }
}

}  // namespace tidemark
