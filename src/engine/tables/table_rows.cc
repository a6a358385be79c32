// Column by column through the casts of pit/columns.h.
#include "engine/tables/table_rows.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "model/feature_table.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

const DataType kTimestampType{.kind = TypeKind::kTimestamp};
constexpr std::int64_t kMessageRoom = 4096;  // for what an Arrow message has before its columns
constexpr std::string_view kStreamEnd("\xFF\xFF\xFF\xFF\0\0\0\0", 8);  // of an Arrow IPC stream

/// Room for the columns of a batch that is no slice of another; more is made where it does not suffice.
std::int64_t RoomFor(const arrow::RecordBatch& batch) {
  constexpr std::int64_t kPadding = 64;
  constexpr std::int64_t kRoomMax = std::int64_t{1} << 20;
  std::int64_t bytes = kMessageRoom;
  for (const auto& column : batch.column_data()) {
    for (const auto& buffer : column->buffers)
      bytes += buffer == nullptr ? 0 : buffer->size() + kPadding;
  }
  return std::min(bytes, kRoomMax);
}

PartitionField FieldOf(const Partition& partition, const FeatureView& view) {
  switch (partition.kind) {
    case Partition::Kind::kBucket:
      return {partition.column, PartitionField::Transform::kBucket, partition.buckets};
    case Partition::Kind::kDay:
      return {view.event_column(), PartitionField::Transform::kDay, 0};
    case Partition::Kind::kIdentity:
      break;
  }
  return {partition.column, PartitionField::Transform::kIdentity, 0};
}

std::vector<TableColumn> ColumnsOf(const CatalogView& view) {
  std::vector<TableColumn> columns;
  const auto add = [&](const std::string& name, const DataType& type, bool required) {
    columns.push_back({.name = name, .type = type, .required = required});
  };
  const TableOptions& table = view.definition.table;
  for (const JoinKey& key : view.join_keys)
    add(key.name, *key.type, true);
  add(table.timestamp_field, table.timestamp_type, true);
  if (view.definition.event_column() != table.timestamp_field)
    add(view.definition.event_column(), kTimestampType, true);
  if (!table.created_timestamp_column.empty()) add(table.created_timestamp_column, kTimestampType, true);
  for (const Field& field : view.definition.fields)
    add(field.name, field.type, false);
  add(system_column::kWriteTime, kTimestampType, true);
  add(system_column::kArrival, kTimestampType, true);
  add(system_column::kIsDeleted, {.kind = TypeKind::kBool}, true);
  add(system_column::kExpiresAt, kTimestampType, false);
  add(system_column::kOrigin, {.kind = TypeKind::kInt32}, true);
  return columns;
}

/// Field by field, without the fingerprints that Arrow makes of schemas: those of a frame are compared once.
bool HasFields(const arrow::Schema& schema, const arrow::Schema& wanted) {
  return std::ranges::equal(schema.fields(), wanted.fields(), [](const auto& field, const auto& other) {
    return field->name() == other->name() && field->nullable() == other->nullable() &&
           field->type()->Equals(*other->type());
  });
}

/// Microseconds in another unit; finer ones are cut.
std::int64_t FromMicros(std::int64_t us, TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSeconds:
      return us / 1'000'000;
    case TimeUnit::kMilliseconds:
      return us / 1'000;
    case TimeUnit::kMicroseconds:
      return us;
    case TimeUnit::kNanoseconds:
      break;
  }
  return us * 1'000;
}

/// Microseconds as the timestamps that tables keep.
std::shared_ptr<arrow::Array> AsTimestamps(const arrow::Int64Array& micros) {
  auto data = micros.data()->Copy();
  data->type = ToArrow(kTimestampType);
  return arrow::MakeArray(data);
}

Result<std::shared_ptr<arrow::Int64Array>> Repeated(std::int64_t value, std::int64_t count) {
  TM_ASSIGN(const auto array, FromArrowResult(arrow::MakeArrayFromScalar(arrow::Int64Scalar(value), count)));
  return std::static_pointer_cast<arrow::Int64Array>(array);
}

Result<std::shared_ptr<arrow::BooleanArray>> RepeatedFlag(bool value, std::int64_t count) {
  TM_ASSIGN(const auto array,
            FromArrowResult(arrow::MakeArrayFromScalar(arrow::BooleanScalar(value), count)));
  return std::static_pointer_cast<arrow::BooleanArray>(array);
}

class Reading {
 public:
  Reading(const CatalogView& view, const arrow::RecordBatch& batch, const TableRowsOptions& options,
          bool* cut)
      : view_(view), table_(view.definition.table), batch_(batch), options_(options), cut_(cut) {}

  Result<TableRows> Run() {
    TM_TRY(CheckNames());
    TableRows rows;
    rows.arrival_us = options_.arrival_us;
    rows.is_deleted = options_.is_deleted;
    if (options_.arrivals != nullptr) {
      rows.arrivals = options_.arrivals;
      TM_ASSIGN(rows.deletions, RepeatedFlag(options_.is_deleted, batch_.num_rows()));
    }
    for (const JoinKey& key : view_.join_keys)
      TM_TRY(AddKey(key, rows));
    TM_TRY(AddEventTime(rows));
    TM_TRY(AddCreatedTime(rows));
    for (const Field& field : view_.definition.fields)
      TM_TRY(AddFeature(field, rows));
    if (const auto expiry = Find(system_column::kExpiresAt); expiry != nullptr) {
      TM_ASSIGN(rows.expires_at,
                NullableTimesToMicros(*expiry, system_column::kExpiresAt, options_.first_row, cut_));
    }
    return rows;
  }

 private:
  std::shared_ptr<arrow::Array> Find(const std::string& name) const { return batch_.GetColumnByName(name); }

  /// In their order.
  std::vector<std::string_view> KnownNames() const {
    std::vector<std::string_view> known{table_.timestamp_field, system_column::kExpiresAt};
    known.reserve(3 + view_.join_keys.size() + view_.definition.fields.size());
    if (!table_.created_timestamp_column.empty()) known.emplace_back(table_.created_timestamp_column);
    for (const JoinKey& key : view_.join_keys)
      known.emplace_back(key.name);
    for (const Field& field : view_.definition.fields)
      known.emplace_back(field.name);
    std::ranges::sort(known);
    return known;
  }

  Result<std::shared_ptr<arrow::Array>> Column(const std::string& name) const {
    if (auto column = Find(name)) return column;
    const auto names = batch_.schema()->field_names();
    return Fail(ErrorCode::kNotFound, fmt::format("the rows have no column '{}'{}; they have: {}", name,
                                                  Suggest(name, names), fmt::join(names, ", ")));
  }

  /// Nothing that a user sends is lost or taken for something else in silence.
  Result<void> CheckNames() const {
    const std::vector<std::string_view> known = KnownNames();
    std::vector<std::string_view> names;
    for (const auto& field : batch_.schema()->fields())
      names.push_back(field->name());
    std::vector<std::string_view> sorted = names;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the rows have two columns '{}'", *twice));
    for (const std::string_view name : names) {
      if (std::ranges::binary_search(known, name)) continue;
      static const std::array kOwn{system_column::kWriteTime, system_column::kArrival,
                                   system_column::kIsDeleted, system_column::kOrigin,
                                   system_column::kEventTimestamp};
      if (std::ranges::find(kOwn, name) != kOwn.end()) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("column '{}' is written by Tidemark alone: leave it out", name));
      }
      if (options_.others_allowed) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("the table has no column '{}'{}: leave it out, or add the field to the view first",
                      name, Suggest(name, {known.begin(), known.end()})));
    }
    return {};
  }

  Result<void> AddKey(const JoinKey& key, TableRows& rows) const {
    TM_ASSIGN(const auto column, Column(key.name));
    TM_ASSIGN(auto kept, CastColumn(column, *key.type, key.name, options_.first_row));
    TM_ASSIGN(auto canonical, CanonicalKey(kept, *key.type, key.name, options_.first_row));
    rows.columns.push_back(std::move(kept));
    rows.keys.push_back(std::move(canonical));
    return {};
  }

  /// The greatest and the least numbers are no moments: SQL takes them for infinity.
  Result<void> CheckFinite(const arrow::Int64Array& event, const std::string& name) const {
    constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
    for (std::int64_t row = 0; row < event.length(); ++row) {
      if (event.IsNull(row) || (event.Value(row) < kInfinity && event.Value(row) > -kInfinity)) continue;
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("column '{}', row {}: {} microseconds are beyond what an event time can be",
                              name, options_.first_row + row, event.Value(row)));
    }
    return {};
  }

  Result<void> AddEventTime(TableRows& rows) const {
    const std::string& name = table_.timestamp_field;
    auto column = Find(name);
    if (column == nullptr && options_.is_deleted && options_.arrivals != nullptr) {
      TM_ASSIGN(column, EventTimesAtArrival());
    } else if (column == nullptr && options_.event_us) {
      TM_ASSIGN(column, EventTimes(*options_.event_us, batch_.num_rows()));
    } else {
      TM_ASSIGN(column, Column(name));
    }
    const TypeKind kind = table_.timestamp_type.kind;
    if (kind == TypeKind::kInt64 || kind == TypeKind::kFloat64) {
      TM_ASSIGN(rows.event, NumbersToMicros(*column, table_.timestamp_unit, name, options_.first_row, cut_));
    } else {
      TM_ASSIGN(rows.event, TimesToMicros(*column, name, options_.first_row, cut_));
    }
    TM_TRY(CheckFinite(*rows.event, name));
    auto micros = AsTimestamps(*rows.event);
    if (kind == TypeKind::kTimestamp) {
      rows.columns.push_back(std::move(micros));
      return {};
    }
    TM_ASSIGN(auto kept, CastColumn(column, table_.timestamp_type, name, options_.first_row));
    rows.columns.push_back(std::move(kept));
    rows.columns.push_back(std::move(micros));
    return {};
  }

  /// The arrivals as event times.
  Result<std::shared_ptr<arrow::Array>> EventTimesAtArrival() const {
    arrow::ArrayVector times;
    for (std::int64_t row = 0; row < batch_.num_rows(); ++row) {
      TM_ASSIGN(auto time, EventTimes(options_.arrivals->Value(row), 1));
      times.push_back(std::move(time));
    }
    if (times.empty()) return EventTimes(0, 0);
    return FromArrowResult(arrow::Concatenate(times));
  }

  /// One event time for so many rows, as the table keeps them.
  Result<std::shared_ptr<arrow::Array>> EventTimes(std::int64_t event_us, std::int64_t rows) const {
    std::shared_ptr<arrow::Scalar> time;
    switch (table_.timestamp_type.kind) {
      case TypeKind::kString:
        time = std::make_shared<arrow::StringScalar>(FormatTimestampUs(event_us));
        break;
      case TypeKind::kInt64:
        time = std::make_shared<arrow::Int64Scalar>(FromMicros(event_us, table_.timestamp_unit));
        break;
      case TypeKind::kFloat64:
        time = std::make_shared<arrow::DoubleScalar>(
            table_.timestamp_unit == TimeUnit::kSeconds
                ? static_cast<double>(event_us) / 1e6
                : static_cast<double>(FromMicros(event_us, table_.timestamp_unit)));
        break;
      default:
        time = std::make_shared<arrow::TimestampScalar>(event_us, ToArrow(kTimestampType));
    }
    return FromArrowResult(arrow::MakeArrayFromScalar(*time, rows));
  }

  Result<void> AddCreatedTime(TableRows& rows) const {
    const std::string& name = table_.created_timestamp_column;
    const auto column = name.empty() ? nullptr : Find(name);
    if (column != nullptr) {
      TM_ASSIGN(rows.created, TimesToMicros(*column, name, options_.first_row, cut_));
    } else if (options_.arrivals != nullptr) {
      rows.created = options_.arrivals;
    } else {
      TM_ASSIGN(rows.created, Repeated(options_.arrival_us, batch_.num_rows()));
    }
    if (!name.empty()) rows.columns.push_back(AsTimestamps(*rows.created));
    return {};
  }

  Result<void> AddFeature(const Field& field, TableRows& rows) const {
    std::shared_ptr<arrow::Array> kept;
    if (options_.is_deleted) {
      TM_ASSIGN(kept, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(field.type), batch_.num_rows())));
    } else {
      TM_ASSIGN(const auto column, Column(field.name));
      TM_ASSIGN(kept, CastColumn(column, field.type, field.name, options_.first_row));
    }
    rows.columns.push_back(kept);
    rows.features.push_back(std::move(kept));
    return {};
  }

  const CatalogView& view_;
  const TableOptions& table_;
  const arrow::RecordBatch& batch_;
  const TableRowsOptions& options_;
  bool* const cut_;
};

}  // namespace

Result<TableLayout> LayoutOf(const CatalogView& view) {
  TableLayout layout;
  layout.columns = ColumnsOf(view);
  for (const JoinKey& key : view.join_keys)
    layout.sort_columns.push_back(key.name);
  layout.sort_columns.push_back(view.definition.event_column());
  for (const std::string& text : view.definition.table.partitions) {
    TM_ASSIGN(const Partition partition, ParsePartition(text));
    layout.partitions.push_back(FieldOf(partition, view.definition));
  }
  layout.system = {.event_time = view.definition.event_column(),
                   .created = view.definition.created_column(),
                   .sequence = system_column::kWriteTime,
                   .origin = system_column::kOrigin,
                   .is_deleted = system_column::kIsDeleted,
                   .expires_at = system_column::kExpiresAt};
  return layout;
}

std::shared_ptr<arrow::Schema> TableSchema(const CatalogView& view) {
  arrow::FieldVector fields;
  for (const TableColumn& column : ColumnsOf(view))
    fields.push_back(arrow::field(column.name, ToArrow(column.type), !column.required));
  return arrow::schema(std::move(fields));
}

Result<TableRows> ReadTableRows(const CatalogView& view, const arrow::RecordBatch& rows,
                                const TableRowsOptions& options, bool* cut) {
  return Reading(view, rows, options, cut).Run();
}

std::int64_t BytesOf(const TableRows& rows) {
  std::int64_t bytes = 0;
  for (const auto& column : rows.columns) {
    for (const auto& buffer : column->data()->buffers)
      bytes += buffer == nullptr ? 0 : buffer->size();
  }
  return bytes;
}

TableRows SliceRows(const TableRows& rows, std::int64_t begin, std::int64_t count) {
  TableRows slice = rows;
  for (arrow::ArrayVector* columns : {&slice.columns, &slice.keys, &slice.features}) {
    for (auto& column : *columns)
      column = column->Slice(begin, count);
  }
  for (auto* times : {&slice.event, &slice.created, &slice.expires_at, &slice.arrivals}) {
    if (*times != nullptr)
      *times = std::static_pointer_cast<arrow::Int64Array>((*times)->Slice(begin, count));
  }
  if (slice.deletions != nullptr)
    slice.deletions = std::static_pointer_cast<arrow::BooleanArray>(slice.deletions->Slice(begin, count));
  return slice;
}

Result<std::shared_ptr<arrow::RecordBatch>> StampedRows(
    const std::shared_ptr<arrow::Schema>& schema, const TableRows& rows,
    const std::shared_ptr<arrow::Int64Array>& write_times) {
  const std::int64_t count = rows.count();
  arrow::ArrayVector columns = rows.columns;
  columns.push_back(AsTimestamps(*write_times));
  auto arrivals = rows.arrivals;
  auto deletions = rows.deletions;
  if (arrivals == nullptr) {
    TM_ASSIGN(arrivals, Repeated(rows.arrival_us, count));
    TM_ASSIGN(deletions, RepeatedFlag(rows.is_deleted, count));
  }
  columns.push_back(AsTimestamps(*arrivals));
  columns.push_back(std::move(deletions));
  if (rows.expires_at != nullptr) {
    columns.push_back(AsTimestamps(*rows.expires_at));
  } else {
    TM_ASSIGN(auto never, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(kTimestampType), count)));
    columns.push_back(std::move(never));
  }
  // One store folder gives every write time once; another writer's number would end ties between folders.
  TM_ASSIGN(auto origin, FromArrowResult(arrow::MakeArrayFromScalar(arrow::Int32Scalar(0), count)));
  columns.push_back(std::move(origin));
  return arrow::RecordBatch::Make(schema, count, std::move(columns));
}

Result<std::string> EncodeSchema(const arrow::Schema& schema) {
  TM_ASSIGN(const auto encoded, FromArrowResult(arrow::ipc::SerializeSchema(schema)));
  return encoded->ToString();
}

Result<std::shared_ptr<arrow::Buffer>> EncodeBatch(std::string_view encoded_schema,
                                                   const arrow::RecordBatch& batch) {
  static const arrow::ipc::IpcWriteOptions options = arrow::ipc::IpcWriteOptions::Defaults();
  const auto before = static_cast<std::int64_t>(encoded_schema.size());
  TM_ASSIGN(const auto sink, FromArrowResult(arrow::io::BufferOutputStream::Create(before + RoomFor(batch))));
  TM_TRY(FromArrowStatus(sink->Write(encoded_schema)));
  TM_TRY(FromArrowStatus(arrow::ipc::SerializeRecordBatch(batch, options, sink.get())));
  TM_TRY(FromArrowStatus(sink->Write(kStreamEnd)));
  return FromArrowResult(sink->Finish());
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodeBatch(std::span<const std::byte> bytes) {
  const auto damaged = [](const arrow::Status& status) {
    return Fail(ErrorCode::kCorruption, fmt::format("logged rows cannot be read: {}", status.message()));
  };
  // A copy of its own: the batch outlives the bytes.
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> copy,
            FromArrowResult(arrow::AllocateBuffer(static_cast<std::int64_t>(bytes.size()))));
  std::ranges::copy(bytes, reinterpret_cast<std::byte*>(copy->mutable_data()));
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(std::make_shared<arrow::io::BufferReader>(copy));
  if (!reader.ok()) return damaged(reader.status());
  std::shared_ptr<arrow::RecordBatch> batch;
  if (const auto status = (*reader)->ReadNext(&batch); !status.ok()) return damaged(status);
  if (batch == nullptr) return damaged(arrow::Status::Invalid("there are no rows"));
  if (const auto status = batch->ValidateFull(); !status.ok()) return damaged(status);
  return batch;
}

Result<std::shared_ptr<arrow::RecordBatch>> AlignBatch(const CatalogView& view,
                                                       const std::shared_ptr<arrow::Schema>& schema,
                                                       const std::shared_ptr<arrow::RecordBatch>& batch) {
  if (HasFields(*batch->schema(), *schema))
    return arrow::RecordBatch::Make(schema, batch->num_rows(), batch->column_data());
  arrow::ArrayVector columns;
  for (const TableColumn& wanted : ColumnsOf(view)) {
    auto column = batch->GetColumnByName(wanted.name);
    if (column == nullptr) {
      TM_ASSIGN(column, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(wanted.type), batch->num_rows())));
    } else {
      TM_ASSIGN(column, CastColumn(column, wanted.type, wanted.name, 0));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch->num_rows(), std::move(columns));
}

}  // namespace tidemark
