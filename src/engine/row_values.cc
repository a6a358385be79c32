// Asked locations are sorted out by fragment; within one, a bitmap gives the distinct rows in order and their
// ranks, so nothing is sorted. Values of a fixed width stay in the parts that they were read in, in the order
// of the rows that asked for them; others are joined and gathered from.
#include "engine/row_values.h"

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

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
// Threads end together, about, when each has this many reads to do.
constexpr std::size_t kReadsPerThread = 2;

std::int64_t BytesOf(const arrow::Array& values) {
  const auto referenced = arrow::util::ReferencedBufferSize(values);
  return referenced.ok() ? *referenced : arrow::util::TotalBufferSize(values);
}

/// The distinct rows asked of one fragment.
class FragmentRows {
 public:
  /// For so many rows; below zero: they are not counted yet, and room is made as they are marked.
  void MakeRoom(std::int64_t rows) {
    bits_.resize(static_cast<std::size_t>(std::max<std::int64_t>(rows, 0) / 64 + 1));
  }

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

/// Rows that are asked for, by part.
struct SortedAsks {
  AsksByPart asks;
  std::vector<std::uint32_t> rows;  // for each of asks.asks, counted from the start of the part
};

/// Sorts locations out by fragment: blocks of them are counted, then placed, on several threads.
class SortingOut {
 public:
  SortingOut(const std::vector<Fragment>& fragments, std::span<const RowLocation> locations,
             std::size_t threads, std::stop_token stop)
      : fragments_(fragments),
        locations_(locations),
        threads_(threads),
        stop_(std::move(stop)),
        block_rows_(
            std::max(kBlockRowsMin,
                     locations.size() / (kBlocksPerThread * std::max<std::size_t>(1, threads)) / 8 * 8 + 8)),
        blocks_((locations.size() + block_rows_ - 1) / block_rows_),
        next_(blocks_ * fragments.size()),
        fragment_of_(std::make_unique_for_overwrite<std::uint32_t[]>(locations.size())) {
    for (const Fragment& fragment : fragments)
      firsts_.push_back(fragment.first_location);
    sorted_.asks.asked.resize((locations.size() + 7) / 8);
  }

  /// Fragments are the parts.
  Result<SortedAsks> Run() {
    TM_TRY(ForBlocks([this](std::size_t block) { Count(block); }));
    if (is_far_.load()) {
      return Fail(ErrorCode::kUnsupported,
                  "a file has parts of more than 4 billion rows: write smaller ones");
    }
    PlaceBlocks();
    TM_TRY(ForBlocks([this](std::size_t block) { Fill(block); }));
    return std::move(sorted_);
  }

 private:
  static constexpr std::size_t kBlockRowsMin = std::size_t{1} << 16;
  static constexpr std::size_t kBlocksPerThread =
      4;  // few, since there is a count for each block and fragment

  template <typename Task>
  Result<void> ForBlocks(const Task& task) {
    return ParallelFor(blocks_, threads_, stop_, [&](std::size_t block, std::size_t) -> Result<void> {
      task(block);
      return {};
    });
  }

  std::size_t EndOf(std::size_t block) const {
    return std::min((block + 1) * block_rows_, locations_.size());
  }
  std::size_t* NextOf(std::size_t block) { return next_.data() + block * fragments_.size(); }

  /// Halves what is left without a branch, which would often be guessed wrong.
  std::size_t FragmentOf(RowLocation location) const {
    const RowLocation* base = firsts_.data();
    for (std::size_t count = firsts_.size(); count > 1;) {
      const std::size_t half = count / 2;
      base += base[half] <= location ? half : 0;
      count -= half;
    }
    return static_cast<std::size_t>(base - firsts_.data());
  }

  void Count(std::size_t block) {
    std::size_t* const count = NextOf(block);
    RowLocation farthest = 0;
    for (std::size_t i = block * block_rows_; i < EndOf(block); ++i) {
      const RowLocation location = locations_[i];
      if (location == kNoRow) continue;
      const std::size_t fragment = FragmentOf(location);
      TM_CHECK(location >= firsts_[fragment], "a row lies before the first fragment");
      farthest = std::max(farthest, location - firsts_[fragment]);
      fragment_of_[i] = static_cast<std::uint32_t>(fragment);
      ++count[fragment];
    }
    if (farthest > std::numeric_limits<std::uint32_t>::max()) is_far_.store(true);
  }

  // Counts become the places of each block's first ask of each fragment.
  void PlaceBlocks() {
    std::size_t at = 0;
    for (std::size_t f = 0; f < fragments_.size(); ++f) {
      for (std::size_t block = 0; block < blocks_; ++block)
        at += std::exchange(NextOf(block)[f], at);
      sorted_.asks.begin.push_back(at);
    }
    sorted_.asks.asks.resize(at);
    sorted_.rows.resize(at);
  }

  void Fill(std::size_t block) {
    std::size_t* const next = NextOf(block);
    for (std::size_t i = block * block_rows_; i < EndOf(block); ++i) {
      if (locations_[i] == kNoRow) continue;
      const std::size_t fragment = fragment_of_[i];
      const std::size_t at = next[fragment]++;
      sorted_.asks.asks[at] = static_cast<std::uint32_t>(i);
      arrow::bit_util::SetBit(sorted_.asks.asked.data(), static_cast<std::int64_t>(i));
      sorted_.rows[at] = static_cast<std::uint32_t>(locations_[i] - firsts_[fragment]);
    }
  }

  const std::vector<Fragment>& fragments_;
  const std::span<const RowLocation> locations_;
  const std::size_t threads_;
  const std::stop_token stop_;
  const std::size_t block_rows_;  // of eight, as each block has its own bytes of `asked`
  const std::size_t blocks_;
  std::vector<std::size_t> next_;                       // for each block and fragment
  std::vector<RowLocation> firsts_;                     // of each fragment
  const std::unique_ptr<std::uint32_t[]> fragment_of_;  // for each location
  std::atomic<bool> is_far_{false};
  SortedAsks sorted_;
};

/// Some features of a part; with the first of them also what there is once.
struct PartRead {
  std::size_t used = 0;
  std::size_t first = 0;
  std::size_t end = 0;
};

}  // namespace

struct RowValuesReader::Impl {
  Impl(const ViewSource& source, const std::vector<Fragment>& fragments, RowValuesOptions options)
      : source_(source), fragments_(fragments), options_(std::move(options)) {}

  Result<void> SortOut(const std::vector<RowLocation>& locations, std::size_t threads) {
    TM_TRY(MakeParts(locations, threads));
    rows_.resize(used_.size());
    parts_.resize(used_.size());
    TM_TRY(ForAll(used_.size(), threads, &Impl::MarkRows));
    PlaceParts();
    ShareReads();
    return {};
  }

  Result<RowValues> Finish(std::size_t threads) {
    TM_TRY(JoinParts(threads));
    return std::move(values_);
  }

  Result<void> ForAll(std::size_t count, std::size_t threads, Result<void> (Impl::*task)(std::size_t)) {
    return ParallelFor(count, threads, options_.stop,
                       [this, task](std::size_t i, std::size_t) { return (this->*task)(i); });
  }

  /// Fragments that nobody asked of are no parts.
  Result<void> MakeParts(const std::vector<RowLocation>& locations, std::size_t threads) {
    TM_ASSIGN(SortedAsks sorted, SortingOut(fragments_, locations, threads, options_.stop).Run());
    for (std::size_t f = 0; f < fragments_.size(); ++f) {
      if (sorted.asks.Of(f).empty()) continue;
      used_.push_back(f);
      values_.asks.begin.push_back(sorted.asks.begin[f + 1]);
    }
    values_.asks.asks = std::move(sorted.asks.asks);
    values_.asks.asked = std::move(sorted.asks.asked);
    ask_rows_ = std::move(sorted.rows);
    for (const Field& feature : options_.features)
      values_.types.push_back(ToArrow(feature.type));
    for (const auto& type : values_.types)
      values_.in_order.push_back(options_.in_order && IsOfWords(*type));
    const bool all_in_order = std::ranges::find(values_.in_order, false) == values_.in_order.end();
    if (options_.with_keys || !all_in_order) values_.index.assign(locations.size(), -1);
    return {};
  }

  /// For each ask of the part.
  std::span<const std::uint32_t> RowsAsked(std::size_t used) const {
    return std::span(ask_rows_).subspan(values_.asks.begin[used], values_.asks.Of(used).size());
  }

  Result<void> MarkRows(std::size_t used) {
    rows_[used].MakeRoom(fragments_[used_[used]].rows);
    for (const std::uint32_t row : RowsAsked(used))
      rows_[used].Mark(row);
    rows_[used].BuildRanks();
    return {};
  }

  void PlaceParts() {
    std::int64_t at = 0;
    for (const FragmentRows& rows : rows_) {
      first_.push_back(static_cast<std::int32_t>(at));
      at += rows.count();
    }
    TM_CHECK(at <= std::numeric_limits<std::int32_t>::max(), "more distinct rows than a block may have");
  }

  void ShareReads() {
    const std::size_t features = options_.features.size();
    const std::size_t wanted = kReadsPerThread * std::max<std::size_t>(1, options_.threads);
    const std::size_t shares = used_.empty() ? 1 : (wanted + used_.size() - 1) / used_.size();
    for (std::size_t used = 0; used < used_.size(); ++used) {
      parts_[used].features.resize(features);
      const bool apart = fragments_[used_[used]].columns_apart;
      const std::size_t some =
          apart ? std::clamp<std::size_t>(shares, 1, std::max<std::size_t>(1, features)) : 1;
      for (std::size_t share = 0; share < some; ++share)
        reads_.push_back({used, features * share / some, features * (share + 1) / some});
    }
  }

  Result<void> ReadFeatures(const PartRead& read, std::span<const std::int64_t> rows,
                            std::span<const std::int32_t> ranks) {
    if (read.first == read.end) return {};
    const std::vector<Field> features(options_.features.begin() + static_cast<std::ptrdiff_t>(read.first),
                                      options_.features.begin() + static_cast<std::ptrdiff_t>(read.end));
    TM_ASSIGN(arrow::ArrayVector taken, source_.TakeFeatures(fragments_[used_[read.used]], features, rows));
    for (std::size_t column = read.first; column < read.end; ++column) {
      auto& values = parts_[read.used].features[column];
      values = std::move(taken[column - read.first]);
      if (!values_.in_order[column]) continue;
      TM_ASSIGN(values, TakeWords(*values, ranks));
    }
    return {};
  }

  Result<void> Read(std::size_t i) {
    const PartRead& read = reads_[i];
    const FragmentRows& marked = rows_[read.used];
    const std::vector<std::int64_t> rows = marked.Rows();
    const auto asks = values_.asks.Of(read.used);
    const auto asked = RowsAsked(read.used);
    std::vector<std::int32_t> ranks(asks.size());
    for (std::size_t ask = 0; ask < asks.size(); ++ask)
      ranks[ask] = marked.RankOf(asked[ask]);
    TM_TRY(ReadFeatures(read, rows, ranks));
    if (read.first > 0) return {};  // the rest is done once for each part
    if (options_.with_keys) {
      TM_ASSIGN(parts_[read.used].keys, source_.TakeKeys(fragments_[used_[read.used]], rows));
    }
    for (std::size_t ask = 0; ask < asks.size() && !values_.index.empty(); ++ask)
      values_.index[asks[ask]] = first_[read.used] + ranks[ask];
    if (read.end == options_.features.size()) rows_[read.used] = {};  // no other read needs them
    return {};
  }

  arrow::ArrayVector Pieces(arrow::ArrayVector RowValues::* side, std::size_t column) {
    arrow::ArrayVector pieces;
    for (RowValues& part : parts_)
      pieces.push_back(std::move((part.*side)[column]));
    return pieces;
  }

  /// One column of all parts; the parts' pieces are given up as it goes, so that memory does not double.
  Result<std::shared_ptr<arrow::Array>> Joined(arrow::ArrayVector RowValues::* side, std::size_t column) {
    const arrow::ArrayVector pieces = Pieces(side, column);
    if (pieces.size() == 1) return pieces.front();
    return FromArrowResult(arrow::Concatenate(pieces, BufferPool()));
  }

  Result<void> JoinKeys(std::size_t column) {
    TM_ASSIGN(values_.keys[column], Joined(&RowValues::keys, column));
    return {};
  }

  Result<void> JoinFeatures(std::size_t column) {
    if (values_.in_order[column]) {
      values_.pieces[column] = Pieces(&RowValues::features, column);
    } else if (parts_.empty()) {  // no row at all was asked for
      TM_ASSIGN(values_.features[column], FromArrowResult(arrow::MakeEmptyArray(values_.types[column])));
    } else {
      TM_ASSIGN(values_.features[column], Joined(&RowValues::features, column));
    }
    return {};
  }

  Result<void> JoinParts(std::size_t threads) {
    values_.keys.resize(parts_.empty() ? 0 : parts_.front().keys.size());
    values_.features.resize(options_.features.size());
    values_.pieces.resize(options_.features.size());
    TM_TRY(ForAll(values_.keys.size(), threads, &Impl::JoinKeys));
    return ForAll(values_.features.size(), threads, &Impl::JoinFeatures);
  }

  const ViewSource& source_;
  const std::vector<Fragment>& fragments_;
  const RowValuesOptions options_;
  std::vector<std::size_t> used_;        // fragments with asked rows
  std::vector<std::uint32_t> ask_rows_;  // for each ask, its row in the fragment
  std::vector<FragmentRows> rows_;
  std::vector<std::int32_t> first_;  // place of each part's first row in the joined columns
  std::vector<RowValues> parts_;     // only their keys and features are used
  std::vector<PartRead> reads_;
  RowValues values_;
};

RowValuesReader::RowValuesReader(const ViewSource& source, const std::vector<Fragment>& fragments,
                                 RowValuesOptions options)
    : impl_(std::make_unique<Impl>(source, fragments, std::move(options))) {}
RowValuesReader::~RowValuesReader() = default;

Result<void> RowValuesReader::SortOut(const std::vector<RowLocation>& locations, std::size_t threads) {
  return impl_->SortOut(locations, threads);
}
std::size_t RowValuesReader::parts() const {
  return impl_->reads_.size();
}
Result<void> RowValuesReader::ReadPart(std::size_t part) {
  return impl_->Read(part);
}
Result<RowValues> RowValuesReader::Finish(std::size_t threads) {
  return impl_->Finish(threads);
}

Result<RowValues> ReadRowValues(const ViewSource& source, const std::vector<Fragment>& fragments,
                                const std::vector<RowLocation>& locations, const RowValuesOptions& options) {
  RowValuesReader reader(source, fragments, options);
  TM_TRY(reader.SortOut(locations, options.threads));
  TM_TRY(ParallelFor(reader.parts(), options.threads, options.stop,
                     [&reader](std::size_t part, std::size_t) { return reader.ReadPart(part); }));
  return reader.Finish(options.threads);
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

Result<std::shared_ptr<arrow::Array>> RowValues::Slice(std::size_t feature, std::int64_t begin,
                                                       std::int64_t rows) const {
  if (in_order[feature]) return InOrderOfAsks(types[feature], pieces[feature], asks, begin, rows);
  return Gather(features[feature],
                std::span(index).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows)));
}

}  // namespace tidemark
