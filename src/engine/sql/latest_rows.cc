// The kernel finds where the rows lie by keys and times alone; then only these rows are read, some fragments
// at a time. Keys that outgrow the memory limit are found in parts, each of which is a pass over the keys.
#include "engine/sql/latest_rows.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>

#include "base/parallel.h"
#include "base/result.h"
#include "engine/sql/sql_tables.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/latest_per_key.h"

namespace tidemark {
namespace {

/// The end of time itself stands for rows that do not count.
constexpr std::int64_t kLastUs = std::numeric_limits<std::int64_t>::max() - 1;
constexpr std::uint32_t kPartsMax = 1024;
constexpr std::int64_t kBatchRows = 128 * 1024;

class LatestReader final : public arrow::RecordBatchReader {
 public:
  LatestReader(std::shared_ptr<const Catalog> catalog, const CatalogView& view, LatestRequest request)
      : catalog_(std::move(catalog)),
        view_(view),
        request_(std::move(request)),
        at_us_(std::min(request_.at_us.value_or(kLastUs), kLastUs)),
        columns_(ShownColumns(view)) {
    arrow::FieldVector fields;
    for (const SqlColumn& column : columns_) {
      fields.push_back(arrow::field(column.name, ToArrow(column.type)));
      names_.push_back(column.name);
    }
    schema_ = arrow::schema(std::move(fields));
  }

  Result<void> Open(const SourceOpeners& open) {
    SourceNeeds needs;
    if (request_.at_us) needs.times = {{.event_last_us = at_us_}};
    TM_ASSIGN(source_, ViewSource::Open(view_, open, view_.definition.fields, std::move(needs)));
    TM_TRY(source_->CheckFeatures(view_.definition.fields));
    TM_ASSIGN(fragments_, source_->Fragments());
    std::erase_if(fragments_, [&](const Fragment& fragment) {
      const auto times = source_->EventTimes(fragment);
      return times && times->low_us > at_us_;
    });
    while (true) {
      TM_ASSIGN(const bool fits, FindPart());
      if (fits) return {};
      parts_ *= 4;
    }
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    if (auto read = Fill(); !read)
      return ToStatus(std::move(read).error().In("view " + view_.definition.name));
    batch->reset();
    if (batches_.empty()) return arrow::Status::OK();
    *batch = std::move(batches_.front());
    batches_.pop_front();
    return arrow::Status::OK();
  }

 private:
  /// Where the rows of the keys of this part lie; false if finding that takes more memory than there is, and
  /// smaller parts can still be had.
  Result<bool> FindPart() {
    LatestPerKey latest({.end_us = at_us_,
                         .part = part_,
                         .parts = parts_,
                         .threads = std::max<std::size_t>(1, request_.threads)});
    std::atomic<bool> is_over{false};
    const bool may_split = part_ == 0 && parts_ < kPartsMax && request_.memory_bytes_max > 0;
    const auto add = [&](const FeatureRows& rows, std::size_t thread) -> Result<void> {
      if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      if (is_over.load(std::memory_order_relaxed)) return {};
      TM_TRY(latest.Add(rows, thread));
      // Putting them in order takes about as much again.
      if (may_split && latest.memory_bytes() > request_.memory_bytes_max / 3)
        is_over.store(true, std::memory_order_relaxed);
      return {};
    };
    TM_TRY(ParallelFor(fragments_.size(), request_.threads, request_.stop,
                       [&](std::size_t i, std::size_t thread) -> Result<void> {
                         if (is_over.load(std::memory_order_relaxed)) return {};
                         return source_->ScanKeys(fragments_[i],
                                                  [&](const FeatureRows& rows) { return add(rows, thread); });
                       }));
    if (is_over.load()) return false;
    rows_.assign(fragments_.size(), {});
    next_ = 0;
    for (const LatestRow& row : latest.Finish()) {
      if (row.is_deleted && !request_.with_deleted) continue;
      const auto after = std::ranges::upper_bound(fragments_, row.location, {}, &Fragment::first_location);
      const auto i = static_cast<std::size_t>(after - fragments_.begin()) - 1;
      rows_[i].push_back(static_cast<std::int64_t>(row.location - fragments_[i].first_location));
    }
    for (auto& rows : rows_)
      std::ranges::sort(rows);
    return true;
  }

  Result<void> Fill() {
    while (batches_.empty()) {
      while (next_ < fragments_.size() && rows_[next_].empty())
        ++next_;
      if (next_ == fragments_.size()) {
        if (part_ + 1 >= parts_) return {};
        ++part_;
        TM_TRY(FindPart());
        continue;
      }
      TM_TRY(TakeSome());
    }
    return {};
  }

  /// Rows of as many fragments as there are threads.
  Result<void> TakeSome() {
    std::vector<std::size_t> some;
    for (; next_ < fragments_.size() && some.size() < std::max<std::size_t>(1, request_.threads); ++next_) {
      if (!rows_[next_].empty()) some.push_back(next_);
    }
    arrow::RecordBatchVector taken(some.size());
    TM_TRY(ParallelFor(some.size(), request_.threads, request_.stop,
                       [&](std::size_t i, std::size_t) -> Result<void> {
                         TM_ASSIGN(taken[i], Take(some[i]));
                         return {};
                       }));
    for (const auto& batch : taken) {
      for (std::int64_t row = 0; row < batch->num_rows(); row += kBatchRows)
        batches_.push_back(batch->Slice(row, kBatchRows));
    }
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(std::size_t fragment) {
    TM_ASSIGN(const auto batch, source_->source().Take(fragments_[fragment], names_, rows_[fragment]));
    arrow::ArrayVector arrays;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      TM_ASSIGN(auto array, CastColumn(batch->column(static_cast<int>(i)), columns_[i].type, names_[i], 0));
      arrays.push_back(std::move(array));
    }
    rows_[fragment] = {};
    return arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(arrays));
  }

  const std::shared_ptr<const Catalog> catalog_;  // what view_ belongs to
  const CatalogView& view_;
  const LatestRequest request_;
  const std::int64_t at_us_;
  const std::vector<SqlColumn> columns_;
  std::vector<std::string> names_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<ViewSource> source_;
  std::vector<Fragment> fragments_;
  std::uint32_t part_ = 0;
  std::uint32_t parts_ = 1;
  std::vector<std::vector<std::int64_t>> rows_;  // of each fragment, that are to be read
  std::size_t next_ = 0;                         // of fragments_
  std::deque<std::shared_ptr<arrow::RecordBatch>> batches_;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> LatestRows(std::shared_ptr<const Catalog> catalog,
                                                             const CatalogView& view,
                                                             const SourceOpeners& open,
                                                             const LatestRequest& request) {
  auto reader = std::make_shared<LatestReader>(std::move(catalog), view, request);
  TM_TRY_IN(reader->Open(open), "view " + view.definition.name);
  return reader;
}

}  // namespace tidemark
