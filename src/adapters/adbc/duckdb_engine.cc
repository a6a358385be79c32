// Statements on their way through DuckDB.
#include "adapters/adbc/duckdb_engine.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "adapters/adbc/call_watch_internal.h"
#include "adapters/adbc/connection.h"
#include "adapters/adbc/copy_types_internal.h"
#include "adapters/adbc/duckdb_database_internal.h"
#include "adapters/adbc/duckdb_error_internal.h"
#include "adapters/adbc/duckdb_memory_internal.h"
#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/duckdb_views_internal.h"
#include "adapters/adbc/own_folder_internal.h"
#include "adapters/adbc/result_types_internal.h"
#include "adapters/adbc/spill_folders_internal.h"
#include "adapters/adbc/sql_reads_internal.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "adapters/adbc/text_times_internal.h"
#include "adapters/adbc/top_rows_internal.h"
#include "base/parallel.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

// One row with one text.
Result<std::shared_ptr<arrow::RecordBatch>> OneText(std::string_view text) {
  arrow::StringBuilder builder;
  TM_TRY(FromArrowStatus(builder.Append(text.data(), static_cast<std::int32_t>(text.size()))));
  TM_ASSIGN(auto column, FromArrowResult(builder.Finish()));
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("text", arrow::utf8())}), 1, {column});
}

// The text in the only row and column of a result.
Result<std::string> OnlyText(arrow::RecordBatchReader& reader) {
  std::shared_ptr<arrow::RecordBatch> batch;
  TM_TRY(FromArrowStatus(reader.ReadNext(&batch)));
  if (batch == nullptr || batch->num_rows() != 1 || batch->num_columns() != 1) {
    return Fail(ErrorCode::kInternal, "DuckDB gave another result than one text");
  }
  TM_ASSIGN(const auto value, FromArrowResult(batch->column(0)->GetScalar(0)));
  return value->ToString();
}

// The texts in the only column of a result.
Result<std::vector<std::string>> AllTexts(arrow::RecordBatchReader& reader) {
  std::vector<std::string> texts;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TM_TRY(FromArrowStatus(reader.ReadNext(&batch)));
    if (batch == nullptr) return texts;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      TM_ASSIGN(const auto value, FromArrowResult(batch->column(0)->GetScalar(row)));
      texts.push_back(value->ToString());
    }
  }
}

std::set<std::string> FilesOf(const std::vector<SqlTable>& tables, const SqlOptions& options) {
  std::set<std::string> files(options.open_files.begin(), options.open_files.end());
  for (const SqlTable& table : tables)
    files.insert(table.files.paths.begin(), table.files.paths.end());
  return files;
}

// Parses statements: a database without tables, made when the first one comes. Calls follow one another.
class Parser {
 public:
  explicit Parser(std::filesystem::path library) : library_(std::move(library)) {}

  Result<std::string> Serialize(std::string_view text) {
    return Call("SELECT json_serialize_sql($1::VARCHAR)", text);
  }
  Result<std::string> Deserialize(const std::string& tree) {
    return Call("SELECT json_deserialize_sql($1::JSON)", tree);
  }

  TreeTools Tools() {
    return {.parse = [this](const std::string& text) -> Result<Json> {
              TM_ASSIGN(std::string tree, Serialize(text));
              return ParseJson(tree);
            },
            .print = [this](const Json& tree) { return Deserialize(tree.dump()); }};
  }

 private:
  Result<std::string> Call(const std::string& sql, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (connection_ == nullptr) TM_TRY(Connect());
    TM_ASSIGN(const auto parameters, OneText(text));
    TM_ASSIGN(const auto reader, connection_->Query({.sql = sql, .parameters = parameters}));
    return OnlyText(*reader);
  }

  Result<void> Connect() {
    TM_ASSIGN(auto database,
              DuckDbDatabase::Open(
                  {.library = library_, .memory_bytes_max = std::int64_t{256} << 20, .threads = 1}));
    TM_ASSIGN(auto catalog, database->Prepare({}, {}));
    TM_ASSIGN(connection_, database->Connect(*catalog));
    database_ = std::move(database);
    catalog_ = std::move(catalog);
    return {};
  }

  const std::filesystem::path library_;
  std::mutex mutex_;
  std::unique_ptr<DuckDbDatabase> database_;
  std::shared_ptr<const DuckDbCatalog> catalog_;
  std::shared_ptr<AdbcConnection> connection_;
};

// An error that another way to run the query would not mend.
bool IsFinal(const Error& raw) {
  return raw.code == ErrorCode::kCancelled || IsFatal(raw);
}

// A row group is held until it is written: DuckDB's usual ones, and those where memory is short.
constexpr std::int64_t kGroupRows = 122'880;
constexpr std::int64_t kShortGroupRows = 20'480;
constexpr std::int64_t kShortBytesMax = std::int64_t{512} << 20;

// What keeps a running query's tables where they are.
struct Running {
  std::shared_ptr<DuckDbDatabase> database;
  std::shared_ptr<const DuckDbCatalog> catalog;
  std::vector<std::shared_ptr<const void>> pins;
  std::shared_ptr<AdbcConnection> connection;  // goes first

  // By the query's own connection, whose rows have been let go.
  Error ErrorOf(const Error& raw, const DuckDbQuestion& question, const AdbcLimits& limits) const {
    return DuckDbErrorOf(raw, question, [&](const std::string& file) -> Result<void> {
      TM_ASSIGN(const auto rows, connection->Query({.sql = "SELECT max(hash(COLUMNS(*))) FROM read_parquet(" +
                                                           QuotedText(PatternOf(file)) + ")"},
                                                   limits));
      std::shared_ptr<arrow::RecordBatch> batch;
      return FromArrowStatus(rows->ReadNext(&batch));
    });
  }
};

// A query on the point of being run.
struct Prepared {
  Running running;
  std::string sql;
  std::optional<std::string> quick_sql;  // the same result by less work, if memory allows
  AdbcLimits limits;
  DuckDbQuestion question;
  std::int64_t row_group_rows = kGroupRows;  // of a file that is written
};

// Runs a query in another way.
using OtherWay = std::function<Result<std::shared_ptr<arrow::RecordBatchReader>>(AdbcConnection&)>;

// A result in our types, with our errors. `other_way`, if there is one, is taken where the first rows do not
// come.
class ResultReader final : public arrow::RecordBatchReader {
 public:
  ResultReader(std::shared_ptr<arrow::RecordBatchReader> rows, Prepared prepared, OtherWay other_way)
      : running_(std::move(prepared.running)),
        limits_(std::move(prepared.limits)),
        question_(std::move(prepared.question)),
        rows_(std::move(rows)),
        other_way_(std::move(other_way)),
        schema_(ResultSchema(*rows_->schema())) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    batch->reset();
    if (rows_ == nullptr) return arrow::Status::OK();
    std::shared_ptr<arrow::RecordBatch> raw;
    arrow::Status read = rows_->ReadNext(&raw);
    if (!read.ok() && other_way_ && !IsFinal(FromStatus(read))) {
      rows_.reset();
      auto other = std::exchange(other_way_, nullptr)(*running_.connection);
      if (!other) return ToStatus(running_.ErrorOf(other.error(), question_, limits_));
      rows_ = std::move(other).value();
      read = rows_->ReadNext(&raw);
    }
    other_way_ = nullptr;
    if (!read.ok()) {
      rows_.reset();
      return ToStatus(running_.ErrorOf(FromStatus(read), question_, limits_));
    }
    if (raw == nullptr) return Close();
    auto typed = AsResult(*raw, schema_, row_);
    if (!typed) return ToStatus(typed.error());
    row_ += raw->num_rows();
    *batch = std::move(typed).value();
    return arrow::Status::OK();
  }

  arrow::Status Close() override {
    rows_.reset();
    running_ = {};
    return arrow::Status::OK();
  }

 private:
  Running running_;
  AdbcLimits limits_;
  DuckDbQuestion question_;
  std::shared_ptr<arrow::RecordBatchReader> rows_;  // goes before what it reads
  OtherWay other_way_;
  std::shared_ptr<arrow::Schema> schema_;
  std::int64_t row_ = 0;
};

class DuckDbEngine final : public SqlEngine {
 public:
  using SqlEngine::Parse;
  explicit DuckDbEngine(DuckDbOptions options)
      : options_(Complete(std::move(options))), parser_(options_.library), spills_(options_.spill_folder) {}

  Result<SqlStatement> Parse(std::string_view text, const SqlParseOptions& options) override {
    if (text.find('\0') != std::string_view::npos) {
      return Fail(ErrorCode::kInvalidArgument, "the SQL text has a zero byte in it");
    }
    TM_ASSIGN(std::string tree, parser_.Serialize(text));
    return ReadStatement(text, std::move(tree), options);
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const SqlStatement& statement,
                                                          const std::vector<SqlTable>& tables,
                                                          const SqlOptions& options) override {
    TM_ASSIGN(const auto database, DatabaseOf(tables, options));
    TM_ASSIGN(Prepared prepared, Prepare(statement, tables, options, database));
    TM_TRY(CheckFiles(statement, tables, options, prepared));
    const OtherWay as_written = [sql = prepared.sql, limits = prepared.limits](AdbcConnection& connection) {
      return connection.Query({.sql = sql}, limits);
    };
    if (prepared.quick_sql) {
      auto rows = prepared.running.connection->Query({.sql = *prepared.quick_sql}, prepared.limits);
      if (rows && CheckResultTypes(*(*rows)->schema())) {
        return std::make_shared<ResultReader>(std::move(rows).value(), std::move(prepared), as_written);
      }
      if (!rows && IsFinal(rows.error())) {
        return std::unexpected(ErrorOf(rows.error(), statement, prepared));
      }
    }
    auto rows = as_written(*prepared.running.connection);
    if (!rows) return std::unexpected(ErrorOf(rows.error(), statement, prepared));
    TM_TRY(CheckResultTypes(*(*rows)->schema()));
    return std::make_shared<ResultReader>(std::move(rows).value(), std::move(prepared), nullptr);
  }

  Result<std::shared_ptr<arrow::Schema>> Describe(const SqlStatement& statement,
                                                  const std::vector<SqlTable>& tables,
                                                  const SqlOptions& options) override {
    TM_ASSIGN(const auto database, DatabaseOf(tables, options));
    TM_ASSIGN(Prepared prepared, Prepare(statement, tables, options, database));
    const auto schema = prepared.running.connection->SchemaOf(prepared.sql, prepared.limits);
    if (!schema) return std::unexpected(ErrorOf(schema.error(), statement, prepared));
    TM_TRY(CheckResultTypes(**schema));
    return ResultSchema(**schema);
  }

  Result<std::int64_t> Copy(const SqlStatement& statement, const std::vector<SqlTable>& tables,
                            const std::filesystem::path& file, const SqlOptions& options) override {
    if (options.range) return Fail(ErrorCode::kUnsupported, "the rows of a range are not written to files");
    std::error_code failed;
    if (std::filesystem::exists(file, failed)) {
      return Fail(ErrorCode::kAlreadyExists, "file " + file.string() + " exists already");
    }
    TM_ASSIGN(std::shared_ptr<DuckDbDatabase> database, OpenDatabase(tables, options, file));
    TM_ASSIGN(Prepared prepared, Prepare(statement, tables, options, std::move(database)));
    TM_TRY(CheckFiles(statement, tables, options, prepared));
    auto rows = CopyPrepared(statement, prepared, file);
    if (!rows) {
      prepared.running = {};  // before the file that it writes
      std::filesystem::remove(file, failed);
    }
    return rows;
  }

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<DuckDbDatabase> database;
  };

  static DuckDbOptions Complete(DuckDbOptions options) {
    if (options.library.empty()) options.library = OwnDuckDb();
    return options;
  }

  // Beside this library; programs of the build tree have it in the folder of libraries.
  static std::filesystem::path OwnDuckDb() {
    const std::filesystem::path folder = OwnFolder();
    std::error_code failed;
    for (const char* place : {"libduckdb.so", "../lib/libduckdb.so"}) {
      if (std::filesystem::exists(folder / place, failed)) return folder / place;
    }
    return folder / "libduckdb.so";
  }

  Result<std::unique_ptr<DuckDbDatabase>> OpenDatabase(const std::vector<SqlTable>& tables,
                                                       const SqlOptions& options,
                                                       const std::filesystem::path& target) {
    TM_ASSIGN(const MemoryShares shares, SharesOf(options.memory_bytes_max, options.threads));
    TM_ASSIGN(const std::filesystem::path spill, spills_.Next());
    const std::set<std::string> files = FilesOf(tables, options);
    DuckDbDatabaseOptions open{.library = options_.library,
                               .files = {files.begin(), files.end()},
                               .memory_bytes_max = shares.engine_bytes,
                               .threads = shares.threads,
                               .result_bytes = shares.result_bytes,
                               .spill_folder = spill};
    if (!target.empty()) open.files.push_back(target.string());
    return DuckDbDatabase::Open(open);
  }

  // One that is open to exactly the tables' files: one of those that are kept, or a new one.
  Result<std::shared_ptr<DuckDbDatabase>> DatabaseOf(const std::vector<SqlTable>& tables,
                                                     const SqlOptions& options) {
    std::string key = std::to_string(options.memory_bytes_max) + "," + std::to_string(options.threads);
    for (const std::string& file : FilesOf(tables, options))
      key += "," + std::to_string(file.size()) + ":" + file;
    const std::lock_guard lock(mutex_);
    std::erase_if(kept_, [](const Kept& kept) { return kept.database->is_spoiled(); });
    const auto known = std::ranges::find(kept_, key, &Kept::key);
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
      return kept_.front().database;
    }
    TM_ASSIGN(std::shared_ptr<DuckDbDatabase> database, OpenDatabase(tables, options, {}));
    kept_.push_front({std::move(key), database});
    if (kept_.size() > std::max<std::size_t>(1, options_.databases_kept_max)) kept_.pop_back();
    return database;
  }

  void Forget(const std::shared_ptr<DuckDbDatabase>& database) {
    const std::lock_guard lock(mutex_);
    std::erase_if(kept_, [&](const Kept& kept) { return kept.database == database; });
  }

  Result<Prepared> Prepare(const SqlStatement& statement, const std::vector<SqlTable>& tables,
                           const SqlOptions& options, std::shared_ptr<DuckDbDatabase> database) {
    TM_ASSIGN(Json tree, TreeOf(statement));
    TM_TRY(CheckNames(statement, tables));
    const std::set<std::string> files = FilesOf(tables, options);
    Prepared prepared;
    prepared.sql = statement.text;
    prepared.limits = {
        .time_limit = options.time_limit, .stop = options.stop, .begun = std::chrono::steady_clock::now()};
    prepared.question = {.files = {files.begin(), files.end()}, .memory_bytes_max = options.memory_bytes_max};
    for (const SqlTable& table : tables) {
      for (const SqlColumn& column : table.columns)
        prepared.question.columns.push_back(column.name);
    }
    prepared.running.database = std::move(database);
    TM_ASSIGN(const MemoryShares shares, SharesOf(options.memory_bytes_max, options.threads));
    if (shares.engine_bytes > 0 && shares.engine_bytes < kShortBytesMax)
      prepared.row_group_rows = kShortGroupRows;
    if (shares.returns_freed) prepared.running.pins.push_back(ReturnFreedMemory(options_.library));
    prepared.limits.holds_too_much = MemoryGuard(options_.library, options.memory_bytes_max, shares);
    for (const SqlTable& table : tables)
      prepared.running.pins.push_back(table.pin);
    const auto failed = [&](const Error& error) {
      return std::unexpected(DuckDbErrorOf(error, prepared.question));
    };
    auto catalog = prepared.running.database->Prepare(tables, prepared.limits);
    if (!catalog) return failed(catalog.error());
    prepared.running.catalog = std::move(catalog).value();
    auto connection = prepared.running.database->Connect(*prepared.running.catalog);
    if (!connection) return failed(connection.error());
    prepared.running.connection = std::move(connection).value();
    const bool is_rewritten = NeedsRewriting(tables);
    if (options.range) TM_TRY(PutRange(tree, *options.range));
    if (is_rewritten) TM_TRY(RewriteTimes(tree, tables, prepared.running.catalog->name(), parser_.Tools()));
    if (is_rewritten || options.range) {
      TM_ASSIGN(prepared.sql, parser_.Deserialize(tree.dump()));
      prepared.question.is_own_text = false;
    }
    if (options.range) {
      TM_TRY(Narrow(statement, *options.range, prepared));
      return prepared;
    }
    TM_ASSIGN(const bool is_quick, RewriteTopRows(tree, tables, statement.common_tables, parser_.Tools()));
    if (is_quick) {
      TM_ASSIGN(prepared.quick_sql, parser_.Deserialize(tree.dump()));
    }
    return prepared;
  }

  // What of the tables' files the statement can read is whole.
  Result<void> CheckFiles(const SqlStatement& statement, const std::vector<SqlTable>& tables,
                          const SqlOptions& options, Prepared& prepared) {
    if (options_.checks == nullptr) return {};
    TM_ASSIGN(const Json tree, TreeOf(statement));
    const SqlReads reads = ReadsOf(tree);
    const FileCheckOptions how{.threads = ThreadCount(options.threads),
                               .stop = options.stop,
                               .deadline = DeadlineOf(prepared.limits),
                               // A mistake in the text is told at once.
                               .before = [&]() -> Result<void> {
                                 const auto schema =
                                     prepared.running.connection->SchemaOf(prepared.sql, prepared.limits);
                                 if (schema) return {};
                                 return std::unexpected(ErrorOf(schema.error(), statement, prepared));
                               }};
    const auto check = [&](const FilesToCheck& files) -> Result<void> {
      auto checked = options_.checks->Check(files, how);
      const bool is_late = how.deadline && std::chrono::steady_clock::now() >= *how.deadline;
      if (!checked && checked.error().code == ErrorCode::kCancelled && is_late)
        return std::unexpected(TimeIsUp(prepared.limits));
      return checked;
    };
    for (const SqlTable& table : tables) {
      if (table.files.format != SqlFiles::Format::kParquet) continue;
      FilesToCheck files = FilesRead(table, reads);
      files.paths = AskedFiles(table, tree, prepared);
      TM_TRY(check(files));
    }
    if (!reads.names_files || options.open_files.empty()) return {};
    return check({.paths = options.open_files});
  }

  static FilesToCheck FilesRead(const SqlTable& table, const SqlReads& reads) {
    FilesToCheck files;
    files.are_own = table.files.are_own;
    files.are_all_columns = reads.is_of_all_columns;
    if (!table.up_to) files.rows_max = reads.rows_max;
    for (const SqlColumn& column : table.columns) {
      const bool is_limit = table.up_to && table.up_to->column == column.name;
      if (files.are_all_columns || (!is_limit && !reads.columns.contains(FoldName(column.name)))) continue;
      files.columns.push_back(
          {.name = column.in_file.empty() ? column.name : column.in_file, .id = column.id});
    }
    return files;
  }

  // Without those that conditions on the values of folders leave out.
  std::vector<std::string> AskedFiles(const SqlTable& table, const Json& tree, const Prepared& prepared) {
    std::set<std::string> folders;
    for (const std::string& name : table.files.hive_columns)
      folders.insert(FoldName(name));
    if (folders.empty()) return table.files.paths;
    Json conditions = ConditionsOn(tree, FoldName(table.name), folders);
    if (conditions.is_null()) return table.files.paths;
    const auto asked = [&]() -> Result<std::vector<std::string>> {
      const std::string path(PathColumn(table));
      TM_ASSIGN(std::string text, parser_.Serialize("SELECT " + path + " FROM tidemark_files WHERE true"));
      TM_ASSIGN(Json select, ParseJson(text));
      RootNode(select)["where_clause"] = std::move(conditions);
      TM_ASSIGN(const std::string query, parser_.Deserialize(select.dump()));
      TM_ASSIGN(
          const auto rows,
          prepared.running.connection->Query(
              {.sql = "WITH tidemark_files AS (" + FoldersSelect(table) + ") " + query}, prepared.limits));
      return AllTexts(*rows);
    }();
    // Conditions that cannot be tried alone leave nothing out.
    return asked ? *asked : table.files.paths;
  }

  // The ends of the range in the place of the statement's parameters.
  Result<void> PutRange(Json& tree, const SqlRange& range) {
    std::map<std::string, Json> ends;
    for (const auto& [name, us] :
         {std::pair(kRangeStart, range.start_us), std::pair(kRangeEnd, range.end_us)}) {
      TM_ASSIGN(std::string text, parser_.Serialize("SELECT " + TimeText(us)));
      TM_ASSIGN(Json selected, ParseJson(text));
      ends.emplace(name, RootNode(selected)["select_list"][0]);
    }
    PutParameters(tree, ends);
    return {};
  }

  // Only rows of the range. The condition stands outside of the query, and is carried into it by DuckDB where
  // that changes nothing.
  Result<void> Narrow(const SqlStatement& statement, const SqlRange& range, Prepared& prepared) {
    const auto schema = prepared.running.connection->SchemaOf(prepared.sql, prepared.limits);
    if (!schema) return std::unexpected(ErrorOf(schema.error(), statement, prepared));
    const auto column = (*schema)->GetFieldByName(range.column);
    if (column == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  "the query gives no column '" + range.column + "' of event times" +
                      Suggest(range.column, (*schema)->field_names()) +
                      "; its columns are: " + fmt::format("{}", fmt::join((*schema)->field_names(), ", ")));
    }
    if (column->type()->id() != arrow::Type::TIMESTAMP) {
      return Fail(ErrorCode::kTypeMismatch, "column '" + range.column + "' of the query's result has type " +
                                                column->type()->ToString() +
                                                ", and event times are timestamps: CAST(... AS TIMESTAMP)");
    }
    const std::string name = QuotedName(range.column);
    while (prepared.sql.ends_with(';') || prepared.sql.ends_with(' '))
      prepared.sql.pop_back();
    prepared.sql = "SELECT * FROM (" + prepared.sql + ") WHERE " + name + " >= " + TimeText(range.start_us) +
                   " AND " + name + " < " + TimeText(range.end_us);
    return {};
  }

  static std::string TimeText(std::int64_t us) {
    return "TIMESTAMP WITH TIME ZONE " + QuotedText(FormatTimestampUs(us));
  }

  // Every name must be a table's that was given, or a common table's.
  static Result<void> CheckNames(const SqlStatement& statement, const std::vector<SqlTable>& tables) {
    const std::vector<std::string>& common = statement.common_tables;
    for (const SqlTableName& name : statement.tables) {
      const std::string table = FoldName(name.table);
      if (name.schema.empty() && std::ranges::find(common, table) != common.end()) continue;
      std::vector<std::string> known;
      bool is_given = false;
      for (const SqlTable& given : tables) {
        std::vector<std::string> names = given.aliases;
        names.push_back(given.name);
        for (const std::string& one : names) {
          is_given = is_given || (FoldName(one) == table && FoldName(given.schema) == FoldName(name.schema));
          known.push_back(given.schema.empty() ? one : given.schema + "." + one);
        }
      }
      if (is_given) continue;
      const std::string wanted = name.schema.empty() ? name.table : name.schema + "." + name.table;
      return Fail(ErrorCode::kNotFound, "no table '" + wanted + "'" + Suggest(wanted, known) + "\n" +
                                            PlaceIn(statement.text, name.position));
    }
    return {};
  }

  // Errors that are the same whether or not the text was rewritten.
  static bool IsOfNames(ErrorCode code) {
    return code == ErrorCode::kInvalidArgument || code == ErrorCode::kNotFound;
  }

  // The error of a query that could not begin. If another text than the user's ran, the user's own is asked
  // for the place: what is wrong with names is wrong in both.
  Error ErrorOf(const Error& raw, const SqlStatement& statement, Prepared& prepared) {
    if (IsFatal(raw)) Forget(prepared.running.database);
    Error error = prepared.running.ErrorOf(raw, prepared.question, prepared.limits);
    const bool is_placed = prepared.question.is_own_text || !IsOfNames(error.code);
    // A result of a type that Arrow does not have ends in a mere number of an error.
    const bool is_silent = error.code == ErrorCode::kIo && error.context.empty();
    if (is_placed && !is_silent) return error;
    const auto own = prepared.running.connection->SchemaOf(statement.text, prepared.limits);
    if (own) return error;
    if (is_silent) {
      Error told = DuckDbErrorOf(own.error(), prepared.question);
      return told.code == ErrorCode::kUnsupported ? told : error;
    }
    DuckDbQuestion question = prepared.question;
    question.is_own_text = true;
    Error placed = DuckDbErrorOf(own.error(), question);
    const auto first_line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
    return first_line(placed.message) == first_line(error.message) ? placed : error;
  }

  Result<std::int64_t> CopyPrepared(const SqlStatement& statement, Prepared& prepared,
                                    const std::filesystem::path& file) {
    // The tree's own text has no comments and no semicolon at its end.
    if (prepared.question.is_own_text) {
      const auto schema = prepared.running.connection->SchemaOf(statement.text, prepared.limits);
      if (!schema) return std::unexpected(ErrorOf(schema.error(), statement, prepared));
      TM_ASSIGN(prepared.sql, parser_.Deserialize(statement.tree));
      prepared.question.is_own_text = false;
    }
    while (prepared.sql.ends_with(';') || prepared.sql.ends_with(' '))
      prepared.sql.pop_back();
    const auto failed = [&](const Error& error) {
      return std::unexpected(ErrorOf(error, statement, prepared));
    };
    auto described = prepared.running.connection->Query(
        {.sql = "DESCRIBE SELECT * FROM (" + prepared.sql + ")"}, prepared.limits);
    if (!described) return failed(described.error());
    TM_ASSIGN(const std::vector<CopyColumn> columns, ReadCopyColumns(**described));
    described->reset();
    TM_TRY(CheckCopyTypes(columns));
    const auto copy = [&](const std::string& sql) -> Result<std::int64_t> {
      TM_ASSIGN(const auto counted,
                prepared.running.connection->Query(
                    {.sql = "COPY (" + CopySelect(sql, columns) + ") TO " + QuotedText(file.string()) +
                            " (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ROW_GROUP_SIZE " +
                            std::to_string(prepared.row_group_rows) + ")"},
                    prepared.limits));
      TM_ASSIGN(const std::string text, OnlyText(*counted));
      return std::stoll(text);
    };
    if (prepared.quick_sql) {
      const auto rows = copy(*prepared.quick_sql);
      if (rows) return rows;
      if (IsFinal(rows.error())) return failed(rows.error());
      std::error_code ignored;  // the next try says what is wrong
      std::filesystem::remove(file, ignored);
    }
    const auto rows = copy(prepared.sql);
    if (!rows) return failed(rows.error());
    return rows;
  }

  const DuckDbOptions options_;
  Parser parser_;
  SpillFolders spills_;
  std::mutex mutex_;
  std::list<Kept> kept_;  // the last used first
};

}  // namespace

std::unique_ptr<SqlEngine> MakeDuckDbEngine(DuckDbOptions options) {
  return std::make_unique<DuckDbEngine>(std::move(options));
}

}  // namespace tidemark
