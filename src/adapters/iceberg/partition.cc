#include "adapters/iceberg/partition.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "adapters/iceberg/single_value.h"
#include "pit/arrow_status.h"
#include "rows/avro_codec.h"

namespace tidemark::iceberg {
namespace {

constexpr std::int32_t kFirstPartitionId = 1000;
constexpr std::int64_t kMicrosPerDay = std::int64_t{86'400} * 1'000'000;

using Transform = PartitionField::Transform;

bool CanBeIdentity(std::string_view type) {
  return type == "boolean" || type == "int" || type == "long" || type == "string" || type == "binary" ||
         type == "date" || type == "timestamptz";
}
bool CanBeBucket(std::string_view type) {
  return CanBeIdentity(type) && type != "boolean";
}

std::optional<std::int32_t> BucketsOf(std::string_view transform) {
  constexpr std::string_view kPrefix = "bucket[";
  if (!transform.starts_with(kPrefix)) return std::nullopt;
  std::int32_t buckets = 0;
  std::from_chars(transform.data() + kPrefix.size(), transform.data() + transform.size(), buckets);
  if (buckets < 1) return std::nullopt;
  return buckets;
}

/// One row's value of one partition field.
struct Value {
  bool is_null = false;
  std::int64_t number = 0;  // or boolean
  std::string_view text = {};
};

/// How one field's values are read of the rows, kept in Avro, and kept as bounds.
struct Column {
  std::string_view source;  // the source column's type
  std::optional<std::int32_t> buckets;
  bool is_day = false;
  std::shared_ptr<arrow::Array> array;

  bool is_text() const { return !buckets && (source == "string" || source == "binary"); }

  Value At(std::int64_t row) const {
    if (array->IsNull(row)) return {.is_null = true};
    if (source == "string" || source == "binary") {
      const auto text = static_cast<const arrow::BinaryArray&>(*array).GetView(row);
      if (buckets) return {.number = Bucket(BucketHash(text))};
      return {.text = text};
    }
    const std::int64_t number = NumberAt(row);
    if (buckets) return {.number = Bucket(BucketHash(number))};
    if (is_day && source == "timestamptz")
      return {.number = number / kMicrosPerDay - (number % kMicrosPerDay < 0 ? 1 : 0)};
    return {.number = number};
  }

  std::string Bound(const Value& value) const {
    if (is_text()) return std::string(value.text);
    if (source == "boolean") return std::string(1, value.number != 0 ? '\1' : '\0');
    const bool is_long = !buckets && !is_day && (source == "long" || source == "timestamptz");
    return is_long ? SingleValue(value.number) : SingleValue(static_cast<std::int32_t>(value.number));
  }

  Result<Value> Decode(AvroDecoder& in) const {
    TM_ASSIGN(const std::int64_t branch, in.Int());
    Value value{.is_null = branch == 0};
    if (value.is_null) return value;
    if (is_text()) {
      TM_ASSIGN(value.text, in.Bytes());
    } else if (source == "boolean" && !buckets) {
      TM_ASSIGN(const bool is_true, in.Boolean());
      value.number = is_true ? 1 : 0;
    } else {
      TM_ASSIGN(value.number, in.Int());
    }
    return value;
  }

  void Encode(const Value& value, AvroEncoder& out) const {
    out.Branch(value.is_null ? 0 : 1);
    if (value.is_null) return;
    if (is_text()) {
      out.Bytes(value.text);
    } else if (source == "boolean" && !buckets) {
      out.Boolean(value.number != 0);
    } else {
      out.Int(value.number);
    }
  }

 private:
  std::int64_t Bucket(std::int32_t hash) const { return (hash & 0x7FFFFFFF) % *buckets; }

  std::int64_t NumberAt(std::int64_t row) const {
    if (source == "boolean") return static_cast<const arrow::BooleanArray&>(*array).Value(row) ? 1 : 0;
    if (source == "int") return static_cast<const arrow::Int32Array&>(*array).Value(row);
    if (source == "date") return static_cast<const arrow::Date32Array&>(*array).Value(row);
    if (source == "long") return static_cast<const arrow::Int64Array&>(*array).Value(row);
    return static_cast<const arrow::TimestampArray&>(*array).Value(row);
  }
};

/// `rows` may be null: then no values are read of the columns.
Result<std::vector<Column>> ColumnsFor(const Schema& schema, const PartitionSpec& spec,
                                       const arrow::RecordBatch* rows) {
  std::vector<Column> columns;
  for (const PartitionSpecField& field : spec.fields) {
    const SchemaField* const source = FindField(schema, field.source_id);
    Column column;
    column.buckets = BucketsOf(field.transform);
    column.is_day = field.transform == "day";
    const bool is_known = column.buckets || column.is_day || field.transform == "identity";
    if (source == nullptr || !is_known || !CanBeIdentity(source->primitive)) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("the table is partitioned by '{}', which Tidemark cannot write", field.transform));
    }
    column.source = source->primitive;
    if (rows != nullptr) column.array = rows->GetColumnByName(source->name);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::vector<FieldSummary> SummariesOf(const std::vector<Column>& columns, const std::vector<Value>& values) {
  std::vector<FieldSummary> summaries;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    FieldSummary summary{.contains_null = values[i].is_null};
    if (!values[i].is_null) summary.lower = summary.upper = columns[i].Bound(values[i]);
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace

Result<PartitionSpec> MakeSpec(const Schema& schema, const std::vector<PartitionField>& partitions) {
  PartitionSpec spec;
  for (const PartitionField& partition : partitions) {
    const SchemaField* const source = FindField(schema, partition.column);
    if (source == nullptr) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("the table cannot be partitioned by '{}': it has no such column", partition.column));
    }
    PartitionSpecField field{.source_id = source->id,
                             .field_id = kFirstPartitionId + static_cast<std::int32_t>(spec.fields.size())};
    bool fits = false;
    if (partition.transform == Transform::kBucket) {
      field.transform = fmt::format("bucket[{}]", partition.buckets);
      field.name = partition.column + "_bucket";
      fits = CanBeBucket(source->primitive) && partition.buckets > 0;
    } else if (partition.transform == Transform::kDay) {
      field.transform = "day";
      field.name = partition.column + "_day";
      fits = source->primitive == "timestamptz" || source->primitive == "date";
    } else {
      field.transform = "identity";
      field.name = partition.column;
      fits = CanBeIdentity(source->primitive);
    }
    if (!fits) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("column '{}', which is {}, cannot be partitioned by {}", partition.column,
                              source->primitive, field.transform));
    }
    if (std::ranges::find(spec.fields, field.name, &PartitionSpecField::name) != spec.fields.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the table is partitioned twice by '{}'", field.name));
    }
    spec.fields.push_back(std::move(field));
  }
  return spec;
}

std::vector<PartitionField> PartitionsOf(const Schema& schema, const PartitionSpec& spec) {
  std::vector<PartitionField> partitions;
  for (const PartitionSpecField& field : spec.fields) {
    const SchemaField* const source = FindField(schema, field.source_id);
    if (source == nullptr) continue;
    const auto buckets = BucketsOf(field.transform);
    if (buckets) partitions.push_back({source->name, Transform::kBucket, *buckets});
    if (field.transform == "day") partitions.push_back({source->name, Transform::kDay});
    if (field.transform == "identity") partitions.push_back({source->name, Transform::kIdentity});
  }
  return partitions;
}

Result<std::vector<PartitionRows>> SplitByPartition(const Schema& schema, const PartitionSpec& spec,
                                                    const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (spec.fields.empty()) return std::vector<PartitionRows>{{"", {}, rows}};
  TM_ASSIGN(const std::vector<Column> columns, ColumnsFor(schema, spec, rows.get()));
  struct Part {
    std::vector<FieldSummary> summaries;
    arrow::Int64Builder indices;
  };
  std::map<std::string, Part> parts;
  std::vector<Value> values(columns.size());
  for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
    AvroEncoder tuple;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      values[i] = columns[i].At(row);
      columns[i].Encode(values[i], tuple);
    }
    const auto [part, is_new] = parts.try_emplace(tuple.Take());
    if (is_new) part->second.summaries = SummariesOf(columns, values);
    TM_TRY(FromArrowStatus(part->second.indices.Append(row)));
  }
  std::vector<PartitionRows> out;
  for (auto& [tuple, part] : parts) {
    TM_ASSIGN(const auto indices, FromArrowResult(part.indices.Finish()));
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(
                                            rows, indices, arrow::compute::TakeOptions::NoBoundsCheck())));
    out.push_back({tuple, std::move(part.summaries), taken.record_batch()});
  }
  return out;
}

Result<std::vector<FieldSummary>> SummariesOfTuple(const Schema& schema, const PartitionSpec& spec,
                                                   std::string_view tuple) {
  TM_ASSIGN(const std::vector<Column> columns, ColumnsFor(schema, spec, nullptr));
  AvroDecoder in(tuple);
  std::vector<Value> values;
  for (const Column& column : columns) {
    TM_ASSIGN(const Value value, column.Decode(in));
    values.push_back(value);
  }
  if (!in.rest().empty()) return Fail(ErrorCode::kCorruption, "a partition's values are not of its spec");
  return SummariesOf(columns, values);
}

namespace {

Result<Value> ValueOfText(const std::optional<std::string>& text, const Column& column,
                          const std::string& name) {
  if (!text) return Value{.is_null = true};
  if (column.is_text()) return Value{.text = *text};
  Value value;
  const char* const end = text->data() + text->size();
  const auto [read, failed] = std::from_chars(text->data(), end, value.number);
  if (column.source == "long" && failed == std::errc() && read == end) return value;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("partition column '{}' is {}, and the folder {}={} says something else", name,
                          column.source == "long" ? "int64" : column.source, name, *text));
}

std::shared_ptr<arrow::Scalar> ScalarOf(const Value& value, std::string_view type) {
  const auto made = [&]<typename Scalar>(Scalar scalar) -> std::shared_ptr<arrow::Scalar> {
    if (value.is_null) return arrow::MakeNullScalar(scalar.type);
    return std::make_shared<Scalar>(std::move(scalar));
  };
  if (type == "string") return made(arrow::StringScalar(std::string(value.text)));
  if (type == "binary") return made(arrow::BinaryScalar(arrow::Buffer::FromString(std::string(value.text))));
  if (type == "boolean") return made(arrow::BooleanScalar(value.number != 0));
  if (type == "int") return made(arrow::Int32Scalar(static_cast<std::int32_t>(value.number)));
  if (type == "date") return made(arrow::Date32Scalar(static_cast<std::int32_t>(value.number)));
  if (type == "long") return made(arrow::Int64Scalar(value.number));
  return made(arrow::TimestampScalar(value.number, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
}

}  // namespace

Result<PartitionTuple> TupleOfFolders(const Schema& schema, const PartitionSpec& spec,
                                      const FolderValues& folders) {
  TM_ASSIGN(const std::vector<Column> columns, ColumnsFor(schema, spec, nullptr));
  AvroEncoder tuple;
  std::vector<Value> values;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string& name = FindField(schema, spec.fields[i].source_id)->name;
    const auto folder = std::ranges::find(folders, name, &FolderValues::value_type::first);
    if (folder == folders.end() || spec.fields[i].transform != "identity") {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("no folder says the value of partition column '{}'", name));
    }
    TM_ASSIGN(const Value value, ValueOfText(folder->second, columns[i], name));
    columns[i].Encode(value, tuple);
    values.push_back(value);
  }
  return PartitionTuple{tuple.Take(), SummariesOf(columns, values)};
}

Result<std::vector<PartitionConstant>> ConstantsOf(const Schema& schema, const PartitionSpec& spec,
                                                   std::string_view tuple) {
  std::vector<PartitionConstant> constants;
  const auto columns = ColumnsFor(schema, spec, nullptr);
  if (!columns && columns.error().code == ErrorCode::kUnsupported) return constants;
  if (!columns) return std::unexpected(columns.error());
  AvroDecoder in(tuple);
  for (std::size_t i = 0; i < columns->size(); ++i) {
    TM_ASSIGN(const Value value, (*columns)[i].Decode(in));
    const PartitionSpecField& field = spec.fields[i];
    if (field.transform == "identity")
      constants.push_back({field.source_id, ScalarOf(value, (*columns)[i].source)});
  }
  return constants;
}

void MergeSummaries(const Schema& schema, const PartitionSpec& spec, std::vector<FieldSummary>& all,
                    const std::vector<FieldSummary>& more) {
  if (all.empty()) {
    all = more;
    return;
  }
  for (std::size_t i = 0; i < all.size() && i < more.size(); ++i) {
    // Values of bucket and day are ints, whatever they are made of.
    SchemaField kind;
    const SchemaField* const source = i < spec.fields.size() && spec.fields[i].transform == "identity"
                                          ? FindField(schema, spec.fields[i].source_id)
                                          : nullptr;
    kind.primitive = source == nullptr ? "int" : source->primitive;
    all[i].contains_null = all[i].contains_null || more[i].contains_null;
    if (!more[i].lower || !more[i].upper) continue;
    all[i].lower = all[i].lower ? LesserBound(kind, *all[i].lower, *more[i].lower) : more[i].lower;
    all[i].upper = all[i].upper ? GreaterBound(kind, *all[i].upper, *more[i].upper) : more[i].upper;
  }
}

std::int32_t BucketHash(std::string_view bytes) {
  constexpr std::uint32_t kC1 = 0xCC9E2D51;
  constexpr std::uint32_t kC2 = 0x1B873593;
  std::uint32_t hash = 0;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t block = 0;
    std::memcpy(&block, bytes.data() + at, 4);
    hash ^= std::rotl(block * kC1, 15) * kC2;
    hash = std::rotl(hash, 13) * 5 + 0xE6546B64;
  }
  std::uint32_t tail = 0;
  for (std::size_t i = bytes.size(); i > at; --i)
    tail = (tail << 8) | static_cast<unsigned char>(bytes[i - 1]);
  hash ^= std::rotl(tail * kC1, 15) * kC2;
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35;
  return static_cast<std::int32_t>(hash ^ (hash >> 16));
}

std::int32_t BucketHash(std::int64_t value) {
  return BucketHash(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
}

}  // namespace tidemark::iceberg
