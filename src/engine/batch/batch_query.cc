// A query's names stand for its own sources and views, whatever else the store has under them.
#include "engine/batch/batch_query.h"

#include <fmt/format.h>

#include <functional>
#include <span>
#include <utility>

#include "base/hash.h"
#include "engine/sql/sql_tables.h"

namespace tidemark {
namespace {

using OpenTable = std::function<Result<SqlTable>(const std::stop_token& stop)>;

class QueryNames {
 public:
  explicit QueryNames(const BatchQueryParts& parts) : parts_(parts) {}

  void Add(const std::string& name, std::string_view kind, OpenTable open) {
    tables_.push_back(
        {.database = parts_.database, .name = name, .kind = std::string(kind), .open = std::move(open)});
  }
  /// `query` must outlive the names.
  void AddSources(const BatchQuery& query) {
    for (const BatchSource& source : query.sources) {
      const SqlEntry entry{.kind = SqlEntry::Kind::kSource,
                           .database = parts_.database,
                           .name = source.name,
                           .source = &source};
      Add(source.name, entry.kind_name(),
          [entry, &tables = parts_.queries.tables()](const std::stop_token& stop) {
            return OpenEntry(entry, tables, stop);
          });
    }
  }
  std::shared_ptr<const SqlNames> Take() {
    return std::make_shared<const SqlNames>(SqlProject{parts_.project, parts_.database, nullptr},
                                            std::move(tables_));
  }

  static Result<SqlTable> OpenEntry(const SqlEntry& entry, const SqlTablesParts& tables,
                                    const std::stop_token& stop) {
    TM_ASSIGN(OpenedSqlTable opened, OpenSqlTable(entry, {}, tables, stop));
    return std::move(opened.table);
  }

 private:
  const BatchQueryParts& parts_;
  std::vector<OtherSqlTable> tables_;
};

}  // namespace

Result<std::shared_ptr<arrow::Schema>> DescribeBatchQuery(const FeatureView& view,
                                                          const std::vector<CatalogView>& inputs,
                                                          const SqlOptions& options,
                                                          const BatchQueryParts& parts) {
  QueryNames names(parts);
  names.AddSources(*view.batch);
  for (const CatalogView& input : inputs) {
    // Its columns without any rows.
    names.Add(input.definition.name, "feature view", [&input](const std::stop_token&) -> Result<SqlTable> {
      SqlTable table;
      table.columns = ShownColumns(input);
      return table;
    });
  }
  SqlRequest request{.options = options, .names = names.Take()};
  request.options.range = SqlRange{.column = view.table.timestamp_field, .start_us = 0, .end_us = 1};
  return parts.queries.Describe(view.batch->sql, request);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> RunBatchQuery(const std::shared_ptr<const Catalog>& catalog,
                                                                const CatalogView& view, TimeSpan range,
                                                                const SqlOptions& options,
                                                                const BatchQueryParts& parts) {
  const BatchQuery& query = *view.definition.batch;
  QueryNames names(parts);
  names.AddSources(query);
  for (const std::string& name : query.views) {
    TM_ASSIGN(const CatalogView* const input, catalog->View(name));
    const bool is_table = input->definition.is_table();
    const SqlEntry entry{.kind = is_table ? SqlEntry::Kind::kTable : SqlEntry::Kind::kView,
                         .database = parts.database,
                         .name = name,
                         .catalog = catalog,
                         .view = input};
    names.Add(name, entry.kind_name(),
              [entry, &tables = parts.queries.tables()](const std::stop_token& stop) {
                return QueryNames::OpenEntry(entry, tables, stop);
              });
  }
  SqlRequest request{.options = options, .names = names.Take()};
  request.options.range = SqlRange{
      .column = view.definition.table.timestamp_field, .start_us = range.start_us, .end_us = range.end_us};
  return parts.queries.Query(query.sql, request);
}

std::string BatchQueryId(const BatchQuery& query) {
  std::string text = query.sql;
  for (const BatchSource& source : query.sources)
    text += fmt::format("\n{}\t{}", source.name, source.place());
  for (const std::string& view : query.views)
    text += fmt::format("\n{}", view);
  return fmt::format("{:016x}", Hash64(std::as_bytes(std::span(text))));
}

}  // namespace tidemark
