// A block of entity rows goes through two passes over each view's source: keys and times through the kernel,
// then the winners' values, which are read while the next view's first pass runs. The block is then put
// together and streamed out in chunks.
#include "engine/historical.h"

#include <arrow/builder.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <set>

#include "base/check.h"
#include "base/parallel.h"
#include "base/result.h"
#include "engine/entity_range.h"
#include "engine/entity_rows.h"
#include "engine/on_demand_rows.h"
#include "engine/row_values.h"
#include "engine/two_passes.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kChunkRowsMax = std::int64_t{1} << 17;
constexpr std::int64_t kBlockRowsMax = (std::int64_t{1} << 31) - 2;  // the kernel's limit
constexpr std::int64_t kBlockRowsMin = 10'000;
constexpr std::int64_t kChunkRowsMin = 1'024;
constexpr std::int64_t kManyRows = std::int64_t{1} << 18;  // of which groups and kernel take 30 MB
constexpr std::int64_t kChunkBytes = std::int64_t{64} << 20;
// What pages being decoded and encoded take, however little is asked for, and the allocators beside.
constexpr std::int64_t kWorkingBytes = std::int64_t{128} << 20;
// What an entity row takes beside the values: its time; in each set of groups, its key too; of each view at
// work, in the kernel's state of each thread, and while its winner's place is known and the values are read;
// and with the values for as long as the block lasts.
constexpr std::int64_t kTimeBytes = 8;
constexpr std::int64_t kGroupBytes = 8 + 50;
constexpr std::int64_t kKernelBytes = 24;
constexpr std::int64_t kPlaceBytes = 8 + 8;
constexpr std::int64_t kViewsAtWork = 2;
constexpr std::int64_t kAnswerBytes = 4 + 4 + 1 + 1;  // who asked, which row, nulls, status
// Shares of the memory limit that is left. The rest is for the writer's row group and the buffers that are
// kept.
constexpr std::int64_t kBlocksInMemory = 3;
constexpr std::int64_t kChunksInMemory = 32;
constexpr std::int64_t kSpanSharesOfMemory = 8;                  // of entity rows that are read ahead
constexpr std::int64_t kColumnBytesMax = std::int64_t{3} << 29;  // text has 32-bit offsets; some room is left

/// What the entity rows of one block get from one view.
struct ViewAnswer {
  RowValues values;              // for each entity row
  std::vector<Status> statuses;  // of the row, before values are looked at; only with include_status
};

/// One view of the request, opened.
struct OpenView {
  const SelectedView* selected = nullptr;
  std::unique_ptr<ViewSource> source;
  std::vector<Fragment> fragments;
  std::vector<Field> features;
};

/// One view over one block: its rows' keys and times are scanned, winners chosen, their values read; then it
/// can answer.
class ViewJoin final : public TwoPassJob {
 public:
  /// `groups` may go once `on_chosen` has been called, for which they are not used any more.
  ViewJoin(const HistoricalRequest& request, const OpenView& view, const EntityGroups& groups,
           std::function<void()> on_chosen)
      : request_(request),
        view_(view),
        on_chosen_(std::move(on_chosen)),
        join_(std::make_unique<PointInTimeJoin>(
            groups, PointInTimeJoin::Options{.known_by = request.known_by,
                                             .ttl_us = view.source->view().definition.ttl_us,
                                             .threads = request.threads})),
        values_(std::make_unique<RowValuesReader>(*view.source, view.fragments,
                                                  RowValuesOptions{.features = view.features,
                                                                   .with_keys = false,
                                                                   .in_order = true,
                                                                   .threads = request.threads,
                                                                   .stop = request.stop})) {
    for (const Fragment& fragment : view_.fragments) {
      if (Matters(fragment, groups)) scanned_.push_back(&fragment);
    }
  }

  std::size_t first_tasks() const override { return scanned_.size(); }

  Result<void> First(std::size_t i, std::size_t thread) override {
    return view_.source->ScanKeys(*scanned_[i], [&](const FeatureRows& rows) -> Result<void> {
      if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      if (!request_.range) return join_->Add(rows, thread);
      TM_ASSIGN(const FeatureRows counted, WithoutEarlier(rows, request_.range->start_us));
      return join_->Add(counted, thread);
    });
  }

  /// The winners are known, and so which rows' values are needed.
  Result<void> Between(std::size_t threads) override {
    PointInTimeJoin::Chosen chosen = join_->FinishChosen(request_.include_status, threads);
    join_.reset();
    on_chosen_();
    answer_.statuses = std::move(chosen.statuses);
    return values_->SortOut(chosen.locations, threads);
  }

  std::size_t second_tasks() const override { return values_->parts(); }
  Result<void> Second(std::size_t i) override { return values_->ReadPart(i); }

  Result<void> End(std::size_t threads) override {
    TM_ASSIGN(answer_.values, values_->Finish(threads));
    values_.reset();
    return {};
  }

  ViewAnswer Answer() && { return std::move(answer_); }

 private:
  /// Fragments in which a row can matter: some key of the entity rows, and not later than all of them. Where
  /// statuses are not asked for, rows too old for any entity row can go too: they give null as no row does.
  bool Matters(const Fragment& fragment, const EntityGroups& groups) const {
    if (const auto times = view_.source->EventTimes(fragment)) {
      if (times->low_us > groups.last_time_us()) return false;
      if (request_.range && times->high_us < request_.range->start_us) return false;
      const std::int64_t ttl_us = view_.source->view().definition.ttl_us;
      std::int64_t oldest_us = 0;
      if (!request_.include_status && ttl_us > 0 &&
          !__builtin_sub_overflow(groups.first_time_us(), ttl_us, &oldest_us) && times->high_us < oldest_us) {
        return false;
      }
    }
    return view_.source->MayContainKeys(fragment, groups);
  }

  const HistoricalRequest& request_;
  const OpenView& view_;
  const std::function<void()> on_chosen_;
  std::vector<const Fragment*> scanned_;
  std::unique_ptr<PointInTimeJoin> join_;    // null once winners are chosen
  std::unique_ptr<RowValuesReader> values_;  // null once they are read
  ViewAnswer answer_;
};

/// The statuses of one feature as text.
Result<std::shared_ptr<arrow::Array>> StatusColumn(const arrow::Array& values,
                                                   std::span<const Status> statuses) {
  arrow::StringBuilder builder;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const bool null_value = statuses[i] == Status::kPresent && values.IsNull(static_cast<std::int64_t>(i));
    const Status status = null_value ? Status::kNullValue : statuses[i];
    TM_TRY(FromArrowStatus(builder.Append(StatusName(status))));
  }
  return FromArrowResult(builder.Finish());
}

class HistoricalReader final : public arrow::RecordBatchReader {
 public:
  HistoricalReader(std::shared_ptr<const Catalog> catalog,
                   std::shared_ptr<arrow::RecordBatchReader> entity_rows, HistoricalRequest request,
                   std::shared_ptr<Warnings> warnings)
      : buffers_(KeptBytesWithin(request.memory_bytes_max)),
        catalog_(std::move(catalog)),
        request_(std::move(request)),
        warnings_(std::move(warnings)),
        entity_rows_(std::move(entity_rows)),
        block_first_row_(request_.first_row) {}

  Result<void> Open(const SourceOpeners& open) {
    TM_CHECK((entity_rows_ == nullptr) == request_.range.has_value(), "entity rows or a range, not both");
    if (entity_rows_ != nullptr) TM_TRY(TakeEntityRows(request_.event_timestamp_column));
    TM_TRY(FindSpan());
    for (const SelectedView& selected : request_.selection.views) {
      OpenView view;
      view.selected = &selected;
      for (const SelectedFeature& feature : selected.features)
        view.features.push_back(feature.field);
      TM_ASSIGN(view.source,
                ViewSource::Open(*selected.view, open, view.features, RowsThatMatter(*selected.view)));
      TM_TRY(view.source->CheckFeatures(view.features));
      TM_ASSIGN(view.fragments, view.source->Fragments());
      if (request_.known_by.kind != KnownBy::Kind::kAll && !view.source->has_created()) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("known_by needs to know when rows were created, and the source of view '{}' has no "
                        "created_timestamp_column",
                        selected.view->definition.name));
      }
      views_.push_back(std::move(view));
    }
    if (entity_rows_ == nullptr) TM_TRY(FindEntities());
    TM_TRY(SizeBlocks());
    return NextBlock();
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    if (failed_) return ToStatus(*failed_);
    auto chunk = NextChunk();
    if (chunk) {
      *batch = std::move(chunk).value();
      return arrow::Status::OK();
    }
    failed_ = std::move(chunk).error();  // what there is of a block is not to be read on
    return ToStatus(*failed_);
  }

 private:
  /// Between which times entity rows lie, if a source can make use of it: one that is in a warehouse is asked
  /// once, before the first block. Entity rows that do not fit into memory are not waited for.
  Result<void> FindSpan() {
    span_ = request_.range;
    if (entity_rows_ == nullptr) return {};
    const bool is_useful = std::ranges::any_of(request_.selection.views, [](const SelectedView& selected) {
      const auto& source = selected.view->definition.source;
      return source && source->warehouse;
    });
    if (!is_useful) return {};
    const std::int64_t bytes_max = request_.memory_bytes_max > 0
                                       ? request_.memory_bytes_max / kSpanSharesOfMemory
                                       : std::numeric_limits<std::int64_t>::max();
    TM_ASSIGN(span_, blocks_->SpanOfTimes(event_column_, bytes_max, request_.first_row));
    return {};
  }

  /// Rows of a view that can change an answer. Rows older than the ttl can: they are OUTSIDE_MAX_AGE, where
  /// no row at all is NOT_FOUND; unless nobody asks for statuses, as the value is null for both.
  SourceNeeds RowsThatMatter(const CatalogView& view) const {
    SourceNeeds::Times times;
    if (span_) {
      times.event_last_us = span_->end_us;
      std::int64_t oldest_us = 0;
      const std::int64_t ttl_us = view.definition.ttl_us;
      if (request_.range) {
        times.event_first_us = span_->start_us;
      } else if (!request_.include_status && ttl_us > 0 &&
                 !__builtin_sub_overflow(span_->start_us, ttl_us, &oldest_us)) {
        times.event_first_us = oldest_us;
      }
    }
    if (request_.known_by.kind == KnownBy::Kind::kTime) times.created_last_us = request_.known_by.time_us;
    if (request_.known_by.kind == KnownBy::Kind::kEntityRow && span_) times.created_last_us = span_->end_us;
    SourceNeeds needs;
    if (times != SourceNeeds::Times{}) needs.times.push_back(times);
    return needs;
  }

  /// A null pointer at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> NextChunk() {
    while (block_ != nullptr && chunk_begin_ >= block_->num_rows())
      TM_TRY(NextBlock());
    if (block_ == nullptr) return nullptr;
    return MakeChunk();
  }

  Result<void> TakeEntityRows(const std::string& event_column) {
    blocks_.emplace(entity_rows_);
    TM_ASSIGN(event_column_, FindEventColumn(*blocks_->schema(), event_column));
    return MakeSchema();
  }

  /// The entity rows of a request that came without any.
  Result<void> FindEntities() {
    EntityRangeRequest request;
    request.range = *request_.range;
    if (!request_.event_timestamp_column.empty()) request.event_column = request_.event_timestamp_column;
    request.known_by = request_.known_by;
    request.threads = request_.threads;
    request.memory_bytes_max = request_.memory_bytes_max;
    request.stop = request_.stop;
    std::vector<RangedView> views;
    for (const OpenView& view : views_)
      views.push_back({view.selected, view.source.get(), &view.fragments});
    const std::string event_column = request.event_column;
    TM_ASSIGN(entity_rows_, EntitiesInRange(std::move(views), std::move(request)));
    return TakeEntityRows(event_column);
  }

  Result<void> MakeSchema() {
    arrow::FieldVector fields = blocks_->schema()->fields();
    std::map<std::string, std::string_view> taken;
    for (const auto& field : fields)
      taken[field->name()] = "a column of the entity rows";
    const auto add = [&](const std::string& name, std::shared_ptr<arrow::DataType> type) -> Result<void> {
      if (const auto [before, is_new] = taken.emplace(name, "a column asked for"); !is_new) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("'{}' is the name of {} and of a column asked for: drop or rename one, or ask for "
                        "full_feature_names",
                        name, before->second));
      }
      fields.push_back(arrow::field(name, std::move(type)));
      return {};
    };
    for (const Selection::Column& column : request_.selection.columns) {
      const SelectedFeature& feature = request_.selection.feature(column);
      TM_TRY(add(feature.output_name, ToArrow(feature.field.type)));
      if (request_.include_status) TM_TRY(add(feature.output_name + "__status", arrow::utf8()));
    }
    schema_ = arrow::schema(std::move(fields), blocks_->schema()->metadata());
    return {};
  }

  /// How many entity rows fit into the memory that the request may use, all views' values included.
  Result<void> SizeBlocks() {
    TM_ASSIGN(std::int64_t row_bytes, blocks_->BytesPerRow());
    std::int64_t block_rows_max = kBlockRowsMax;
    for (const OpenView& view : views_) {
      TM_ASSIGN(const RowBytes bytes, MeasureRowBytes(*view.source, view.fragments, view.features));
      row_bytes += bytes.total() + kAnswerBytes;
      if (bytes.variable > 0) block_rows_max = std::min(block_rows_max, kColumnBytesMax / bytes.variable);
    }
    const std::int64_t memory = request_.memory_bytes_max;
    const std::int64_t chunk_bytes =
        memory > 0 ? std::min(kChunkBytes, memory / kChunksInMemory) : kChunkBytes;
    chunk_rows_ = std::clamp(chunk_bytes / (row_bytes + 1), kChunkRowsMin, kChunkRowsMax);
    block_rows_ = std::max(block_rows_max, kBlockRowsMin);
    if (memory <= 0) return {};
    row_bytes += kTimeBytes + kGroupBytes * KeySets() +
                 (kKernelBytes * static_cast<std::int64_t>(request_.threads) + kPlaceBytes) *
                     std::min<std::int64_t>(std::ssize(views_), kViewsAtWork);
    const std::int64_t left = std::max(memory - kWorkingBytes, memory / 8);
    block_rows_ = std::clamp(left / kBlocksInMemory / row_bytes, kBlockRowsMin, block_rows_);
    return {};
  }

  Result<void> NextBlock() {
    const std::int64_t done = block_ == nullptr ? 0 : block_->num_rows();
    answers_.clear();
    groups_.clear();
    TM_ASSIGN(block_, blocks_->Next(block_rows_));
    block_first_row_ += done;
    chunk_begin_ = 0;
    if (block_ == nullptr || block_->num_rows() == 0) return {};
    bool cut = false;
    TM_ASSIGN(times_, EntityTimes(*block_, event_column_, block_first_row_, &cut));
    if (cut) warnings_->Add("entity rows: timestamps finer than a microsecond were cut to microseconds");
    return AnswerViews();
  }

  /// Where one block follows another, what allocators hold back would be memory above the limit.
  void FreeUnused() const {
    if (block_->num_rows() == block_rows_) BufferPool()->ReleaseUnused();
  }

  Result<void> AnswerViews() {
    std::atomic<std::size_t> left = views_.size();
    const auto on_chosen = [&] {
      if (--left == 0) FreeGroups();
    };
    std::vector<std::unique_ptr<TwoPassJob>> joins;
    for (const OpenView& view : views_) {
      TM_ASSIGN(const EntityGroups* groups, GroupsOf(view));
      joins.push_back(std::make_unique<ViewJoin>(request_, view, *groups, on_chosen));
    }
    TM_TRY(RunTwoPasses(joins, {.threads = request_.threads,
                                .jobs_at_once = kViewsAtWork,
                                .stop = request_.stop,
                                .on_begin = [this](std::size_t view) { ReportReading(views_[view]); }}));
    for (const auto& join : joins)
      Keep(static_cast<ViewJoin&>(*join));
    return {};
  }

  /// What they and the kernel had is of no use to columns. If it is little, to give it back costs more.
  void FreeGroups() {
    groups_.clear();
    times_.reset();
    if (request_.memory_bytes_max > 0 && block_->num_rows() >= kManyRows) BufferPool()->ReleaseUnused();
  }

  void ReportReading(const OpenView& view) const {
    if (!request_.progress) return;
    request_.progress("reading " + view.source->view().definition.name, &view - views_.data(),
                      std::ssize(views_));
  }

  void Keep(ViewJoin& join) {
    const ViewSource& source = *views_[answers_.size()].source;
    answers_.push_back(std::move(join).Answer());
    FreeUnused();
    if (source.was_cut()) {
      warnings_->Add(fmt::format("view {}: timestamps finer than a microsecond were cut to microseconds",
                                 source.view().definition.name));
    }
  }

  /// Key columns and their types: views that are looked up by the same ones share their groups.
  static std::vector<std::string> GroupsId(const OpenView& view) {
    std::vector<std::string> id;
    for (std::size_t i = 0; i < view.selected->key_columns.size(); ++i) {
      id.push_back(view.selected->key_columns[i]);
      id.push_back(view.selected->view->join_keys[i].type->ToString());
    }
    return id;
  }

  /// How many groups a block will have at a time.
  std::int64_t KeySets() const {
    std::set<std::vector<std::string>> ids;
    for (const OpenView& view : views_)
      ids.insert(GroupsId(view));
    return std::ssize(ids);
  }

  Result<const EntityGroups*> GroupsOf(const OpenView& view) {
    std::vector<std::string> id = GroupsId(view);
    if (const auto found = groups_.find(id); found != groups_.end()) return &found->second;
    arrow::ArrayVector keys;
    for (std::size_t i = 0; i < view.selected->key_columns.size(); ++i) {
      TM_ASSIGN(auto key, EntityKey(*block_, view.selected->key_columns[i], view.selected->view->join_keys[i],
                                    block_first_row_));
      keys.push_back(std::move(key));
    }
    TM_ASSIGN(EntityGroups groups, EntityGroups::Make(keys, *times_, request_.threads));
    return &groups_.emplace(std::move(id), std::move(groups)).first->second;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> MakeChunk() {
    const std::int64_t rows = std::min(chunk_rows_, block_->num_rows() - chunk_begin_);
    TM_ASSIGN(const auto passed, FromArrowResult(block_->Slice(chunk_begin_, rows)->CombineChunksToBatch()));
    const std::size_t each = request_.include_status ? 2 : 1;
    const auto& columns = request_.selection.columns;
    arrow::ArrayVector made(columns.size() * each);
    const auto make = [&](std::size_t i, std::size_t) -> Result<void> {
      const ViewAnswer& answer = answers_[columns[i].view];
      const auto begin = static_cast<std::size_t>(chunk_begin_);
      TM_ASSIGN(made[i * each], answer.values.Slice(columns[i].feature, chunk_begin_, rows));
      if (request_.include_status) {
        const auto statuses = std::span(answer.statuses).subspan(begin, static_cast<std::size_t>(rows));
        TM_ASSIGN(made[i * each + 1], StatusColumn(*made[i * each], statuses));
      }
      return {};
    };
    TM_TRY(ParallelFor(columns.size(), request_.threads, request_.stop, make));
    arrow::ArrayVector all = passed->columns();
    all.insert(all.end(), made.begin(), made.end());
    chunk_begin_ += rows;
    return arrow::RecordBatch::Make(schema_, rows, std::move(all));
  }

  const BufferPoolUse buffers_;                   // first, so that it ends last
  const std::shared_ptr<const Catalog> catalog_;  // keeps what the selection points to
  const HistoricalRequest request_;
  const std::shared_ptr<Warnings> warnings_;
  std::shared_ptr<arrow::RecordBatchReader> entity_rows_;  // null until they are found, with a range
  std::optional<EntityRowBlocks> blocks_;                  // of them
  std::string event_column_;
  std::optional<TimeRange> span_;  // of all entity rows; nothing: not known
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<OpenView> views_;
  std::int64_t block_rows_ = kBlockRowsMax;
  std::int64_t chunk_rows_ = kChunkRowsMax;

  std::shared_ptr<arrow::Table> block_;  // null before the first and after the last
  std::int64_t block_first_row_;         // how messages number its first row
  std::int64_t chunk_begin_ = 0;
  std::shared_ptr<arrow::Int64Array> times_;
  std::map<std::vector<std::string>, EntityGroups> groups_;  // by GroupsId
  std::vector<ViewAnswer> answers_;                          // one for each view
  std::optional<Error> failed_;
};

/// Request data come with entity rows, and so do the names that computed columns may not have.
Result<void> CheckComputable(const OnDemandPlan& plan, const arrow::RecordBatchReader* entity_rows,
                             const HistoricalRequest& request) {
  if (entity_rows != nullptr) return CheckRequestColumns(plan, *entity_rows->schema());
  if (request.selection.views.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "what is asked for is computed from request data alone: there are no entities without entity rows");
  }
  return CheckRequestColumns(plan, arrow::Schema({}));
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> GetHistorical(
    std::shared_ptr<const Catalog> catalog, std::shared_ptr<arrow::RecordBatchReader> entity_rows,
    HistoricalRequest request, const SourceOpeners& open, std::shared_ptr<Warnings> warnings) {
  const std::shared_ptr<const OnDemandPlan> computed = request.selection.on_demand;
  if (computed != nullptr) TM_TRY(CheckComputable(*computed, entity_rows.get(), request));
  const OnDemandRowsOptions rows{.event_column = request.event_timestamp_column,
                                 .first_row = request.first_row,
                                 .threads = request.threads,
                                 .stop = request.stop,
                                 .include_status = request.include_status};
  auto reader = std::make_shared<HistoricalReader>(std::move(catalog), std::move(entity_rows),
                                                   std::move(request), std::move(warnings));
  TM_TRY(reader->Open(open));
  if (computed != nullptr) return WithComputed(std::move(reader), computed, rows);
  return reader;
}

}  // namespace tidemark
