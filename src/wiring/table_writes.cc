// Finds where rows go, opens them as what is known of their types, and writes them.
#include "wiring/table_writes.h"

#include <arrow/c/bridge.h>
#include <fmt/format.h>

#include <algorithm>

#include "adapters/files/table_file.h"
#include "base/hash.h"
#include "base/result.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

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

Result<std::shared_ptr<arrow::RecordBatchReader>> Open(const GivenRows& rows,
                                                       const std::map<std::string, DataType>& types,
                                                       std::size_t threads) {
  if ((rows.stream == nullptr) == rows.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "rows come as a stream or from a file: give exactly one");
  }
  if (rows.stream == nullptr) return OpenTableFile(rows.path, threads, types);
  if (rows.stream->release == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
  }
  return FromArrowResult(arrow::ImportRecordBatchReader(rows.stream));
}

/// A view with a batch source as if its rows were a table's: rows for its files are checked the same way.
CatalogView AsTable(const CatalogView& view) {
  CatalogView table = view;
  table.definition.table = {};
  table.definition.table.timestamp_field = view.definition.event_column();
  table.definition.table.created_timestamp_column = view.definition.created_column();
  table.definition.source.reset();
  return table;
}

/// Rows as the files of a batch source have them: checked, and under the names that the files use.
class SourceRows final : public arrow::RecordBatchReader {
 public:
  SourceRows(const CatalogView& table, const FileSource& source,
             std::shared_ptr<arrow::RecordBatchReader> rows, const IngestRequest& request,
             std::int64_t now_us)
      : table_(table), rows_(std::move(rows)), request_(request), now_us_(now_us) {
    arrow::FieldVector fields = TableSchema(table)->fields();
    fields.resize(table.join_keys.size() + 1 + (source.created_timestamp_column.empty() ? 0 : 1) +
                  table.definition.fields.size());
    for (auto& field : fields) {
      for (const auto& [column, name] : source.field_mapping) {
        if (name == field->name()) field = field->WithName(column);
      }
    }
    schema_ = arrow::schema(std::move(fields));
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    auto next = Next();
    if (!next) return ToStatus(next.error());
    *batch = *std::move(next);
    return arrow::Status::OK();
  }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> Next() {
    if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    std::shared_ptr<arrow::RecordBatch> given;
    TM_TRY(FromArrowStatus(rows_->ReadNext(&given)));
    if (given == nullptr) return nullptr;
    bool cut = false;
    TM_ASSIGN(TableRows rows, ReadTableRows(table_, *given,
                                            {.arrival_us = now_us_,
                                             .first_row = next_row_,
                                             .is_deleted = false,
                                             .event_us = {},
                                             .others_allowed = request_.others_allowed},
                                            &cut));
    next_row_ += given->num_rows();
    rows.columns.resize(static_cast<std::size_t>(schema_->num_fields()));
    return arrow::RecordBatch::Make(schema_, rows.count(), std::move(rows.columns));
  }

  const CatalogView& table_;
  const std::shared_ptr<arrow::RecordBatchReader> rows_;
  const IngestRequest& request_;
  const std::int64_t now_us_;
  std::shared_ptr<arrow::Schema> schema_;
  std::int64_t next_row_ = 0;
};

/// The folder that a new file of a batch source goes into, or the single file itself if it is not there yet.
Result<std::filesystem::path> PlaceFor(const FileSource& source, const std::filesystem::path& store_folder,
                                       const std::string& file_name) {
  const std::filesystem::path path = store_folder / source.path;
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (std::filesystem::is_directory(path, error)) return path / file_name;
  if (is_there) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the source is the single file {}, which is not written over: make it a folder, to "
                    "which files are added, or leave the source out and Tidemark keeps the rows",
                    Quoted(path.string())));
  }
  if (source.path.find_first_of("*?[") != std::string::npos) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the source {} is a pattern, which does not say where a new file goes: make it a folder",
                    Quoted(source.path)));
  }
  const bool is_folder = !path.has_extension();
  std::filesystem::create_directories(is_folder ? path : path.parent_path(), error);
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("cannot make the folder of {}: {}", Quoted(path.string()), error.message()));
  }
  return is_folder ? path / file_name : path;
}

std::string HexHash(std::string_view text) {
  std::string hex;
  for (const std::byte byte : Hash128(std::as_bytes(std::span(text))))
    hex += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return hex;
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

IngestRequest RequestOf(const IngestOptions& options, const CatalogView& view) {
  IngestRequest request;
  request.to = TargetOf(options.to, view);
  request.dry_run = options.dry_run;
  request.skip_bad_rows = options.skip_bad_rows;
  request.others_allowed = options.ignore_other_columns;
  request.batch_key = options.idempotency_key;
  request.stop = options.stop;
  request.progress = options.progress;
  return request;
}

}  // namespace

/// The view that rows are for, kept alive by its catalog.
struct TableWrites::Target {
  std::shared_ptr<const Catalog> catalog;
  const CatalogView* view = nullptr;
};

Result<TableWrites::Target> TableWrites::Find(std::string_view name) const {
  TM_ASSIGN(const CatalogView* view, parts_.catalog->DefinedView(name));
  return Target{parts_.catalog, view};
}

/// Join keys without types get those of their columns, for good.
Result<void> TableWrites::TypeKeys(Target& target, const arrow::Schema& schema) const {
  if (target.view->is_typed()) return {};
  Definitions definitions;
  for (const std::string& name : target.view->definition.entities) {
    Entity entity = target.catalog->entities().at(name);
    for (JoinKey& key : entity.join_keys) {
      if (key.type) continue;
      const int column = schema.GetFieldIndex(key.name);
      if (column < 0) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("the rows have no column '{}', which is a join key of view '{}'", key.name,
                                target.view->definition.name));
      }
      auto type = FromArrow(*schema.field(column)->type());
      if (!type || !CanBeJoinKey(*type)) {
        return Fail(
            ErrorCode::kTypeMismatch,
            fmt::format("column '{}' has type {}, which cannot be a join key; those are string, int32, "
                        "int64, binary, bool and timestamp",
                        key.name, schema.field(column)->type()->ToString()));
      }
      key.type = *std::move(type);
    }
    definitions.entities.push_back(std::move(entity));
  }
  TM_TRY(parts_.apply(definitions));
  const std::string name = target.view->definition.name;
  TM_ASSIGN(target.catalog, parts_.reload());
  TM_ASSIGN(target.view, target.catalog->View(name));
  return {};
}

Result<TableWrites::Written> TableWrites::Ingest(std::string_view view, GivenRows rows,
                                                 const IngestOptions& options) const {
  TM_ASSIGN(Target target, Find(view));
  TM_ASSIGN(auto reader, Open(rows, TypesOf(*target.view), parts_.threads));
  TM_TRY(TypeKeys(target, *reader->schema()));
  return Write(target, std::move(reader), RequestOf(options, *target.view));
}

Result<TableWrites::Written> TableWrites::Delete(std::string_view view, GivenRows rows,
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
  TM_TRY(parts_.catalog->View(view));  // one without rows has nothing to delete, and says so
  TM_ASSIGN(auto reader, Open(rows, TypesOf(*target.view), parts_.threads));
  IngestRequest request = RequestOf(options, *target.view);
  request.is_deletion = true;
  request.event_us = event_us;
  return Write(target, std::move(reader), std::move(request));
}

Result<std::vector<std::pair<std::string, IngestReport>>> TableWrites::Push(
    std::string_view source, GivenRows rows, const IngestOptions& options) const {
  std::vector<Target> targets;
  std::vector<std::string> names;
  std::map<std::string, DataType> types;
  for (const auto& [name, view] : parts_.catalog->views()) {
    if (!view.definition.push) continue;
    names.push_back(view.definition.push->name);
    if (view.definition.push->name == source) targets.push_back({parts_.catalog, &view});
  }
  if (targets.empty() && parts_.catalog->views().contains(std::string(source))) {
    TM_ASSIGN(Target target, Find(source));
    targets.push_back(std::move(target));
  }
  if (targets.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("no feature view has a push source {}{}", Quoted(source),
                                                  Suggest(source, names)));
  }
  for (const Target& target : targets)
    types.merge(TypesOf(*target.view));
  TM_ASSIGN(const auto reader, Open(rows, types, parts_.threads));
  TM_ASSIGN(const auto table, FromArrowResult(reader->ToTable()));
  std::vector<std::pair<std::string, IngestReport>> reports;
  for (Target& target : targets) {
    TM_TRY(TypeKeys(target, *table->schema()));
    IngestRequest request = RequestOf(options, *target.view);
    request.others_allowed = true;
    TM_ASSIGN(Written written, Write(target, std::make_shared<arrow::TableBatchReader>(table), request));
    reports.emplace_back(target.view->definition.name, std::move(written.report));
  }
  return reports;
}

Result<TableWrites::Written> TableWrites::Write(const Target& target,
                                                std::shared_ptr<arrow::RecordBatchReader> rows,
                                                IngestRequest request) const {
  const CatalogView& view = *target.view;
  if (view.definition.is_table()) return ToTable(view, std::move(rows), request);
  auto written = ToSource(view, std::move(rows), request);
  if (!written) return std::unexpected(std::move(written).error().In("view " + view.definition.name));
  return written;
}

Result<TableWrites::Written> TableWrites::ToTable(const CatalogView& view,
                                                  std::shared_ptr<arrow::RecordBatchReader> rows,
                                                  const IngestRequest& request) const {
  TM_ASSIGN(const auto tables, parts_.tables());
  TM_ASSIGN(IngestedRows ingested, tables->Ingest(view, std::move(rows), request));
  if (ingested.to_files && !ingested.repeated && request.to == WriteTo::kBoth) {
    const auto loaded = parts_.load_online(view.definition.name, request.stop);
    if (!loaded) return std::unexpected(AfterCommit("bringing them online failed", loaded.error()));
    ingested.online_rows = *loaded;
  }
  Written written;
  written.rejected = ingested.rejected;
  written.report = ToReport(ingested);
  return written;
}

Result<TableWrites::Written> TableWrites::ToSource(const CatalogView& view,
                                                   std::shared_ptr<arrow::RecordBatchReader> rows,
                                                   const IngestRequest& request) const {
  Written written;
  if (request.skip_bad_rows) {
    return Fail(ErrorCode::kUnsupported, "rows of a batch source are written all or none: mend the bad ones");
  }
  if (request.to == WriteTo::kOnline && !request.dry_run) {
    TM_ASSIGN(const MergeCounts counts, parts_.write_online(view, *rows));
    written.report.rows = counts.written + counts.kept;
    written.report.online_rows = counts.written;
    return written;
  }
  TM_ASSIGN(const auto tables, parts_.tables());
  const FeatureTablesParts& own = tables->parts();
  const std::int64_t now_us = own.clock->now_us();
  const CatalogView table = AsTable(view);
  SourceRows checked(table, *view.definition.source, std::move(rows), request, now_us);
  if (request.dry_run) {
    TM_ASSIGN(const auto all, FromArrowResult(checked.ToTable()));
    written.report.rows = all->num_rows();
    return written;
  }
  const bool is_csv = view.definition.source->format == FileFormat::kCsv;
  const std::string mark = request.batch_key.empty() ? std::to_string(own.write_times->Take(now_us, 1))
                                                     : HexHash(request.batch_key);
  const std::string file_name = fmt::format("tidemark-{}.{}", mark, is_csv ? "csv" : "parquet");
  TM_ASSIGN(const auto path, PlaceFor(*view.definition.source, parts_.folder, file_name));
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    written.report.repeated = true;
    return written;
  }
  TM_ASSIGN(written.report.rows, WriteTableFile(checked, path, {.threads = parts_.threads}));
  if (request.to == WriteTo::kBoth) {
    const auto loaded = parts_.load_online(view.definition.name, request.stop);
    if (!loaded) return std::unexpected(AfterCommit("bringing them online failed", loaded.error()));
    written.report.online_rows = *loaded;
  }
  return written;
}

}  // namespace tidemark
