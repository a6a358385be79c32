// One column for each feature, and when rows expire.
#include "server/sagemaker/record_writes.h"

#include <arrow/array/builder_time.h>
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <utility>

#include "model/feature_table.h"
#include "model/name.h"
#include "rows/arrow_types.h"

namespace tidemark::sagemaker {
namespace {

std::string Nearest(const Group& group, std::string_view name) {
  std::vector<std::string> names;
  for (const Feature& feature : group.features)
    names.push_back(feature.name);
  return Suggest(name, names);
}

Error ArrowError(const arrow::Status& status) {
  const ErrorCode code = status.IsOutOfMemory() ? ErrorCode::kOutOfSpace : ErrorCode::kInternal;
  return {code, status.ToString(), {}};
}

/// Columns that are filled row by row, and the stream that a store takes them from.
class Columns {
 public:
  arrow::ArrayBuilder& Add(const std::string& name, const std::shared_ptr<arrow::DataType>& type) {
    fields_.push_back(arrow::field(name, type));
    builders_.push_back(arrow::MakeBuilder(type).ValueOrDie());  // fails for no type of ours
    return *builders_.back();
  }
  arrow::ArrayBuilder& operator[](std::size_t column) { return *builders_[column]; }

  Result<void> Export(std::int64_t rows, ArrowArrayStream* out) {
    arrow::ArrayVector columns;
    for (const auto& builder : builders_) {
      auto column = builder->Finish();
      if (!column.ok()) return std::unexpected(ArrowError(column.status()));
      columns.push_back(*std::move(column));
    }
    const auto batch = arrow::RecordBatch::Make(arrow::schema(fields_), rows, std::move(columns));
    auto reader = arrow::RecordBatchReader::Make({batch});
    if (!reader.ok()) return std::unexpected(ArrowError(reader.status()));
    const auto exported = arrow::ExportRecordBatchReader(*std::move(reader), out);
    if (!exported.ok()) return std::unexpected(ArrowError(exported));
    return {};
  }

 private:
  arrow::FieldVector fields_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
};

const std::shared_ptr<arrow::DataType>& TimeType() {
  static const auto type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  return type;
}

Result<void> AppendTime(std::optional<std::int64_t> us, arrow::ArrayBuilder& builder) {
  const auto status = us ? static_cast<arrow::TimestampBuilder&>(builder).Append(*us) : builder.AppendNull();
  return status.ok() ? Result<void>() : std::unexpected(ArrowError(status));
}

IngestOptions OptionsOf(const WriteOptions& options) {
  IngestOptions ingest;
  ingest.to = options.stores.online ? (options.stores.offline ? WriteTarget::kBoth : WriteTarget::kOnline)
                                    : WriteTarget::kOffline;
  ingest.idempotency_key = options.key;
  ingest.stop = options.stop;
  return ingest;
}

std::size_t BytesOf(const FeatureValue& value) {
  std::size_t bytes = value.name.size() + value.text.size();
  for (const std::string_view item : value.items)
    bytes += item.size();
  return bytes;
}

}  // namespace

Answer<std::vector<const FeatureValue*>> CheckFeatures(const Group& group,
                                                       const std::vector<FeatureValue>& record) {
  std::vector<const FeatureValue*> values(group.features.size(), nullptr);
  std::size_t bytes = 0;
  for (const FeatureValue& value : record) {
    const auto found = group.by_name.find(value.name);
    if (found == group.by_name.end()) {
      return Refuse(Why::kInvalid, fmt::format("feature group {} has no feature {}{}", group.name(),
                                               Quoted(value.name), Nearest(group, value.name)));
    }
    if (std::exchange(values[found->second], &value) != nullptr)
      return Refuse(Why::kInvalid, fmt::format("feature {} is given twice", Quoted(value.name)));
    TM_TRY(CheckValue(group.features[found->second], value));
    bytes += BytesOf(value);
  }
  if (bytes > kRecordBytesMax) {
    return Refuse(Why::kInvalid,
                  fmt::format("the record has {} bytes; it may have {}", bytes, kRecordBytesMax));
  }
  return values;
}

Answer<void> CheckIdentifier(const Group& group, std::string_view identifier) {
  if (identifier.size() > kIdentifierBytesMax) {
    return Refuse(Why::kInvalid, fmt::format("the record identifier has {} bytes; it may have {}",
                                             identifier.size(), kIdentifierBytesMax));
  }
  const Feature& feature = group.features[group.identifier];
  return CheckValue(feature, {.name = feature.name, .text = identifier});
}

Answer<Row> CheckRecord(const Group& group, const WriteEntry& entry) {
  Row row;
  TM_ASSIGN(row.values, CheckFeatures(group, entry.record));
  for (const std::size_t needed : {group.identifier, group.event_time}) {
    if (row.values[needed] != nullptr) continue;
    return Refuse(Why::kInvalid,
                  fmt::format("the record has no feature {}, which is the group's {}",
                              Quoted(group.features[needed].name),
                              needed == group.identifier ? "record identifier" : "event time"));
  }
  TM_TRY(CheckIdentifier(group, row.identifier(group)));
  TM_ASSIGN(row.event, ReadEventTime(group.features[group.event_time], row.values[group.event_time]->text));
  row.expires_at_us = ExpiryOf(group, row.event.us, entry.ttl_us);
  return row;
}

Answer<Targets> StoresOf(const Group& group, const std::optional<Targets>& targets) {
  if (!targets) return group.stores;
  if ((targets->online && !group.stores.online) || (targets->offline && !group.stores.offline)) {
    return Refuse(Why::kInvalid,
                  fmt::format("TargetStores names the {} store, which feature group {} does "
                              "not have",
                              targets->online && !group.stores.online ? "online" : "offline", group.name()));
  }
  return *targets;
}

std::optional<std::int64_t> ExpiryOf(const Group& group, std::int64_t event_us,
                                     std::optional<std::int64_t> ttl_us) {
  if (!ttl_us) ttl_us = group.ttl_us;
  if (!ttl_us) return std::nullopt;
  std::int64_t expires_at_us = 0;
  if (__builtin_add_overflow(event_us, *ttl_us, &expires_at_us)) return std::nullopt;  // beyond all time
  return expires_at_us;
}

Result<IngestReport> WriteRows(const OpenGroup& group, std::span<const Row> rows,
                               const WriteOptions& options) {
  const std::vector<Feature>& features = group.group().features;
  Columns columns;
  for (const Feature& feature : features)
    columns.Add(feature.name, ArrowTypeOf(feature.kept_as));
  arrow::ArrayBuilder& expiry = columns.Add(system_column::kExpiresAt, TimeType());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < features.size(); ++i)
      AppendValue(features[i], row.values[i], columns[i]);
    TM_TRY(AppendTime(row.expires_at_us, expiry));
  }
  ArrowArrayStream stream{};
  TM_TRY(columns.Export(static_cast<std::int64_t>(rows.size()), &stream));
  return group.store().Ingest(group.group().name(), {.stream = &stream}, OptionsOf(options), nullptr);
}

Result<IngestReport> WriteDeletion(const OpenGroup& group, const Deletion& deletion,
                                   const WriteOptions& options) {
  const Group& about = group.group();
  const Feature& identifier = about.features[about.identifier];
  const Feature& event_time = about.features[about.event_time];
  Columns columns;
  AppendValue(identifier, &deletion.identifier,
              columns.Add(identifier.name, ArrowTypeOf(identifier.kept_as)));
  AppendValue(event_time, &deletion.event_time,
              columns.Add(event_time.name, ArrowTypeOf(event_time.kept_as)));
  // One that has expired long ago is passed over wherever deletions are listed.
  TM_TRY(AppendTime(deletion.is_hidden ? std::optional<std::int64_t>(0) : std::nullopt,
                    columns.Add(system_column::kExpiresAt, TimeType())));
  ArrowArrayStream stream{};
  TM_TRY(columns.Export(1, &stream));
  return group.store().Delete(about.name(), {.stream = &stream}, std::nullopt, OptionsOf(options));
}

}  // namespace tidemark::sagemaker
