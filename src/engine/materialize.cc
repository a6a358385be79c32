// A view is loaded in two passes: keys and times are reduced to one winner per key, then the winners' values
// are read, packed in key order on one thread, and merged into the online store on another.
#include "engine/materialize.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <mutex>

#include "base/parallel.h"
#include "base/result.h"
#include "engine/handoff.h"
#include "engine/online_rows.h"
#include "engine/row_values.h"
#include "model/definition_json.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/latest_per_key.h"

namespace tidemark {
namespace {

constexpr std::size_t kMergeRows = 50'000;
constexpr std::int64_t kMergeBytesMax = std::int64_t{32} << 20;
constexpr std::int64_t kMergesInMemory = 32;  // several are on their way at a time
// What pages being decoded take, however little is asked for, and the allocators beside.
constexpr std::int64_t kLoadWorkingBytes = std::int64_t{96} << 20;
constexpr std::size_t kBatchesAhead = 2;
constexpr std::int64_t kSliceRowsMax = 4'000'000;  // winners whose values are held at a time
constexpr std::int64_t kSliceRowsMin = 1'000;
constexpr std::int64_t kSliceBytesMax = std::int64_t{1} << 30;
constexpr std::uint32_t kPartsMax = 1024;
// How much later than it was created a row of a warehouse may become visible, and still be found by the next
// run.
constexpr std::int64_t kCreatedOverlapUs = std::int64_t{3'600} * 1'000'000;

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

/// What the stored rows of a view depend on besides its files.
std::string DefinitionOf(const CatalogView& view) {
  FeatureView bare = view.definition;
  bare.name = {};
  bare.ttl_us = 0;  // applied at read
  bare.online = true;
  bare.metadata = {};
  if (bare.source) bare.source = PlaceOfRows(*std::move(bare.source));
  for (Field& field : bare.fields) {
    field.description = {};
    field.tags = {};
  }
  std::string keys;
  for (const JoinKey& key : view.join_keys)
    keys += fmt::format("{}:{},", key.name, key.type->ToString());
  return fmt::format("{} {}", keys, ToJson(bare));
}

/// `range` widened to cover `other` as well.
std::optional<TimeRange> Spanned(std::optional<TimeRange> range, const std::optional<TimeRange>& other) {
  if (!range || !other) return range ? range : other;
  return TimeRange{std::min(range->start_us, other->start_us), std::max(range->end_us, other->end_us)};
}

/// The batch with event times outside `range` put at `beyond_us`, where they are passed over; the rows stay
/// where they are, because a row's location is its place in the batch.
Result<FeatureRows> Masked(const FeatureRows& rows, TimeRange range, std::int64_t beyond_us) {
  const std::int64_t length = rows.event->length();
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> times,
            FromArrowResult(arrow::AllocateBuffer(length * static_cast<std::int64_t>(sizeof(std::int64_t)))));
  auto* to = reinterpret_cast<std::int64_t*>(times->mutable_data());
  const std::int64_t* from = rows.event->raw_values();
  for (std::int64_t row = 0; row < length; ++row) {
    to[row] = from[row] >= range.start_us && from[row] <= range.end_us ? from[row] : beyond_us;
  }
  FeatureRows masked = rows;
  masked.event = std::make_shared<arrow::Int64Array>(length, std::move(times));
  return masked;
}

class Loading {
 public:
  Loading(const CatalogView& view, const MaterializeRequest& request, OnlineStore& online, Registry& registry,
          const Clock& clock, WriteTimes& write_times)
      : buffers_(KeptBytesWithin(request.memory_bytes_max)),
        view_(view),
        request_(request),
        online_(online),
        registry_(registry),
        now_us_(clock.now_us()),
        write_time_us_(write_times.Take(now_us_, 1)) {}

  Result<MaterializedView> Run(const SourceOpeners& open) {
    const auto begin = SteadyClock::now();
    TM_TRY(CheckRange());
    TM_TRY(ReadLog());
    TM_ASSIGN(source_, ViewSource::Open(view_, open, view_.definition.fields, RowsToRead()));
    if (range_.start_us > range_.end_us) return std::move(report_);  // all of it is ahead of the clock
    PlanFiles();
    TM_TRY(PlanFragments());
    TM_TRY(LoadParts());
    if (request_.reload) TM_TRY(RemoveDamaged());
    if (replaces_before_ > 0) TM_TRY(RemoveFormer());
    TM_TRY(SyncRows());
    TM_TRY(WriteLog());
    if (source_->was_cut()) report_.warnings.emplace_back("timestamps finer than a microsecond were cut");
    report_.rows_read = rows_read_.load();
    report_.seconds = Seconds(SteadyClock::now() - begin).count();
    return std::move(report_);
  }

 private:
  Result<void> CheckRange() {
    range_.start_us = request_.start_us.value_or(std::numeric_limits<std::int64_t>::min());
    range_.end_us = request_.end_us;
    if (range_.start_us > range_.end_us) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the start {} is after the end {}", FormatTimestampUs(range_.start_us),
                              FormatTimestampUs(range_.end_us)));
    }
    if (range_.end_us > now_us_) {
      report_.warnings.push_back(
          fmt::format("rows after now are left for when they are due: {} was taken for the end",
                      FormatTimestampUs(now_us_)));
      range_.end_us = now_us_;
    }
    return {};
  }

  Result<void> ReadLog() {
    TM_ASSIGN(const auto note, registry_.GetNote(view_.id, kLoadLogNote));
    const std::string definition = DefinitionOf(view_);
    if (note) {
      if (auto log = LoadLogFromJson(*note, request_.store_folder)) {
        log_ = *std::move(log);
      } else {
        report_.warnings.push_back(log.error().ToString() + ": all is loaded again");
      }
    }
    if (log_.definition == definition && log_.online_store == online_.identity()) {
      if (request_.reload) WidenToLoaded();
      return {};
    }
    const bool is_same_store = log_.online_store == online_.identity();
    if (is_same_store && log_.loaded_at_us < view_.source_since_us) replaces_before_ = view_.source_since_us;
    log_ = {};
    log_.definition = definition;
    log_.online_store = online_.identity();
    return {};
  }

  /// A range within what was loaded would put its own winners in the place of damaged rows that were later.
  void WidenToLoaded() {
    for (const LoadedFile& file : log_.files) {
      for (const TimeRange& range : file.ranges)
        range_ = *Spanned(range_, range);
    }
  }

  /// The entry of a file that need not be read over what it says, or null.
  const LoadedFile* Known(const SourceFile& file) const {
    return request_.reload ? nullptr : log_.Unchanged(file);
  }

  /// What of `range_` is to be read of a file for its own sake.
  std::optional<TimeRange> Missing(const SourceFile& file) const {
    const LoadedFile* loaded = Known(file);
    if (loaded == nullptr) return range_;
    const auto missing = Uncovered(range_, loaded->ranges);
    const bool has_rows = missing && (!loaded->event_times || Overlap(*missing, *loaded->event_times));
    return has_rows ? missing : std::nullopt;
  }

  bool is_in_warehouse() const {
    const auto& source = view_.definition.source;
    return source && source->warehouse;
  }

  /// Of a warehouse: of the times that were loaded before only rows that were created since then, as far as
  /// that is known. A row may become visible after others that were created later: so some are read again.
  SourceNeeds RowsToRead() const {
    SourceNeeds needs;
    if (!is_in_warehouse()) return needs;
    const LoadedFile* loaded = request_.reload || log_.files.empty() ? nullptr : &log_.files.front();
    if (loaded == nullptr || !loaded->newest_created_us) {
      needs.times.push_back({.event_first_us = range_.start_us, .event_last_us = range_.end_us});
      return needs;
    }
    if (const auto missing = Uncovered(range_, loaded->ranges))
      needs.times.push_back({.event_first_us = missing->start_us, .event_last_us = missing->end_us});
    for (const TimeRange& range : loaded->ranges) {
      if (!Overlap(range, range_)) continue;
      needs.times.push_back({.event_first_us = std::max(range.start_us, range_.start_us),
                             .event_last_us = std::min(range.end_us, range_.end_us),
                             .created_first_us = *loaded->newest_created_us - kCreatedOverlapUs});
    }
    return needs;
  }

  /// Which times of which file are to be read: those that were not, and those that are read of any file
  /// before it by path. Rows read now win ties against rows read earlier, and by the rule the last file does.
  void PlanFiles() {
    const auto& files = source_->source().files();
    if (is_in_warehouse()) {  // which has left out what need not be read
      wanted_.assign(files.size(), range_);
      event_times_.resize(files.size());
      return;
    }
    std::optional<TimeRange> wanted;
    for (const SourceFile& file : files) {
      // Rows of Tidemark's own tables say themselves when they were written.
      if (source_->has_own_order()) wanted = std::nullopt;
      wanted = Spanned(Missing(file), wanted);
      const LoadedFile* loaded = Known(file);
      const bool has_rows =
          wanted && (loaded == nullptr || !loaded->event_times || Overlap(*wanted, *loaded->event_times));
      wanted_.push_back(has_rows ? wanted : std::nullopt);
    }
    event_times_.resize(files.size());
    if (source_->has_own_order()) return;  // its files are rewritten, and what the logs had comes into them
    for (const LoadedFile& loaded : log_.files) {
      const bool there = std::ranges::find(files, loaded.file.path, &SourceFile::path) != files.end();
      if (!there) {
        report_.warnings.push_back(fmt::format(
            "file '{}' was loaded before and is gone; its rows stay in the online store", loaded.file.path));
      }
    }
  }

  Result<void> PlanFragments() {
    std::vector<std::size_t> files;
    for (std::size_t file = 0; file < wanted_.size(); ++file) {
      if (wanted_[file]) files.push_back(file);
    }
    // Of the others not even the fragments are asked for: to cut a CSV file into some, it is read.
    auto fragments = source_->source().FragmentsOf(files, {view_.definition.event_column()});
    if (!fragments) return std::unexpected(std::move(fragments).error().In("view " + view_.definition.name));
    fragments_ = *std::move(fragments);
    std::vector<bool> is_read(wanted_.size(), false);
    for (const std::size_t file : files) {
      if (!is_in_warehouse()) event_times_[file] = kNoTimes;  // not all of its rows come
    }
    for (const Fragment& fragment : fragments_) {
      const auto& wanted = wanted_[fragment.file];
      const auto times = source_->EventTimes(fragment);
      if (times && (times->low_us > wanted->end_us || times->high_us < wanted->start_us)) {
        event_times_[fragment.file] = std::nullopt;  // not all of it is read
        continue;
      }
      scanned_.push_back(&fragment);
      scan_range_ = *Spanned(scan_range_, wanted);
      is_read[fragment.file] = true;
    }
    report_.files_read = std::ranges::count(is_read, true);
    report_.files_skipped = std::ssize(is_read) - report_.files_read;
    return {};
  }

  /// The part of the memory limit that rows may take.
  std::int64_t MemoryLeft() const {
    return std::max(request_.memory_bytes_max - kLoadWorkingBytes, request_.memory_bytes_max / 8);
  }

  bool OverBudget(const LatestPerKey& latest) const {
    // Putting them in order takes about as much again, and the sorted rows twice that.
    return request_.memory_bytes_max > 0 && latest.memory_bytes() > MemoryLeft() / 5;
  }

  /// All keys in one part, or in as many as memory needs: a part that outgrows it starts anew as smaller
  /// ones.
  Result<void> LoadParts() {
    std::uint32_t parts = 1;
    for (std::uint32_t part = 0; part < parts && !scanned_.empty();) {
      TM_ASSIGN(const auto latest, ReducePart(part, parts));
      if (!latest) {
        parts *= 4;
        continue;
      }
      TM_TRY(LoadRows(*latest));
      ++part;
    }
    return {};
  }

  /// The winners of one part of the keys, in key order; nothing if they need more memory than they may have.
  Result<std::optional<std::vector<LatestRow>>> ReducePart(std::uint32_t part, std::uint32_t parts) {
    if (part == 0) rows_read_ = 0;  // each part reads all rows; they count once
    LatestPerKey latest({.start_us = scan_range_->start_us,
                         .end_us = scan_range_->end_us,
                         .part = part,
                         .parts = parts,
                         .threads = request_.threads});
    TM_ASSIGN(const bool fits, Reduce(latest, part == 0, part == 0 && parts < kPartsMax));
    if (!fits) return std::nullopt;
    return latest.Finish();
  }

  /// False if it stopped because memory ran over (`may_stop`).
  Result<bool> Reduce(LatestPerKey& latest, bool counts_rows, bool may_stop) {
    std::atomic<bool> over{false};
    std::atomic<std::int64_t> done{0};
    const auto scan = [&](std::size_t i, std::size_t thread) -> Result<void> {
      if (over.load()) return {};
      const TimeRange range = *wanted_[scanned_[i]->file];
      TM_TRY(source_->ScanKeys(*scanned_[i], [&](const FeatureRows& rows) -> Result<void> {
        if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
        if (over.load()) return {};
        if (counts_rows) {
          rows_read_.fetch_add(rows.event->length(), std::memory_order_relaxed);
          NoteTimes(scanned_[i]->file, *rows.event);
          if (rows.created != nullptr && is_in_warehouse()) NoteCreated(*rows.created);
        }
        if (range == *scan_range_) {
          TM_TRY(latest.Add(rows, thread));
        } else {  // the end is not after now, so that there is a time beyond it
          TM_ASSIGN(const FeatureRows masked, Masked(rows, range, scan_range_->end_us + 1));
          TM_TRY(latest.Add(masked, thread));
        }
        if (may_stop && OverBudget(latest)) over.store(true);
        return {};
      }));
      Report("reading", done.fetch_add(1) + 1, static_cast<std::int64_t>(scanned_.size()));
      return {};
    };
    TM_TRY(ParallelFor(scanned_.size(), request_.threads, request_.stop, scan));
    return !over.load();
  }

  /// Takes the rows into the range of event times of their file.
  void NoteTimes(std::size_t file, const arrow::Int64Array& event) {
    TimeRange seen = kNoTimes;
    for (std::int64_t row = 0; row < event.length(); ++row) {
      if (event.Value(row) == std::numeric_limits<std::int64_t>::max()) continue;  // it does not count
      seen.start_us = std::min(seen.start_us, event.Value(row));
      seen.end_us = std::max(seen.end_us, event.Value(row));
    }
    const std::lock_guard lock(times_mutex_);
    if (auto& times = event_times_[file]) times = Spanned(times, seen);
  }

  void NoteCreated(const arrow::Int64Array& created) {
    if (created.length() == 0) return;
    const std::int64_t* begin = created.raw_values();
    const std::int64_t newest_us = *std::max_element(begin, begin + created.length());
    const std::lock_guard lock(times_mutex_);
    newest_created_us_ = std::max(newest_created_us_.value_or(newest_us), newest_us);
  }

  /// What is known of a table in a warehouse after this run, in all of its ranges.
  std::optional<std::int64_t> NewestCreated(const LoadedFile* before) const {
    if (before == nullptr || !before->newest_created_us) {
      // Times that were loaded when nothing was known stay so, unless this run has read them too.
      const bool has_others = before != nullptr && Merged(before->ranges, range_) != std::vector{range_};
      return has_others ? std::nullopt : newest_created_us_;
    }
    const bool is_all = Merged(before->ranges, range_) == std::vector{range_};
    return is_all
               ? std::max(newest_created_us_.value_or(*before->newest_created_us), *before->newest_created_us)
               : std::min(newest_created_us_.value_or(*before->newest_created_us),
                          *before->newest_created_us);
  }

  /// Damaged rows that no row of the source took the place of.
  Result<void> RemoveDamaged() {
    TM_ASSIGN(const std::int64_t removed, online_.RemoveDamaged(ViewPrefix(view_.id)));
    if (removed == 0) return {};
    report_.warnings.push_back(fmt::format(
        "{} damaged online row{} removed that the source has no row for: what was pushed only online must be "
        "pushed again",
        removed, removed == 1 ? " was" : "s were"));
    return {};
  }

  /// Rows of a source that the view has no more, and that no row of the new one took the place of.
  Result<void> RemoveFormer() {
    TM_ASSIGN(const std::int64_t removed, online_.RemoveBefore(ViewPrefix(view_.id), replaces_before_));
    if (removed == 0) return {};
    report_.warnings.push_back(
        fmt::format("the view has another source since {}: {} online row{} of before that it has no row for "
                    "{} removed; what "
                    "was pushed only online before then must be pushed again",
                    FormatTimestampUs(replaces_before_), removed, removed == 1 ? "" : "s",
                    removed == 1 ? "was" : "were"));
    return {};
  }

  /// How many winners' values are held at a time.
  Result<std::size_t> SliceRows() const {
    TM_ASSIGN(const RowBytes measured, MeasureRowBytes(*source_, fragments_, view_.definition.fields));
    const std::int64_t row_bytes =
        2 * measured.total() + 64 + 24 * std::ssize(view_.join_keys);  // in pieces and joined
    std::int64_t bytes = kSliceBytesMax;
    if (request_.memory_bytes_max > 0) bytes = std::min(bytes, MemoryLeft() / 3);
    return static_cast<std::size_t>(std::clamp(bytes / row_bytes, kSliceRowsMin, kSliceRowsMax));
  }

  /// Reads, packs and merges the winners, which come in key order.
  Result<void> LoadRows(const std::vector<LatestRow>& latest) {
    TM_ASSIGN(const std::size_t slice_rows, SliceRows());
    for (std::size_t begin = 0; begin < latest.size(); begin += slice_rows) {
      const auto slice = std::span(latest).subspan(begin, std::min(slice_rows, latest.size() - begin));
      std::vector<RowLocation> locations;
      locations.reserve(slice.size());
      for (const LatestRow& row : slice) {
        locations.push_back(row.location);
        newest_us_ = std::max(newest_us_.value_or(row.order.event.us), row.order.event.us);
      }
      TM_ASSIGN(const RowValues values, ReadRowValues(*source_, fragments_, locations,
                                                      {.features = view_.definition.fields,
                                                       .with_keys = true,
                                                       .in_order = false,
                                                       .threads = request_.threads,
                                                       .stop = request_.stop}));
      TM_TRY(
          PutRows(slice, values, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(latest.size())));
      // Where one slice follows another, what allocators hold back would be memory above the limit.
      if (slice.size() == slice_rows) BufferPool()->ReleaseUnused();
    }
    return {};
  }

  std::size_t MergeBytes() const {
    const std::int64_t memory = request_.memory_bytes_max;
    return static_cast<std::size_t>(memory > 0 ? std::min(kMergeBytesMax, memory / kMergesInMemory)
                                               : kMergeBytesMax);
  }

  Result<void> PutRows(std::span<const LatestRow> rows, const RowValues& values, std::int64_t done,
                       std::int64_t total) {
    const auto begin = SteadyClock::now();
    Handoff<std::unique_ptr<OnlineBatch>> packed(kBatchesAhead);
    const PackedLayout layout = CurrentLayout(view_);
    const std::size_t merge_bytes = MergeBytes();
    const auto pack = [&]() -> Result<void> {
      std::size_t next = 0;
      while (next < rows.size()) {
        auto batch = std::make_unique<OnlineBatch>(layout, view_.id, values.keys, values.features);
        for (; next < rows.size() && batch->packed().size() < kMergeRows &&
               batch->packed().bytes() < merge_bytes;
             ++next) {
          TM_TRY(batch->Add(values.index[next], HeaderOf(rows[next])));
        }
        if (!packed.Put(std::move(batch))) return {};
      }
      return {};
    };
    const auto put = [&](std::unique_ptr<OnlineBatch> batch) -> Result<void> {
      if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      // What the store may hold already is compared first; into an empty one all is written at once.
      // A row of our own tables is written for its write time too, which late rows are compared with.
      const bool writes_all = request_.reload || log_.files.empty() || source_->has_own_order();
      const MergeOptions options{
          .durable = false, .replaces_damaged = request_.reload, .replaces_before = replaces_before_};
      const PackedRows& merged = batch->packed();
      TM_ASSIGN(const MergeCounts counts,
                writes_all ? merged.Merge(online_, options) : merged.MergeChanged(online_, options));
      report_.rows_written += counts.written;
      done += counts.written + counts.kept;
      Report("writing", done, total);
      return {};
    };
    TM_TRY(packed.Run(pack, put));
    report_.put_seconds += Seconds(SteadyClock::now() - begin).count();
    return {};
  }

  Result<void> SyncRows() {
    const auto begin = SteadyClock::now();
    TM_TRY(online_.Sync());
    report_.put_seconds += Seconds(SteadyClock::now() - begin).count();
    return {};
  }

  PackedHeader HeaderOf(const LatestRow& row) const {
    PackedHeader header;
    header.order = row.order;
    if (!source_->has_own_order()) {
      header.order.sequence = write_time_us_;
      header.order.origin = 0;
    }
    header.is_deleted = row.is_deleted;
    header.expires_at_us = row.expires_at_us;
    header.schema_version = static_cast<std::uint32_t>(view_.version);
    return header;
  }

  Result<void> WriteLog() {
    const auto& files = source_->source().files();
    std::vector<LoadedFile> loaded;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const LoadedFile* before = log_.Unchanged(files[i]);
      const bool is_known = before != nullptr && !event_times_[i];
      loaded.push_back({files[i],
                        Merged(before == nullptr ? std::vector<TimeRange>{} : before->ranges, range_),
                        is_known ? before->event_times : event_times_[i],
                        is_in_warehouse() ? NewestCreated(before) : std::nullopt});
    }
    log_.files = std::move(loaded);
    log_.loaded_at_us = now_us_;
    log_.rows_written = report_.rows_written;
    log_.last = range_;
    if (newest_us_) log_.newest_event_us = std::max(log_.newest_event_us.value_or(*newest_us_), *newest_us_);
    return registry_.PutNote(view_.id, kLoadLogNote, ToJson(log_, request_.store_folder));
  }

  void Report(std::string_view step, std::int64_t done, std::int64_t total) {
    if (!request_.progress) return;
    const std::lock_guard lock(progress_mutex_);
    request_.progress(fmt::format("{} {}", step, view_.definition.name), done, total);
  }

  const BufferPoolUse buffers_;  // first, so that it ends last
  const CatalogView& view_;
  const MaterializeRequest& request_;
  OnlineStore& online_;
  Registry& registry_;
  const std::int64_t now_us_;
  const std::int64_t write_time_us_;  // of all rows of this run
  std::int64_t replaces_before_ = 0;  // rows of an earlier sequence are of a former source
  TimeRange range_;
  LoadLog log_;
  std::unique_ptr<ViewSource> source_;
  std::vector<std::optional<TimeRange>> wanted_;       // for each file
  std::vector<Fragment> fragments_;                    // of the files that something is wanted of
  std::mutex times_mutex_;                             // guards the next two while files are read
  std::optional<std::int64_t> newest_created_us_;      // of rows of a warehouse
  std::vector<std::optional<TimeRange>> event_times_;  // of all rows of each file, if all are read
  std::vector<const Fragment*> scanned_;               // those that are read
  std::optional<TimeRange> scan_range_;                // all of what is wanted of them
  std::atomic<std::int64_t> rows_read_{0};
  std::optional<std::int64_t> newest_us_;
  std::mutex progress_mutex_;
  MaterializedView report_;
};

}  // namespace

Result<MaterializedView> Materialize(const CatalogView& view, const MaterializeRequest& request,
                                     const SourceOpeners& open, OnlineStore& online, Registry& registry,
                                     const Clock& clock, WriteTimes& write_times) {
  auto loaded = Loading(view, request, online, registry, clock, write_times).Run(open);
  if (loaded || loaded.error().context.starts_with("view ")) return loaded;
  return std::unexpected(std::move(loaded).error().In("view " + view.definition.name));
}

}  // namespace tidemark
