// get-online: the latest values of features for some entities.
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include <deque>
#include <memory>

#include "base/json.h"
#include "cli/arrow_rows.h"
#include "cli/entity_arguments.h"
#include "cli/parquet_output.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct LookupArguments {
  std::vector<std::string> entities;
  std::vector<std::string> features;
  std::string service;
  std::string out;
  bool full_feature_names = false;
  bool status = false;
  bool event_timestamps = false;
};

/// Entities as the reader wants them, and what the columns point into.
class KeyAssignments {
 public:
  KeyAssignments(const std::vector<ColumnInfo>& keys, const std::vector<ColumnInfo>& requests)
      : keys_(keys), requests_(requests) {}

  Result<void> Parse(const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
      TM_ASSIGN(Json entity, ParseEntity(argument, keys_, requests_));
      entities_.push_back(std::move(entity));
    }
    for (const ColumnInfo& key : keys_)
      TM_TRY(AddColumn(key));
    return {};
  }

  const std::vector<KeyColumn>& columns() const { return columns_; }
  std::size_t rows() const { return entities_.size(); }
  const Json& value(std::size_t row, const std::string& key) const { return entities_[row][key]; }

  /// Request data as a record batch: numbers and bools as such, everything else as text.
  Result<std::shared_ptr<arrow::RecordBatch>> Requests() const {
    arrow::FieldVector fields;
    arrow::ArrayVector columns;
    for (const ColumnInfo& data : requests_) {
      std::shared_ptr<arrow::DataType> type = arrow::utf8();
      if (data.type.starts_with("int")) type = arrow::int64();
      if (data.type.starts_with("float")) type = arrow::float64();
      if (data.type == "bool") type = arrow::boolean();
      auto column = RequestColumn(type, data.name);
      if (!column.ok()) return Fail(ErrorCode::kOutOfSpace, column.status().message());
      fields.push_back(arrow::field(data.name, type));
      columns.push_back(*std::move(column));
    }
    return arrow::RecordBatch::Make(arrow::schema(fields), static_cast<std::int64_t>(rows()), columns);
  }

 private:
  Result<void> AddColumn(const ColumnInfo& key) {
    if (key.type == "bool") {
      auto& values = bools_.emplace_back(std::make_unique<bool[]>(rows()));
      for (std::size_t row = 0; row < rows(); ++row)
        values[row] = value(row, key.name).get<bool>();
      columns_.emplace_back(std::span<const bool>(values.get(), rows()));
    } else if (key.type == "string" || key.type == "binary") {
      auto& values = texts_.emplace_back();
      for (const Json& entity : entities_)
        values.push_back(entity[key.name].text());
      columns_.emplace_back(std::span<const std::string_view>(values));
    } else {
      auto& values = integers_.emplace_back();
      for (const Json& entity : entities_) {
        const Json& cell = entity[key.name];
        if (cell.is_number()) {
          values.push_back(cell.get<std::int64_t>());
          continue;
        }
        TM_ASSIGN(const std::int64_t us, ParseTime(cell.get<std::string>()));
        values.push_back(us);
      }
      columns_.emplace_back(std::span<const std::int64_t>(values));
    }
    return {};
  }

  arrow::Result<std::shared_ptr<arrow::Array>> RequestColumn(const std::shared_ptr<arrow::DataType>& type,
                                                             const std::string& name) const {
    std::unique_ptr<arrow::ArrayBuilder> builder;
    ARROW_RETURN_NOT_OK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
    for (const Json& entity : entities_) {
      const Json& cell = entity.at(name);
      if (cell.is_null()) {
        ARROW_RETURN_NOT_OK(builder->AppendNull());
      } else if (type->id() == arrow::Type::INT64) {
        ARROW_RETURN_NOT_OK(static_cast<arrow::Int64Builder&>(*builder).Append(cell.get<std::int64_t>()));
      } else if (type->id() == arrow::Type::DOUBLE) {
        ARROW_RETURN_NOT_OK(static_cast<arrow::DoubleBuilder&>(*builder).Append(cell.get<double>()));
      } else if (type->id() == arrow::Type::BOOL) {
        ARROW_RETURN_NOT_OK(static_cast<arrow::BooleanBuilder&>(*builder).Append(cell.get<bool>()));
      } else {
        ARROW_RETURN_NOT_OK(static_cast<arrow::StringBuilder&>(*builder).Append(cell.text()));
      }
    }
    return builder->Finish();
  }

  const std::vector<ColumnInfo>& keys_;
  const std::vector<ColumnInfo>& requests_;
  std::vector<Json> entities_;
  std::vector<KeyColumn> columns_;
  std::deque<std::vector<std::int64_t>> integers_;
  std::deque<std::vector<std::string_view>> texts_;
  std::deque<std::unique_ptr<bool[]>> bools_;
};

Result<void> PrintAnswer(const Session& session, const std::vector<ColumnInfo>& keys,
                         const KeyAssignments& arguments, const arrow::RecordBatch& answer) {
  std::vector<std::string> names;
  for (const ColumnInfo& key : keys)
    names.push_back(key.name);
  for (const std::string& name : answer.schema()->field_names())
    names.push_back(name);
  const auto printer = MakeRowPrinter(session.output, names);
  for (std::int64_t row = 0; row < answer.num_rows(); ++row) {
    Row cells;
    for (const ColumnInfo& key : keys)
      cells.push_back(arguments.value(static_cast<std::size_t>(row), key.name));
    for (const auto& column : answer.columns())
      cells.push_back(CellOf(*column, row));
    TM_TRY(printer->Print(cells));
  }
  return printer->Finish();
}

/// A column of one join key, as text or integers; timestamps as they were written.
Result<std::shared_ptr<arrow::Array>> KeyArray(const ColumnInfo& key, const KeyAssignments& arguments) {
  arrow::Int64Builder integers;
  arrow::StringBuilder texts;
  arrow::BooleanBuilder bools;
  const bool integer = key.type == "int64" || key.type == "int32";
  arrow::Status appended;
  for (std::size_t row = 0; row < arguments.rows() && appended.ok(); ++row) {
    const Json& value = arguments.value(row, key.name);
    appended = integer              ? integers.Append(value.get<std::int64_t>())
               : value.is_boolean() ? bools.Append(value.get<bool>())
                                    : texts.Append(value.get<std::string>());
  }
  if (!appended.ok()) return Fail(ErrorCode::kOutOfSpace, appended.message());
  auto made = integer ? integers.Finish() : key.type == "bool" ? bools.Finish() : texts.Finish();
  if (!made.ok()) return Fail(ErrorCode::kOutOfSpace, made.status().message());
  return made.ValueUnsafe();
}

/// The answer behind its keys, with the types that they have.
Result<std::shared_ptr<arrow::RecordBatch>> WithKeys(const std::vector<ColumnInfo>& keys,
                                                     const KeyAssignments& arguments,
                                                     const arrow::RecordBatch& answer) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const ColumnInfo& key : keys) {
    TM_ASSIGN(auto column, KeyArray(key, arguments));
    fields.push_back(arrow::field(key.name, column->type()));
    columns.push_back(std::move(column));
  }
  for (int i = 0; i < answer.num_columns(); ++i) {
    fields.push_back(answer.schema()->field(i));
    columns.push_back(answer.column(i));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), answer.num_rows(), columns);
}

Result<void> PrintParquet(const arrow::RecordBatch& rows) {
  TM_ASSIGN(const auto output, OpenParquetOutput(rows.schema()));
  TM_TRY(output->Write(rows));
  return output->Finish();
}

Result<void> WriteParquet(const std::string& path, const std::shared_ptr<arrow::RecordBatch>& rows) {
  const auto table = arrow::Table::FromRecordBatches({rows});
  if (!table.ok()) return Fail(ErrorCode::kInternal, table.status().message());
  const auto file = arrow::io::FileOutputStream::Open(path);
  if (!file.ok()) return Fail(ErrorCode::kIo, file.status().message());
  arrow::Status written = parquet::arrow::WriteTable(**table, arrow::default_memory_pool(), *file);
  if (written.ok()) written = (*file)->Close();
  if (!written.ok()) return Fail(ErrorCode::kIo, fmt::format("{}: {}", path, written.message()));
  return {};
}

Result<void> GetOnline(const Session& session, const LookupArguments& options) {
  if (!options.out.empty() && !options.out.ends_with(".parquet") && !options.out.ends_with(".pq")) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--out writes Parquet, and '{}' does not end in .parquet; for others, take --output "
                    "csv or json and send it there",
                    options.out));
  }
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const auto reader, store->PrepareOnline({.features = options.features,
                                                     .service = options.service,
                                                     .selection = {},
                                                     .full_feature_names = options.full_feature_names}));
  KeyAssignments arguments(reader->keys(), reader->requests());
  std::vector<std::string> entities = options.entities;
  if (entities.empty() && reader->keys().empty() && reader->requests().empty()) entities.emplace_back("{}");
  if (entities.empty()) {
    const auto& wanted = reader->keys().empty() ? reader->requests() : reader->keys();
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("which entity? Write it as {}=...", wanted.front().name));
  }
  TM_TRY(arguments.Parse(entities));
  OnlineResult result;
  ArrowSchema schema{};
  ArrowArray array{};
  if (reader->requests().empty()) {
    TM_TRY(reader->Read(arguments.columns(), arguments.rows(), result));
  } else {
    TM_ASSIGN(const auto data, arguments.Requests());
    if (const auto status = arrow::ExportRecordBatch(*data, &array, &schema); !status.ok()) {
      return Fail(ErrorCode::kOutOfSpace, status.message());
    }
    TM_TRY(reader->ReadWith(arguments.columns(), arguments.rows(), &schema, &array, result));
  }
  TM_TRY(result.ToArrow(options.status, options.event_timestamps, &schema, &array));
  const auto answer = arrow::ImportRecordBatch(&array, &schema);
  if (!answer.ok()) return Fail(ErrorCode::kInternal, answer.status().message());
  if (!options.out.empty() || session.output == OutputFormat::kParquet) {
    TM_ASSIGN(const auto rows, WithKeys(reader->keys(), arguments, **answer));
    return options.out.empty() ? PrintParquet(*rows) : WriteParquet(options.out, rows);
  }
  return PrintAnswer(session, reader->keys(), arguments, **answer);
}

}  // namespace

void AddOnlineCommand(Command app, Session& session) {
  const Command command = app.add_subcommand("get-online", "Look up the latest values of features");
  const auto options = std::make_shared<LookupArguments>();
  command.add_option("entity", options->entities,
                     "Entities: driver_id=1001, a=1,b=2, or JSON objects; request data too");
  const Option features =
      command.add_option("-f,--features", options->features, "view:feature or view, separated by commas")
          .delimiter(',')
          .allow_extra_args(false);
  command.add_option("--service", options->service, "A feature service instead").excludes(features);
  AddPythonWorkersOption(command, session);
  command.add_flag("--full-feature-names", options->full_feature_names, "Name columns view__feature");
  command.add_flag("--status", options->status, "Add a column <feature>__status behind each feature");
  command.add_flag("--event-timestamps", options->event_timestamps,
                   "Add a column <feature>__event_timestamp behind each feature");
  command.add_option("--out", options->out, "Write a Parquet file").type_name("FILE");
  command.callback([&session, options] {
    session.command = [&session, options] { return GetOnline(session, *options); };
  });
}

}  // namespace tidemark::cli
