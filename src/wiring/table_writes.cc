// Finds where rows go, opens them as what is known of their types, and writes them.
#include "wiring/table_writes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

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
Error AfterOtherViews(const std::vector<std::string>& before, Error error) {
  if (before.empty()) return error;
  // Who interrupts knows that it is not whole.
  if (error.code != ErrorCode::kCancelled) error.code = ErrorCode::kUnknownFate;
  error.message += fmt::format(
      ". The rows are written to {}, and the other views have none of them: send them again, with the "
      "same idempotency key if there was one",
      fmt::join(before, ", "));
  return error;
}

/// What a push asks of a view; nothing of one that is not kept online where the rows go online only.
std::optional<IngestRequest> PushRequest(const IngestOptions& options, const GivenRows& rows,
                                         const CatalogView& view) {
  IngestRequest request = RequestOf(options, rows, view);
  request.others_allowed = true;
  if (view.definition.online || request.to == WriteTo::kOffline) return request;
  if (request.to == WriteTo::kOnline) return std::nullopt;
  request.to = WriteTo::kOffline;
  return request;
}

std::unexpected<Error> NoPushSource(const Catalog& catalog, std::string_view source) {
  std::vector<std::string> names;
  for (const auto& [name, view] : catalog.views()) {
    if (view.definition.push) names.push_back(view.definition.push->name);
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("no feature view has a push source {}{}", Quoted(source), Suggest(source, names)));
}

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

/// Rows that are read again for each view that takes them.
class TableWrites::PushedRows {
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

/// A view that takes rows of a push.
struct TableWrites::Pushed {
  Target target;
  IngestRequest request;
  std::optional<IngestReport> report;  // once they are written
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
  std::vector<Pushed> pushes;
  for (Target& target : targets) {
    if (auto request = PushRequest(options, rows, *target.view))
      pushes.push_back({std::move(target), *std::move(request), {}});
  }
  if (pushes.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no view of push source {} is kept online (online: false): push to offline",
                            Quoted(source)));
  }
  TM_TRY(WritePushed(pushed, pushes));
  std::vector<std::pair<std::string, IngestReport>> reports;
  for (Pushed& push : pushes)
    reports.emplace_back(push.target.view->definition.name, *std::move(push.report));
  return reports;
}

/// Rows go to all of the views or to none. Only those that do not go through the log are written one view
/// after the other, and first: they are many, or a warehouse may refuse them.
Result<void> TableWrites::WritePushed(const PushedRows& pushed, std::vector<Pushed>& pushes) const {
  const auto is_empty = [&](const Pushed& push) {
    return pushed.count() == 0 && !push.target.view->is_typed();  // nothing tells the keys' types
  };
  for (const Pushed& push : pushes) {
    if (is_empty(push) || (pushes.size() == 1 && push.target.view->is_typed())) continue;
    TM_ASSIGN(auto again, pushed.Reader());
    TM_TRY(Check(push.target, std::move(again), push.request));
  }
  for (Pushed& push : pushes) {
    if (pushed.count() > 0 && !push.request.dry_run) TM_TRY(TypeKeys(push.target, *pushed.schema()));
  }
  TM_ASSIGN(const auto tables, parts_.tables());
  RowsTogether together(*tables);
  std::vector<Pushed*> logged;
  std::vector<std::string> written;  // views that have the rows already
  for (Pushed& push : pushes) {
    if (is_empty(push)) {
      push.report = IngestReport{};
      continue;
    }
    TM_ASSIGN(auto again, pushed.Reader());
    if (push.target.view->is_typed() && pushes.size() > 1) {
      TM_TRY(CheckTakes(*push.target.view, push.request));
      auto is_taken = together.Add(*push.target.view, std::move(again), push.request);
      if (!is_taken) return std::unexpected(AfterOtherViews(written, std::move(is_taken).error()));
      if (*is_taken) {
        logged.push_back(&push);
        continue;
      }
      TM_ASSIGN(again, pushed.Reader());
    }
    auto one = push.target.view->is_typed() ? Write(push.target, std::move(again), push.request)
                                            : Check(push.target, std::move(again), push.request);
    if (!one) return std::unexpected(AfterOtherViews(written, std::move(one).error()));
    push.report = std::move(one->report);
    written.push_back(push.target.view->definition.name);
  }
  auto reports = together.Write();
  if (!reports) return std::unexpected(AfterOtherViews(written, std::move(reports).error()));
  for (std::size_t i = 0; i < logged.size(); ++i)
    logged[i]->report = ToReport((*reports)[i]);
  return {};
}

Result<void> TableWrites::CheckTakes(const CatalogView& view, const IngestRequest& request) const {
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
  return {};
}

Result<TableWrites::Written> TableWrites::Write(const Target& target,
                                                std::shared_ptr<arrow::RecordBatchReader> rows,
                                                IngestRequest request) const {
  const CatalogView& view = *target.view;
  TM_TRY(CheckTakes(view, request));
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
