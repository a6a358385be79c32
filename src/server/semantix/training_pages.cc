// Reads the table's rows, sorts them by event time, keeps them for the pages to come.
#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "model/name.h"
#include "model/time.h"
#include "rows/arrow_types.h"
#include "server/json/json_text.h"
#include "server/rows/json_values.h"
#include "server/semantix/request_values_internal.h"
#include "server/semantix/training_pages_internal.h"
#include "server/semantix/waiting_table_internal.h"

namespace tidemark::server {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kPageRows = 100;
constexpr std::size_t kPageRowsMax = 100'000;
constexpr std::size_t kPageMax = 1'000'000'000;
constexpr std::chrono::minutes kKeptFor{5};
constexpr std::size_t kKeptMax = 16;
constexpr std::int64_t kKeptBytesMax = std::int64_t{256} << 20;
constexpr std::string_view kDeletedColumn = "is_deleted";

/// The order of an event time, whatever it is kept as; rows of other types stay as they come.
class EventOrder {
 public:
  explicit EventOrder(const arrow::Array& times) : times_(times) {}

  std::vector<double> Numbers() const {
    std::vector<double> numbers(static_cast<std::size_t>(times_.length()));
    for (std::int64_t row = 0; row < times_.length(); ++row)
      numbers[static_cast<std::size_t>(row)] = NumberOf(row);
    return numbers;
  }

 private:
  /// Microseconds since 1970 are exact in a double for the next two centuries.
  double NumberOf(std::int64_t row) const {
    switch (times_.type_id()) {
      case arrow::Type::TIMESTAMP:
        return static_cast<double>(static_cast<const arrow::TimestampArray&>(times_).Value(row));
      case arrow::Type::INT64:
        return static_cast<double>(static_cast<const arrow::Int64Array&>(times_).Value(row));
      case arrow::Type::DOUBLE:
        return static_cast<const arrow::DoubleArray&>(times_).Value(row);
      case arrow::Type::STRING: {
        const auto time = ParseTime(static_cast<const arrow::StringArray&>(times_).GetView(row));
        return time ? static_cast<double>(*time) : 0;
      }
      default:
        return 0;
    }
  }

  const arrow::Array& times_;
};

const std::string& TimeColumnOf(const FeatureView& view) {
  return view.is_table() ? view.table.timestamp_field : view.source->timestamp_field;
}

/// Names of columns of the answer: entities, the event time, features; those that were asked for.
Result<std::vector<std::string>> ColumnsOf(const Request& request, const KnownView& view) {
  const std::string& table = view.definition.name;
  const auto check = [&](const std::string& name, const auto& known, auto name_of, std::string_view what) {
    if (std::ranges::find(known, name, name_of) != known.end()) return Result<void>();
    return Result<void>(
        Fail(ErrorCode::kNotFound, fmt::format("table {} has no {} {}", Quoted(table), what, Quoted(name))));
  };
  TM_ASSIGN(auto entities, semantix::NameList(request, "entities"));
  TM_ASSIGN(auto features, semantix::NameList(request, "feature_refs"));
  std::vector<std::string> columns;
  if (!entities) {
    for (const JoinKey& key : view.join_keys)
      columns.push_back(key.name);
  }
  for (const std::string& name : entities.value_or(std::vector<std::string>{})) {
    TM_TRY(check(name, view.join_keys, &JoinKey::name, "entity"));
    columns.push_back(name);
  }
  const std::string& time = TimeColumnOf(view.definition);
  columns.push_back(time);
  if (!features) {
    for (const Field& field : view.definition.fields)
      columns.push_back(field.name);
  }
  for (const std::string& reference : features.value_or(std::vector<std::string>{})) {
    const std::string name(semantix::FeatureOf(reference, table));
    if (name == time) continue;
    TM_TRY(check(name, view.definition.fields, &Field::name, "feature"));
    columns.push_back(name);
  }
  return columns;
}

Result<std::shared_ptr<arrow::RecordBatch>> ReadAll(ArrowArrayStream* stream) {
  TM_ASSIGN(const auto reader, OfBody(arrow::ImportRecordBatchReader(stream)));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const arrow::Status read = reader->ReadNext(&batch); !read.ok())
      return Fail(ErrorCode::kInternal, fmt::format("reading the table failed: {}", read.message()));
    if (batch == nullptr) break;
    batches.push_back(std::move(batch));
  }
  TM_ASSIGN(const auto table, OfBody(arrow::Table::FromRecordBatches(reader->schema(), batches)));
  return OfBody(table->CombineChunksToBatch());
}

}  // namespace

/// Of a table that nothing was written to yet.
std::shared_ptr<const TrainingPages::Rows> TrainingPages::NoRows(const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const std::string& column : columns) {
    fields.push_back(arrow::field(column, arrow::utf8()));
    arrays.push_back(std::make_shared<arrow::StringArray>(0, nullptr, nullptr));
  }
  auto rows = std::make_shared<Rows>();
  rows->batch = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), 0, std::move(arrays));
  return rows;
}

Result<std::shared_ptr<const TrainingPages::Rows>> TrainingPages::Read(const Request& request, Store& store,
                                                                       const KnownView& view) const {
  TM_ASSIGN(const std::vector<std::string> columns, ColumnsOf(request, view));
  ReadTableOptions options;
  for (const std::string& column : columns) {
    const auto& fields = view.definition.fields;
    if (std::ranges::find(fields, column, &Field::name) != fields.end()) options.columns.push_back(column);
  }
  TM_ASSIGN(options.start_us, semantix::TimeValue(request, "initial_date"));
  TM_ASSIGN(options.end_us, semantix::TimeValue(request, "end_date"));
  options.stop = request.stop;
  if (semantix::WaitsForRows(view)) return NoRows(columns);
  ArrowArrayStream stream{};
  TM_TRY(store.ReadTable(view.definition.name, options, &stream));
  TM_ASSIGN(const auto all, ReadAll(&stream));

  auto rows = std::make_shared<Rows>();
  const auto deleted =
      std::dynamic_pointer_cast<arrow::BooleanArray>(all->GetColumnByName(std::string(kDeletedColumn)));
  for (std::int64_t row = 0; row < all->num_rows(); ++row) {
    if (deleted == nullptr || deleted->IsNull(row) || !deleted->Value(row)) rows->order.push_back(row);
  }
  const auto times = all->GetColumnByName(TimeColumnOf(view.definition));
  if (times == nullptr) return Fail(ErrorCode::kInternal, "the table's rows came without their event time");
  const std::vector<double> when = EventOrder(*times).Numbers();
  // Rows of one time stay in the order of their keys and of their writing.
  std::ranges::stable_sort(rows->order, {},
                           [&](std::int64_t row) { return when[static_cast<std::size_t>(row)]; });

  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrow::FieldVector fields;
  for (const std::string& column : columns) {
    const int index = all->schema()->GetFieldIndex(column);
    if (index < 0)
      return Fail(ErrorCode::kInternal, fmt::format("the table's rows came without {}", Quoted(column)));
    arrays.push_back(all->column(index));
    fields.push_back(all->schema()->field(index));
  }
  rows->batch =
      arrow::RecordBatch::Make(arrow::schema(std::move(fields)), all->num_rows(), std::move(arrays));
  return rows;
}

std::shared_ptr<const TrainingPages::Rows> TrainingPages::Find(const std::string& place) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  kept_.remove_if([&](const Kept& kept) { return kept.until < now; });
  const auto found = std::ranges::find(kept_, place, &Kept::place);
  return found == kept_.end() ? nullptr : found->rows;
}

void TrainingPages::Keep(const std::string& place, const std::shared_ptr<const Rows>& rows) {
  const std::lock_guard lock(mutex_);
  kept_.remove_if([&](const Kept& kept) { return kept.place == place; });
  const std::int64_t bytes = arrow::util::TotalBufferSize(*rows->batch) +
                             static_cast<std::int64_t>(rows->order.size() * sizeof(std::int64_t));
  if (bytes > kKeptBytesMax) return;
  kept_.push_front({place, rows, bytes, std::chrono::steady_clock::now() + kKeptFor});
  std::int64_t total = 0;
  std::size_t count = 0;
  kept_.remove_if([&](const Kept& kept) {
    total += kept.bytes;
    return total > kKeptBytesMax || ++count > kKeptMax;
  });
}

Result<void> TrainingPages::Answer(const Request& request, Response& response) {
  const std::string name(request.Part("name"));
  TM_TRY(request.CheckQuery());
  TM_ASSIGN(const std::size_t page_rows, semantix::CountValue(request, "page_size", kPageRows, kPageRowsMax));
  TM_ASSIGN(const std::size_t page, semantix::CountValue(request, "page", 1, kPageMax));
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(const auto definitions, services_.definitions.GetNow(*store));
  TM_ASSIGN(const KnownView* view, definitions->View(name));
  std::string place = fmt::format("{}\n{}\n{}", request.project, name, definitions->revision());
  for (const std::string_view each : {"entities", "feature_refs", "initial_date", "end_date"})
    place.append(fmt::format("\n{}", semantix::FormValue(request, each).value_or("")));
  std::shared_ptr<const Rows> rows = page == 1 ? nullptr : Find(place);
  if (rows == nullptr) {
    TM_ASSIGN(rows, Read(request, *store, *view));
    if (rows->order.size() > page_rows) Keep(place, rows);
  }

  std::vector<JsonValues> columns;
  std::vector<std::string> names;
  for (int i = 0; i < rows->batch->num_columns(); ++i) {
    TM_ASSIGN(JsonValues values, JsonValues::Of(*rows->batch->column(i)));
    columns.push_back(std::move(values));
    std::string text;
    json::AppendText(text, rows->batch->column_name(i));
    names.push_back(text + ":");
  }
  const std::size_t count = rows->order.size();
  const std::size_t begin = std::min(count, (page - 1) * page_rows);
  const std::size_t end = std::min(count, begin + page_rows);
  std::string& out = response.body;
  out = "{\"data\":[";
  for (std::size_t i = begin; i < end; ++i) {
    out.append(i == begin ? "{" : ",{");
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (column > 0) out.push_back(',');
      out.append(names[column]);
      columns[column].Append(out, rows->order[i]);
    }
    out.push_back('}');
  }
  const std::size_t pages = std::max<std::size_t>(1, (count + page_rows - 1) / page_rows);
  out.append(
      fmt::format("],\"pagination\":{{\"total_pages\":{},\"page\":{},\"page_size\":{},\"total_rows\":{}}}}}",
                  pages, page, page_rows, count));
  return {};
}

}  // namespace tidemark::server
