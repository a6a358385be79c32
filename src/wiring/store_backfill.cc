// Backfills: the ranges that a view's query is still to be run for, one after another.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "engine/batch/backfill.h"
#include "engine/batch/batch_query.h"
#include "model/time.h"
#include "wiring/embedded_store_internal.h"

namespace tidemark {
namespace {

std::string RangeText(TimeSpan range) {
  return fmt::format("range {} to {}", FormatTimestampUs(range.start_us), FormatTimestampUs(range.end_us));
}

Result<void> CheckRequest(const CatalogView& view, const BackfillOptions& options) {
  if (!view.definition.batch) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("view '{}' has no query that computes its rows: backfill is for batch views, and "
                            "other rows come by ingest, or online by materialize",
                            view.definition.name));
  }
  if (options.to == WriteTarget::kOnline) {
    return Fail(ErrorCode::kInvalidArgument,
                "computed rows are kept offline, and come online from there: write to offline or to both");
  }
  if (!options.restart || options.start_us) return {};
  return Fail(ErrorCode::kInvalidArgument, "to compute a range anew, say where it begins (start)");
}

/// An error of a run, some of whose ranges are done.
Error AfterRanges(Error error, TimeSpan failed, std::size_t done, std::size_t all) {
  if (done > 0) {
    error.message += fmt::format(
        " ({} of {} ranges are computed and kept; the next backfill goes on from there)", done, all);
  }
  return std::move(error).In(RangeText(failed));
}

}  // namespace

Result<BackfillReport> EmbeddedStore::Backfill(std::string_view view, const BackfillOptions& options) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const std::string name, ViewName(*catalog, view));
  TM_ASSIGN(const CatalogView* const found, catalog->View(name));
  const std::string place = "view " + name;
  TM_TRY_IN(CheckRequest(*found, options), place);
  const std::string query = BatchQueryId(*found->definition.batch);
  TM_ASSIGN(const auto tables, tables_.Open());
  BackfillRequest request{.start_us = options.start_us,
                          .end_us = options.end_us,
                          .step_us = options.step_us,
                          .now_us = clock_->now_us()};
  TM_ASSIGN(auto done, tables->DoneRanges(*found));
  auto plan = PlanBackfill(request, done, query);
  if (plan && options.restart) {
    TM_TRY(tables->ForgetRange(*found, plan->all));
    plan = PlanBackfill(request, WithoutRange(done, plan->all), query);
  }
  if (!plan) return std::unexpected(std::move(plan).error().In(place));
  return ComputeRanges(catalog, *found, *plan, options);
}

Result<Json> EmbeddedStore::ComputedRanges(const CatalogView& view) const {
  TM_ASSIGN(const auto tables, tables_.Open());
  TM_ASSIGN(const auto done, tables->DoneRanges(view));
  const std::string query = BatchQueryId(*view.definition.batch);
  Json ranges = Json::array();
  for (const DoneRange& each : done) {
    ranges.push_back({{"start", FormatTimestampUs(each.range.start_us)},
                      {"end", FormatTimestampUs(each.range.end_us)},
                      {"query", each.query == query ? "current" : "another"}});
  }
  return ranges;
}

Result<BackfillReport> EmbeddedStore::ComputeRanges(const std::shared_ptr<const Catalog>& catalog,
                                                    const CatalogView& view, const BackfillPlan& plan,
                                                    const BackfillOptions& options) {
  const std::string place = "view " + view.definition.name;
  const std::string query = BatchQueryId(*view.definition.batch);
  BackfillReport report{.start_us = plan.all.start_us,
                        .end_us = plan.all.end_us,
                        .ranges_before = plan.steps_done,
                        .warnings = {}};
  if (plan.steps_of_others > 0) {
    report.warnings.push_back(fmt::format(
        "{} of the ranges were computed by another query than the view has now, and stay as they are; "
        "`restart` computes them anew",
        plan.steps_of_others));
  }
  TM_ASSIGN(const TableWrites writes, Writes());
  IngestOptions ingest{.to = options.to, .stop = options.work.stop};
  for (std::size_t i = 0; i < plan.ranges.size(); ++i) {
    const TimeSpan range = plan.ranges[i];
    const auto total = std::ssize(plan.ranges);
    if (options.work.progress) {
      options.work.progress(
          {fmt::format("computing {} from {}", view.definition.name, FormatTimestampUs(range.start_us)),
           static_cast<std::int64_t>(i), total});
    }
    const auto compute = [&]() -> Result<TableWrites::Written> {
      if (options.work.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_ASSIGN(auto rows, sql_.RunBatch(catalog, view, range, options.work.stop));
      return writes.WriteRange(view, std::move(rows), {range, query}, ingest);
    };
    auto written = compute();
    if (!written) {
      return std::unexpected(AfterRanges(std::move(written).error(), range, i, plan.ranges.size()).In(place));
    }
    ++(written->report.repeated ? report.ranges_before : report.ranges);
    report.rows += written->report.rows;
    report.deletions += written->deletions;
    report.online_rows += written->report.online_rows;
    rows_written_ += written->report.rows;
    for (std::string& warning : written->report.warnings) {
      if (std::ranges::find(report.warnings, warning) == report.warnings.end())
        report.warnings.push_back(std::move(warning));
    }
  }
  if (options.work.progress && !plan.ranges.empty())
    options.work.progress(
        {"computing " + view.definition.name, std::ssize(plan.ranges), std::ssize(plan.ranges)});
  return report;
}

}  // namespace tidemark
