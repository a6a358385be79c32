// What SHOW asks for is answered from names alone; everything else goes to the engine.
#include "engine/sql/sql_queries.h"

#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/result.h"
#include "engine/tables/erasures.h"
#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr int kAttemptsMax = 5;

/// Keeps tables, with what pins their files, as long as the result is read.
class PinnedReader final : public arrow::RecordBatchReader {
 public:
  PinnedReader(std::shared_ptr<arrow::RecordBatchReader> reader, std::vector<SqlTable> tables)
      : tables_(std::move(tables)), reader_(std::move(reader)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    return reader_->ReadNext(batch);
  }
  arrow::Status Close() override { return reader_->Close(); }

 private:
  const std::vector<SqlTable> tables_;
  const std::shared_ptr<arrow::RecordBatchReader> reader_;  // goes first
};

/// What a SHOW statement asks for.
struct Show {
  bool is_of_tables = false;
  std::string database = {};  // empty: of all
};

/// The words of a short text, without a semicolon at the end; quotes are taken off.
std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    if (text[at] == ';' && text.find_first_not_of(" \t\r\n;", at) == std::string_view::npos) break;
    std::size_t end = at + 1;
    if (text[at] == '"') {
      while (end < text.size() && text[end] != '"')
        ++end;
      words.emplace_back(text.substr(at + 1, end - at - 1));
      at = end + 1;
      continue;
    }
    while (end < text.size() && !is_space(text[end]) && text[end] != ';')
      ++end;
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

/// Nothing if the text is another statement.
std::optional<Show> ReadShow(std::string_view text) {
  if (text.size() > 1024) return std::nullopt;
  const std::vector<std::string> words = WordsOf(text);
  const auto is = [&](std::size_t i, std::string_view word) {
    return i < words.size() && FoldName(words[i]) == word;
  };
  if (!is(0, "show")) return std::nullopt;
  if (words.size() == 2 && (is(1, "databases") || is(1, "schemas"))) return Show{};
  if (words.size() == 2 && is(1, "tables")) return Show{.is_of_tables = true};
  if (words.size() == 3 && is(1, "all") && is(2, "tables")) return Show{.is_of_tables = true};
  if (words.size() == 4 && is(1, "tables") && (is(2, "from") || is(2, "in")))
    return Show{.is_of_tables = true, .database = words[3]};
  return std::nullopt;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> ToReader(
    const std::vector<std::string>& names, const std::vector<std::vector<std::string>>& rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (std::size_t i = 0; i < names.size(); ++i) {
    arrow::StringBuilder column;
    for (const auto& row : rows)
      TM_TRY(FromArrowStatus(column.Append(row[i])));
    TM_ASSIGN(auto array, FromArrowResult(column.Finish()));
    arrays.push_back(std::move(array));
    fields.push_back(arrow::field(names[i], arrow::utf8()));
  }
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema(std::move(fields)), std::ssize(rows), std::move(arrays));
  return FromArrowResult(arrow::RecordBatchReader::Make({batch}, batch->schema()));
}

Result<std::shared_ptr<arrow::RecordBatchReader>> Answer(const Show& show, const SqlNames& names) {
  std::vector<std::vector<std::string>> rows;
  if (!show.is_of_tables) {
    for (const std::string& database : names.databases())
      rows.push_back({database});
    return ToReader({"database"}, rows);
  }
  for (const SqlEntry& entry : names.entries()) {
    if (show.database.empty() || FoldName(entry.database) == FoldName(show.database))
      rows.push_back({entry.database, entry.name, std::string(entry.kind_name())});
  }
  if (rows.empty() && !show.database.empty()) {
    const bool is_there = std::ranges::any_of(names.databases(), [&](const std::string& each) {
      return FoldName(each) == FoldName(show.database);
    });
    if (!is_there) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no database {}{}", Quoted(show.database),
                                                    Suggest(show.database, names.databases())));
    }
  }
  return ToReader({"database", "name", "kind"}, rows);
}

}  // namespace

Result<SqlQueries::Prepared> SqlQueries::Prepare(std::string_view text, const SqlRequest& request) const {
  Prepared prepared;
  TM_ASSIGN(prepared.statement,
            parts_.engine->Parse(text, {.open_files = request.options.open_files,
                                        .is_of_range = request.options.range.has_value()}));
  prepared.names = request.names;
  if (prepared.names == nullptr) {
    TM_ASSIGN(prepared.names, parts_.names());
  }
  std::set<std::pair<std::string, std::string>> seen;
  const std::vector<std::string>& common = prepared.statement.common_tables;
  for (const SqlTableName& name : prepared.statement.tables) {
    if (!seen.emplace(FoldName(name.schema), FoldName(name.table)).second) continue;
    auto entry = prepared.names->Find(name);
    if (entry) {
      prepared.tables.push_back({name, *entry});
      continue;
    }
    const bool is_common =
        name.schema.empty() && std::ranges::find(common, FoldName(name.table)) != common.end();
    if (!is_common) return std::unexpected(std::move(entry).error());
  }
  return prepared;
}

Result<SqlQueries::Opened> SqlQueries::Open(const Prepared& prepared, const SqlRequest& request) const {
  const bool asks_for_write = !request.reading.at_least.empty();
  if (asks_for_write && (request.reading.as_of_us || request.reading.snapshot_id)) {
    return Fail(ErrorCode::kInvalidArgument,
                "as_of looks back, and at_least asks for a write that must be seen: give one of the two");
  }
  Opened opened;
  bool has_seen = false;
  std::optional<Error> unseen;
  for (const NamedTable& each : prepared.tables) {
    auto table = OpenSqlTable(*each.entry, request.reading, parts_.tables, request.options.stop);
    if (!table && asks_for_write && table.error().code == ErrorCode::kNotFound) {
      // The write was to another table, or it is not seen at all.
      unseen = table.error();
      SqlReading reading = request.reading;
      reading.at_least.clear();
      table = OpenSqlTable(*each.entry, reading, parts_.tables, request.options.stop);
    }
    if (!table) return std::unexpected(std::move(table).error());
    has_seen = has_seen || table->has_seen;
    table->table.schema = each.name.schema;
    table->table.name = each.name.table;
    opened.tables.push_back(table->table);
    if (table->table_id != 0) opened.feature_tables.push_back(*std::move(table));
  }
  if (asks_for_write && !has_seen) {
    if (unseen) return std::unexpected(*std::move(unseen));
    return Fail(ErrorCode::kNotFound, "the statement reads no table that the write of at_least was to");
  }
  return opened;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> SqlQueries::Query(std::string_view text,
                                                                    const SqlRequest& request) const {
  if (const auto show = request.names == nullptr ? ReadShow(text) : std::nullopt) {
    TM_ASSIGN(const auto names, parts_.names());
    return Answer(*show, *names);
  }
  TM_ASSIGN(const Prepared prepared, Prepare(text, request));
  TM_ASSIGN(Opened opened, Open(prepared, request));
  TM_ASSIGN(auto reader, parts_.engine->Query(prepared.statement, opened.tables, request.options));
  return std::make_shared<PinnedReader>(std::move(reader), std::move(opened.tables));
}

Result<std::shared_ptr<arrow::Schema>> SqlQueries::Describe(std::string_view text,
                                                            const SqlRequest& request) const {
  TM_ASSIGN(const Prepared prepared, Prepare(text, request));
  TM_ASSIGN(const Opened opened, Open(prepared, request));
  return parts_.engine->Describe(prepared.statement, opened.tables, request.options);
}

Result<bool> SqlQueries::IsErasedMeanwhile(const Opened& opened) const {
  for (const OpenedSqlTable& each : opened.feature_tables) {
    TM_ASSIGN(const auto tables, parts_.tables.tables());
    TM_ASSIGN(const auto table, tables->offline().Open(each.table_id));
    TM_ASSIGN(const auto now, table->Snapshot({}));
    if (!HasNoNewFence(each.snapshot->properties(), now->properties())) return true;
  }
  return false;
}

Result<DumpInfo> SqlQueries::Dump(std::string_view text, const SqlRequest& request) const {
  if (ReadShow(text)) {
    return Fail(ErrorCode::kInvalidArgument, "what SHOW tells is no table to be dumped: write a SELECT");
  }
  TM_ASSIGN(const Prepared prepared, Prepare(text, request));
  DumpInfo info;
  info.sql = text;
  info.begun_us = parts_.clock->now_us();
  for (const NamedTable& each : prepared.tables) {
    info.tables.push_back(each.entry->database + "." + each.entry->name);
    if (each.entry->kind == SqlEntry::Kind::kTable) info.feature_tables.push_back(each.entry->view->id);
  }
  // An eraser knows of the dump from here on, before any table is opened for it.
  TM_ASSIGN(const auto unfinished, parts_.dumps->Begin(std::move(info)));
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    TM_ASSIGN(const Opened opened, Open(prepared, request));
    TM_ASSIGN(const std::int64_t rows,
              parts_.engine->Copy(prepared.statement, opened.tables, unfinished->path(), request.options));
    TM_ASSIGN(const bool is_erased, IsErasedMeanwhile(opened));
    if (!is_erased) return unfinished->Finish(rows);
    std::error_code failed;
    std::filesystem::remove(unfinished->path(), failed);
    if (failed) return Fail(ErrorCode::kIo, "cannot write the dump anew: " + failed.message());
  }
  return Fail(ErrorCode::kBusy, "rows of its tables are being erased all the time; dump again");
}

}  // namespace tidemark
