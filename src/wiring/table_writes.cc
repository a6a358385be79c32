// Finds where rows go, opens them as what is known of their types, and writes them.
#include "wiring/table_writes.h"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/files/table_file.h"
#include "base/result.h"
#include "engine/tables/text_rows.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/stream_import.h"
#include "wiring/databases.h"

namespace tidemark {
namespace {

/// Columns whose types are known: CSV is read as these.
std::map<std::string, DataType> TypesOf(const CatalogView& view) {
  std::map<std::string, DataType> types;
  for (const JoinKey& key : view.join_keys) {
    if (key.type) types.emplace(key.name, *key.type);
  }
  for (const Field& field : view.definition.fields)
    types.emplace(field.name, field.type);
  const DataType timestamp{.kind = TypeKind::kTimestamp};
  types.emplace(view.definition.event_column(), timestamp);
  types.emplace(view.definition.created_column(), timestamp);
  if (view.definition.is_table())
    types.insert_or_assign(view.definition.table.timestamp_field, view.definition.table.timestamp_type);
  return types;
}

/// A join key without a type gets that of its column.
Result<void> TypeKey(const std::string& view, const arrow::Schema& schema, JoinKey& key) {
  if (key.type) return {};
  const int column = schema.GetFieldIndex(key.name);
  if (column < 0) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("the rows have no column '{}', which is a join key of view '{}'", key.name, view));
  }
  auto type = FromArrow(*schema.field(column)->type());
  if (!type || !CanBeJoinKey(*type)) {
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("column '{}' has type {}, which cannot be a join key; those are string, int32, "
                            "int64, binary, bool and timestamp",
                            key.name, schema.field(column)->type()->ToString()));
  }
  key.type = *std::move(type);
  return {};
}

IngestReport ToReport(IngestedRows& written) {
  return {.rows = written.rows,
          .online_rows = written.online_rows,
          .ahead = written.ahead,
          .rejected = written.rejected == nullptr ? 0 : written.rejected->num_rows(),
          .repeated = written.repeated,
          .token = std::move(written.token),
          .warnings = std::move(written.warnings)};
}

WriteTo TargetOf(WriteTarget to, const CatalogView& view) {
  switch (to) {
    case WriteTarget::kOnline:
      return WriteTo::kOnline;
    case WriteTarget::kOffline:
      return WriteTo::kOffline;
    case WriteTarget::kBoth:
      return WriteTo::kBoth;
    case WriteTarget::kUsual:
      break;
  }
  return view.definition.online ? WriteTo::kBoth : WriteTo::kOffline;
}

bool IsCsv(const GivenRows& rows) {
  return !rows.path.empty() && FirstRowNumber(rows.path) != 0;
}

/// What columns are read as: where bad rows of a CSV file are skipped, as text, which is looked at row by
/// row.
std::map<std::string, DataType> ReadAs(const CatalogView& view, const GivenRows& rows,
                                       const IngestOptions& options) {
  auto types = TypesOf(view);
  if (!options.skip_bad_rows || !IsCsv(rows)) return types;
  for (auto& [name, type] : types) {
    if (IsReadFromText(type) || type.kind == TypeKind::kTimestamp) type = {.kind = TypeKind::kString};
  }
  return types;
}

IngestRequest RequestOf(const IngestOptions& options, const GivenRows& rows, const CatalogView& view) {
  IngestRequest request;
  request.is_text = options.skip_bad_rows && (options.reads_text || IsCsv(rows));
  request.first_row = rows.path.empty() ? 0 : FirstRowNumber(rows.path);
  request.to = TargetOf(options.to, view);
  request.dry_run = options.dry_run;
  request.skip_bad_rows = options.skip_bad_rows;
  request.others_allowed = options.ignore_other_columns;
  request.batch_key = options.idempotency_key;
  request.stop = options.stop;
  request.progress = options.progress;
  return request;
}

/// A table without entities has one row for all: whoever names columns to tell rows apart by means another
/// deletion than the one that would happen.
Result<void> CheckNamesNoEntity(const CatalogView& view, const arrow::Schema& rows) {
  for (const std::string& name : rows.field_names()) {
    if (name == view.definition.table.timestamp_field) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "table '{}' has no entities, so that its rows cannot be told apart by '{}': give rows of "
            "its time column '{}' alone, from which on nothing is found, or make a table with entities",
            view.definition.name, name, view.definition.table.timestamp_field));
  }
  return {};
}

/// Views that have got the rows of a push before it failed keep them.
Error AfterOtherViews(const std::vector<std::pair<std::string, IngestReport>>& before, Error error) {
  if (before.empty()) return error;
  std::string views;
  for (const auto& [view, report] : before)
    views += fmt::format("{}{}", views.empty() ? "" : ", ", view);
  // Who interrupts knows that it is not whole.
  if (error.code != ErrorCode::kCancelled) error.code = ErrorCode::kUnknownFate;
  error.message += fmt::format(
      ". The rows are written to {}, and views after this one have none of them: send them again, with the "
      "same idempotency key if there was one",
      views);
  return error;
}

std::unexpected<Error> NoPushSource(const Catalog& catalog, std::string_view source) {
  std::vector<std::string> names;
  for (const auto& [name, view] : catalog.views()) {
    if (view.definition.push) names.push_back(view.definition.push->name);
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("no feature view has a push source {}{}", Quoted(source), Suggest(source, names)));
}

/// Rows that are read again for each view that takes them.
class PushedRows {
 public:
  static Result<PushedRows> Of(arrow::RecordBatchReader& reader) {
    PushedRows rows;
    rows.schema_ = reader.schema();
    TM_ASSIGN(rows.batches_, FromArrowResult(reader.ToRecordBatches()));
    for (const auto& batch : rows.batches_)
      rows.count_ += batch->num_rows();
    return rows;
  }

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  std::int64_t count() const { return count_; }
  Result<std::shared_ptr<arrow::RecordBatchReader>> Reader() const {
    return FromArrowResult(arrow::RecordBatchReader::Make(batches_, schema_));
  }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  arrow::RecordBatchVector batches_;
  std::int64_t count_ = 0;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> OpenGivenRows(
    const GivenRows& rows, FunctionRef<std::map<std::string, DataType>()> types, std::size_t threads) {
  if ((rows.stream == nullptr) == rows.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "rows come as a stream or from a file: give exactly one");
  }
  if (rows.stream == nullptr) return OpenTableFile(rows.path, threads, types());
  if (rows.stream->release == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
  }
  return ImportStream(rows.stream);
}

/// The view that rows are for, kept alive by its catalog.
struct TableWrites::Target {
  std::shared_ptr<const Catalog> catalog;
  const CatalogView* view = nullptr;
};

Result<TableWrites::Target> TableWrites::Find(std::string_view name) const {
  TM_ASSIGN(const std::string plain, ViewNameOf(*parts_.catalog, parts_.own_database, name));
  TM_ASSIGN(const CatalogView* view, parts_.catalog->DefinedView(plain));
  return Target{parts_.catalog, view};
}

/// What the rows would do to a view: all of them are checked, and nothing is changed. Join keys that have no
/// types yet are taken to have those of their columns.
Result<TableWrites::Written> TableWrites::Check(const Target& target,
                                                std::shared_ptr<arrow::RecordBatchReader> rows,
                                                IngestRequest request) const {
  CatalogView view = *target.view;
  for (JoinKey& key : view.join_keys)
    TM_TRY(TypeKey(view.definition.name, *rows->schema(), key));
  request.dry_run = true;
  TM_ASSIGN(const auto tables, parts_.tables());
  TM_ASSIGN(IngestedRows checked, tables->Ingest(view, std::move(rows), request));
  Written written;
  written.rejected = checked.rejected;
  written.report = ToReport(checked);
  return written;
}

/// Join keys without types get those of their columns, for good.
Result<void> TableWrites::TypeKeys(Target& target, const arrow::Schema& schema) const {
  if (target.view->is_typed()) return {};
  Definitions definitions;
  for (const std::string& name : target.view->definition.entities) {
    Entity entity = target.catalog->entities().at(name);
    for (JoinKey& key : entity.join_keys)
      TM_TRY(TypeKey(target.view->definition.name, schema, key));
    definitions.entities.push_back(std::move(entity));
  }
  TM_TRY(parts_.apply(definitions));
  const std::string name = target.view->definition.name;
  TM_ASSIGN(target.catalog, parts_.reload());
  TM_ASSIGN(target.view, target.catalog->View(name));
  return {};
}

Result<TableWrites::Written> TableWrites::Ingest(std::string_view view, const GivenRows& rows,
                                                 const IngestOptions& options) const {
  TM_ASSIGN(Target target, Find(view));
  TM_ASSIGN(auto reader,
            OpenGivenRows(rows, [&] { return ReadAs(*target.view, rows, options); }, parts_.threads));
  const IngestRequest request = RequestOf(options, rows, *target.view);
  if (target.view->is_typed()) return Write(target, std::move(reader), request);
  // The first rows give the join keys their types, for good: so they are known to be good before.
  TM_ASSIGN(const auto table, FromArrowResult(reader->ToTable()));
  if (table->num_rows() == 0) return Written{};
  TM_ASSIGN(Written checked, Check(target, std::make_shared<arrow::TableBatchReader>(table), request));
  if (request.dry_run || checked.report.rows == 0) return checked;
  TM_TRY(TypeKeys(target, *table->schema()));
  return Write(target, std::make_shared<arrow::TableBatchReader>(table), request);
}

Result<TableWrites::Written> TableWrites::WriteRange(const CatalogView& view,
                                                     std::shared_ptr<arrow::RecordBatchReader> rows,
                                                     const WrittenRange& range,
                                                     const IngestOptions& options) const {
  IngestRequest request = RequestOf(options, {}, view);
  request.others_allowed = true;
  request.range = range;
  return Write({parts_.catalog, &view}, std::move(rows), std::move(request));
}

Result<TableWrites::Written> TableWrites::Delete(std::string_view view, const GivenRows& rows,
                                                 std::optional<std::int64_t> event_us,
                                                 const IngestOptions& options) const {
  TM_ASSIGN(const Target target, Find(view));
  if (!target.view->definition.is_table()) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("view '{}' has a batch source, whose files say nothing of deletions: remove the rows "
                    "there",
                    view));
  }
  TM_TRY(parts_.catalog->View(target.view->definition.name));  // one without rows has nothing to delete
  TM_ASSIGN(auto reader, OpenGivenRows(rows, [&] { return TypesOf(*target.view); }, parts_.threads));
  if (target.view->join_keys.empty()) TM_TRY(CheckNamesNoEntity(*target.view, *reader->schema()));
  IngestRequest request = RequestOf(options, rows, *target.view);
  request.is_deletion = true;
  request.event_us = event_us;
  return Write(target, std::move(reader), std::move(request));
}

Result<std::vector<std::pair<std::string, IngestReport>>> TableWrites::Push(
    std::string_view source, const GivenRows& rows, const IngestOptions& options) const {
  std::vector<Target> targets;
  for (const auto& [name, view] : parts_.catalog->views()) {
    if (view.definition.push && view.definition.push->name == source)
      targets.push_back({parts_.catalog, &view});
  }
  // A push source's name has no dot, and so is no table with its database.
  if (targets.empty() && (source.contains('.') || parts_.catalog->views().contains(std::string(source)))) {
    TM_ASSIGN(Target target, Find(source));
    targets.push_back(std::move(target));
  }
  if (targets.empty()) return NoPushSource(*parts_.catalog, source);
  const auto types = [&] {
    std::map<std::string, DataType> all;
    for (const Target& target : targets)
      all.merge(TypesOf(*target.view));
    return all;
  };
  TM_ASSIGN(const auto reader, OpenGivenRows(rows, types, parts_.threads));
  TM_ASSIGN(const PushedRows pushed, PushedRows::Of(*reader));
  const auto request_for = [&](const Target& target) -> std::optional<IngestRequest> {
    IngestRequest request = RequestOf(options, rows, *target.view);
    request.others_allowed = true;
    if (target.view->definition.online || request.to == WriteTo::kOffline) return request;
    if (request.to == WriteTo::kOnline) return std::nullopt;  // it is kept offline only
    request.to = WriteTo::kOffline;
    return request;
  };
  // Rows that do not fit one of the views go to none of them.
  for (const Target& target : targets) {
    const auto request = request_for(target);
    if (pushed.count() == 0 && !target.view->is_typed()) continue;  // nothing tells the keys' types
    if (!request || (targets.size() == 1 && target.view->is_typed())) continue;
    TM_ASSIGN(auto again, pushed.Reader());
    TM_TRY(Check(target, std::move(again), *request));
  }
  std::vector<std::pair<std::string, IngestReport>> reports;
  for (Target& target : targets) {
    const auto request = request_for(target);
    if (!request) continue;
    if (pushed.count() == 0 && !target.view->is_typed()) {
      reports.emplace_back(target.view->definition.name, IngestReport{});
      continue;
    }
    if (pushed.count() > 0 && !request->dry_run) TM_TRY(TypeKeys(target, *pushed.schema()));
    TM_ASSIGN(auto again, pushed.Reader());
    auto written = target.view->is_typed() ? Write(target, std::move(again), *request)
                                           : Check(target, std::move(again), *request);
    if (!written) return std::unexpected(AfterOtherViews(reports, std::move(written).error()));
    reports.emplace_back(target.view->definition.name, std::move(written->report));
  }
  if (reports.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no view of push source {} is kept online (online: false): push to offline",
                            Quoted(source)));
  }
  return reports;
}

Result<TableWrites::Written> TableWrites::Write(const Target& target,
                                                std::shared_ptr<arrow::RecordBatchReader> rows,
                                                IngestRequest request) const {
  const CatalogView& view = *target.view;
  const bool is_external =
      !view.definition.is_table() && view.definition.source->format == FileFormat::kIceberg;
  if (is_external && request.to != WriteTo::kOnline) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("view '{}' has an Iceberg table as its source: rows are added to that by the "
                            "engine that keeps it",
                            view.definition.name));
  }
  if (view.definition.batch && !request.range && !request.is_deletion) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the rows of view '{}' are computed by its query, and a range that is computed again "
                    "would take others away: use backfill, or write to a feature table that the query "
                    "reads",
                    view.definition.name));
  }
  TM_ASSIGN(const auto tables, parts_.tables());
  std::unique_ptr<UnfinishedLoads::Mark> mark;
  if (request.to == WriteTo::kBoth) {
    request.before_files = [&]() -> Result<void> {
      TM_ASSIGN(mark, parts_.loads->Begin(view.id));
      return {};
    };
  }
  auto ingested = tables->Ingest(view, std::move(rows), request);
  if (!ingested) {
    // Nothing came into files, unless it is not known.
    if (mark != nullptr && ingested.error().code != ErrorCode::kUnknownFate) TM_TRY(mark->End());
    return std::unexpected(std::move(ingested).error());
  }
  if (mark != nullptr) {
    const bool is_empty = ingested->rows + ingested->deletions == 0;  // as a range may be
    if (!ingested->repeated && ingested->to_files && !is_empty) {
      const auto loaded = parts_.load_online(view.definition.name, request.stop);
      if (!loaded) return std::unexpected(AfterCommit("bringing them online failed", loaded.error()));
      ingested->online_rows = *loaded;
    }
    if (auto ended = mark->End(); !ended)
      return std::unexpected(AfterCommit("noting that they are online failed", ended.error()));
  }
  Written written;
  written.rejected = ingested->rejected;
  written.deletions = ingested->deletions;
  written.report = ToReport(*ingested);
  return written;
}

}  // namespace tidemark
