#include "adapters/iceberg/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adapters/iceberg/avro_file.h"

namespace tidemark::iceberg {
namespace {

constexpr std::string_view kManifestListSchema =
    R"({"type":"record","name":"manifest_file","fields":[)"
    R"({"name":"manifest_path","type":"string","field-id":500},)"
    R"({"name":"manifest_length","type":"long","field-id":501},)"
    R"({"name":"partition_spec_id","type":"int","field-id":502},)"
    R"({"name":"content","type":"int","field-id":517},)"
    R"({"name":"sequence_number","type":"long","field-id":515},)"
    R"({"name":"min_sequence_number","type":"long","field-id":516},)"
    R"({"name":"added_snapshot_id","type":"long","field-id":503},)"
    R"({"name":"added_files_count","type":"int","field-id":504},)"
    R"({"name":"existing_files_count","type":"int","field-id":505},)"
    R"({"name":"deleted_files_count","type":"int","field-id":506},)"
    R"({"name":"added_rows_count","type":"long","field-id":512},)"
    R"({"name":"existing_rows_count","type":"long","field-id":513},)"
    R"({"name":"deleted_rows_count","type":"long","field-id":514},)"
    R"({"name":"partitions","type":["null",{"type":"array","items":{"type":"record","name":"r508","fields":[)"
    R"({"name":"contains_null","type":"boolean","field-id":509},)"
    R"({"name":"contains_nan","type":["null","boolean"],"default":null,"field-id":518},)"
    R"({"name":"lower_bound","type":["null","bytes"],"default":null,"field-id":510},)"
    R"({"name":"upper_bound","type":["null","bytes"],"default":null,"field-id":511}]},)"
    R"("element-id":508}],"default":null,"field-id":507}]})";

std::string MapField(std::string_view name, int id, int key_id, int value_id, std::string_view value) {
  return fmt::format(
      R"({{"name":"{}","type":["null",{{"type":"array","items":{{"type":"record","name":"k{}_v{}","fields":[)"
      R"({{"name":"key","type":"int","field-id":{}}},{{"name":"value","type":"{}","field-id":{}}}]}},)"
      R"("logicalType":"map"}}],"default":null,"field-id":{}}})",
      name, key_id, value_id, key_id, value, value_id, id);
}

// Avro's names are letters, digits and underscores: others as Iceberg writes them.
std::string AvroName(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (is_digit && out.empty()) out += '_';
    if (is_letter || is_digit) {
      out += c;
    } else {
      out += fmt::format("_x{:X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

Result<std::string> PartitionTypeJson(const Schema& schema, const PartitionSpecField& field) {
  if (field.transform.starts_with("bucket[")) return R"("int")";
  if (field.transform == "day") return R"({"type":"int","logicalType":"date"})";
  const SchemaField* const source = FindField(schema, field.source_id);
  const std::string_view type = source == nullptr ? "" : std::string_view(source->primitive);
  if (field.transform == "identity") {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTypes{{
        {"boolean", R"("boolean")"},
        {"int", R"("int")"},
        {"long", R"("long")"},
        {"string", R"("string")"},
        {"binary", R"("bytes")"},
        {"date", R"({"type":"int","logicalType":"date"})"},
    }};
    const auto* const found =
        std::ranges::find(kTypes, type, &std::pair<std::string_view, std::string_view>::first);
    if (found != kTypes.end()) return std::string(found->second);
    if (type == "timestamptz")
      return R"({"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true})";
  }
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("rows cannot be partitioned by '{}' of a column of type '{}'", field.transform, type));
}

class EntryEncoder {
 public:
  explicit EntryEncoder(AvroEncoder& out) : out_(out) {}

  void Encode(const ManifestEntry& entry) {
    out_.Int(static_cast<std::int64_t>(entry.status));
    Optional(entry.snapshot_id);
    Optional(entry.sequence_number);
    Optional(entry.file_sequence_number);
    const DataFile& file = entry.file;
    out_.Int(file.content);
    out_.Bytes(file.location);
    out_.Bytes(file.format);
    out_.Raw(file.partition);
    out_.Int(file.rows);
    out_.Int(file.bytes);
    for (const Counts* counts : {&file.column_sizes, &file.value_counts, &file.null_counts, &file.nan_counts})
      Pairs(*counts, [this](std::int64_t value) { out_.Int(value); });
    for (const Bounds* bounds : {&file.lower_bounds, &file.upper_bounds})
      Pairs(*bounds, [this](const std::string& value) { out_.Bytes(value); });
    out_.Branch(0);  // key_metadata
    out_.Branch(file.split_offsets.empty() ? 0 : 1);
    if (!file.split_offsets.empty()) {
      out_.Int(std::ssize(file.split_offsets));
      for (const std::int64_t offset : file.split_offsets)
        out_.Int(offset);
      out_.Int(0);
    }
    out_.Branch(0);  // equality_ids
    Optional(file.sort_order_id);
  }

 private:
  template <typename Integer>
  void Optional(const std::optional<Integer>& value) {
    out_.Branch(value ? 1 : 0);
    if (value) out_.Int(*value);
  }

  template <typename Value, typename Write>
  void Pairs(const std::vector<std::pair<std::int32_t, Value>>& pairs, const Write& write) {
    out_.Branch(pairs.empty() ? 0 : 1);
    if (pairs.empty()) return;
    out_.Int(std::ssize(pairs));
    for (const auto& [key, value] : pairs) {
      out_.Int(key);
      write(value);
    }
    out_.Int(0);
  }

  AvroEncoder& out_;
};

// Reads the members of a record by their field ids: `member(id, type)` reads one, or answers false to have it
// passed over. A null of a union is passed over without asking.
Result<void> ReadRecord(AvroDecoder& in, const AvroType& record,
                        FunctionRef<Result<bool>(int id, const AvroType& type)> member) {
  if (record.kind != AvroKind::kRecord) return Fail(ErrorCode::kCorruption, "an Avro record is none");
  for (const AvroField& field : record.fields) {
    TM_ASSIGN(const AvroType* const type, in.Branch(*field.type));
    if (type->kind == AvroKind::kNull) continue;
    TM_ASSIGN(const bool was_read, member(field.id, *type));
    if (!was_read) TM_TRY(in.Skip(*type));
  }
  return {};
}

Result<std::int64_t> ReadInt(AvroDecoder& in, const AvroType& type) {
  if (type.kind == AvroKind::kInt) return in.Int32();
  if (type.kind == AvroKind::kLong) return in.Int();
  return Fail(ErrorCode::kCorruption, "a count in an Avro file is no integer");
}

Result<std::string> ReadText(AvroDecoder& in, const AvroType& type) {
  if (type.kind != AvroKind::kString && type.kind != AvroKind::kBytes)
    return Fail(ErrorCode::kCorruption, "a text in an Avro file is none");
  TM_ASSIGN(const std::string_view text, in.Bytes());
  return std::string(text);
}

template <typename Value>
Result<Value> ReadValue(AvroDecoder& in, const AvroType& type) {
  if constexpr (std::is_same_v<Value, std::string>) {
    return ReadText(in, type);
  } else {
    return ReadInt(in, type);
  }
}

// A map that Avro keeps as an array of records of key and value.
template <typename Value>
Result<void> ReadPairs(AvroDecoder& in, const AvroType& type,
                       std::vector<std::pair<std::int32_t, Value>>& pairs) {
  const AvroType* const item = type.kind == AvroKind::kArray ? type.branches.front().get() : nullptr;
  if (item == nullptr || item->kind != AvroKind::kRecord || item->fields.size() != 2)
    return Fail(ErrorCode::kCorruption, "a map in an Avro file is none");
  return in.Array([&]() -> Result<void> {
    TM_ASSIGN(const std::int64_t key, ReadInt(in, *item->fields[0].type));
    TM_ASSIGN(Value value, ReadValue<Value>(in, *item->fields[1].type));
    pairs.emplace_back(static_cast<std::int32_t>(key), std::move(value));
    return {};
  });
}

Result<bool> ReadFileMember(AvroDecoder& in, int id, const AvroType& type, DataFile& file) {
  const auto into = [&]<typename T>(T& to) -> Result<bool> {
    if constexpr (std::is_same_v<T, std::string>) {
      TM_ASSIGN(to, ReadText(in, type));
    } else {
      TM_ASSIGN(const std::int64_t value, ReadInt(in, type));
      to = static_cast<std::int32_t>(value);
    }
    return true;
  };
  const auto pairs = [&](auto& to) -> Result<bool> {
    TM_TRY(ReadPairs(in, type, to));
    return true;
  };
  switch (id) {
    case 134:
      return into(file.content);
    case 100:
      return into(file.location);
    case 101:
      return into(file.format);
    case 102: {
      const std::string_view before = in.rest();
      TM_TRY(in.Skip(type));
      file.partition = before.substr(0, before.size() - in.rest().size());
      return true;
    }
    case 103: {
      TM_ASSIGN(file.rows, ReadInt(in, type));
      return true;
    }
    case 104: {
      TM_ASSIGN(file.bytes, ReadInt(in, type));
      return true;
    }
    case 108:
      return pairs(file.column_sizes);
    case 109:
      return pairs(file.value_counts);
    case 110:
      return pairs(file.null_counts);
    case 137:
      return pairs(file.nan_counts);
    case 125:
      return pairs(file.lower_bounds);
    case 128:
      return pairs(file.upper_bounds);
    case 132:
      TM_TRY(in.Array([&]() -> Result<void> {
        TM_ASSIGN(const std::int64_t offset, in.Int());
        file.split_offsets.push_back(offset);
        return {};
      }));
      return true;
    case 140: {
      TM_ASSIGN(const std::int64_t order, ReadInt(in, type));
      file.sort_order_id = static_cast<std::int32_t>(order);
      return true;
    }
    default:
      return false;
  }
}

Result<bool> ReadEntryMember(AvroDecoder& in, int id, const AvroType& type, ManifestEntry& entry) {
  if (id == 2) {
    TM_TRY(ReadRecord(in, type, [&](int member, const AvroType& member_type) {
      return ReadFileMember(in, member, member_type, entry.file);
    }));
    return true;
  }
  if (id != 0 && id != 1 && id != 3 && id != 4) return false;
  TM_ASSIGN(const std::int64_t value, ReadInt(in, type));
  if (id == 0 && (value < 0 || value > 2))
    return Fail(ErrorCode::kCorruption, "an entry of a manifest is neither existing, added nor deleted");
  if (id == 0) entry.status = static_cast<EntryStatus>(value);
  if (id == 1) entry.snapshot_id = value;
  if (id == 3) entry.sequence_number = value;
  if (id == 4) entry.file_sequence_number = value;
  return true;
}

Result<void> ReadSummary(AvroDecoder& in, const AvroType& type, FieldSummary& summary) {
  return ReadRecord(in, type, [&](int id, const AvroType& member) -> Result<bool> {
    if (id == 509) {
      TM_ASSIGN(summary.contains_null, in.Boolean());
    } else if (id == 518) {
      TM_ASSIGN(summary.contains_nan, in.Boolean());
    } else if (id == 510) {
      TM_ASSIGN(summary.lower, ReadText(in, member));
    } else if (id == 511) {
      TM_ASSIGN(summary.upper, ReadText(in, member));
    } else {
      return false;
    }
    return true;
  });
}

// The ids of the three counts of files.
constexpr int kAddedFiles = 504;
constexpr int kDeletedFiles = 506;

Result<bool> ReadListMember(AvroDecoder& in, int id, const AvroType& type, ManifestFile& file) {
  if (id == 500) {
    TM_ASSIGN(file.location, ReadText(in, type));
    return true;
  }
  if (id == 507) {
    if (type.kind != AvroKind::kArray) return Fail(ErrorCode::kCorruption, "a list in an Avro file is none");
    TM_TRY(in.Array([&] { return ReadSummary(in, *type.branches.front(), file.partitions.emplace_back()); }));
    return true;
  }
  const auto read = [&](auto& to) -> Result<bool> {
    TM_ASSIGN(const std::int64_t value, ReadInt(in, type));
    to = static_cast<std::remove_reference_t<decltype(to)>>(value);
    return true;
  };
  switch (id) {
    case 501:
      return read(file.length);
    case 502:
      return read(file.spec_id);
    case 517:
      return read(file.content);
    case 515:
      return read(file.sequence_number);
    case 516:
      return read(file.min_sequence_number);
    case 503:
      return read(file.added_snapshot_id);
    case 504:
      return read(file.added_files);
    case 505:
      return read(file.existing_files);
    case 506:
      return read(file.deleted_files);
    case 512:
      return read(file.added_rows);
    case 513:
      return read(file.existing_rows);
    case 514:
      return read(file.deleted_rows);
    default:
      return false;
  }
}

}  // namespace

Result<std::string> ManifestSchemaJson(const Schema& schema, const PartitionSpec& spec) {
  std::string partition;
  for (const PartitionSpecField& field : spec.fields) {
    TM_ASSIGN(const std::string type, PartitionTypeJson(schema, field));
    partition += fmt::format(R"({}{{"name":"{}","type":["null",{}],"default":null,"field-id":{}}})",
                             partition.empty() ? "" : ",", AvroName(field.name), type, field.field_id);
  }
  std::string json = R"({"type":"record","name":"manifest_entry","fields":[)"
                     R"({"name":"status","type":"int","field-id":0},)"
                     R"({"name":"snapshot_id","type":["null","long"],"default":null,"field-id":1},)"
                     R"({"name":"sequence_number","type":["null","long"],"default":null,"field-id":3},)"
                     R"({"name":"file_sequence_number","type":["null","long"],"default":null,"field-id":4},)"
                     R"({"name":"data_file","type":{"type":"record","name":"r2","fields":[)"
                     R"({"name":"content","type":"int","field-id":134},)"
                     R"({"name":"file_path","type":"string","field-id":100},)"
                     R"({"name":"file_format","type":"string","field-id":101},)"
                     R"({"name":"partition","type":{"type":"record","name":"r102","fields":[)";
  json += partition;
  json += R"(]},"field-id":102},)"
          R"({"name":"record_count","type":"long","field-id":103},)"
          R"({"name":"file_size_in_bytes","type":"long","field-id":104},)";
  json += MapField("column_sizes", 108, 117, 118, "long") + ",";
  json += MapField("value_counts", 109, 119, 120, "long") + ",";
  json += MapField("null_value_counts", 110, 121, 122, "long") + ",";
  json += MapField("nan_value_counts", 137, 138, 139, "long") + ",";
  json += MapField("lower_bounds", 125, 126, 127, "bytes") + ",";
  json += MapField("upper_bounds", 128, 129, 130, "bytes") + ",";
  json += R"({"name":"key_metadata","type":["null","bytes"],"default":null,"field-id":131},)"
          R"({"name":"split_offsets","type":["null",{"type":"array","items":"long","element-id":133}],)"
          R"("default":null,"field-id":132},)"
          R"({"name":"equality_ids","type":["null",{"type":"array","items":"int","element-id":136}],)"
          R"("default":null,"field-id":135},)"
          R"({"name":"sort_order_id","type":["null","int"],"default":null,"field-id":140}]},"field-id":2}]})";
  return json;
}

struct ManifestWriter::Impl {
  AvroFileWriter file;
  ManifestFile counts;
  std::optional<std::int64_t> least_sequence;
  bool inherits = false;
};

Result<ManifestWriter> ManifestWriter::Make(const Schema& schema, const PartitionSpec& spec) {
  TM_ASSIGN(const std::string json, ManifestSchemaJson(schema, spec));
  AvroFileWriter file({{"avro.schema", json},
                       {"schema", SchemaJson(schema)},
                       {"schema-id", std::to_string(schema.id)},
                       {"partition-spec", SpecFieldsJson(spec)},
                       {"partition-spec-id", std::to_string(spec.id)},
                       {"format-version", "2"},
                       {"content", "data"}});
  ManifestFile counts;
  counts.spec_id = spec.id;
  return ManifestWriter(std::make_shared<Impl>(Impl{std::move(file), std::move(counts), std::nullopt}));
}

void ManifestWriter::Add(const ManifestEntry& entry) {
  EntryEncoder(impl_->file.row()).Encode(entry);
  impl_->file.EndRow();
  ManifestFile& counts = impl_->counts;
  const bool is_added = entry.status == EntryStatus::kAdded;
  const bool is_deleted = entry.status == EntryStatus::kDeleted;
  (is_added ? counts.added_files : is_deleted ? counts.deleted_files : counts.existing_files) += 1;
  (is_added ? counts.added_rows : is_deleted ? counts.deleted_rows : counts.existing_rows) += entry.file.rows;
  if (is_deleted) return;
  if (!entry.sequence_number) {
    impl_->inherits = true;
  } else if (!impl_->least_sequence || *entry.sequence_number < *impl_->least_sequence) {
    impl_->least_sequence = entry.sequence_number;
  }
}

std::string ManifestWriter::Finish(std::int64_t sequence_number, ManifestFile& stats) {
  stats = impl_->counts;
  stats.sequence_number = sequence_number;
  stats.min_sequence_number = impl_->least_sequence.value_or(sequence_number);
  if (impl_->inherits) stats.min_sequence_number = std::min(stats.min_sequence_number, sequence_number);
  return impl_->file.Finish();
}

Result<void> ReadManifest(std::string_view bytes, const ManifestFile& manifest,
                          FunctionRef<Result<void>(ManifestEntry&& entry)> visit, std::string* schema_json) {
  TM_ASSIGN(AvroFile file, OpenAvroFile(bytes));
  if (schema_json != nullptr) *schema_json = file.schema_json;
  std::int64_t entries = 0;
  TM_TRY(ReadAvroRows(file, [&](AvroDecoder& in) -> Result<void> {
    ManifestEntry entry;
    TM_TRY(ReadRecord(in, *file.schema,
                      [&](int id, const AvroType& type) { return ReadEntryMember(in, id, type, entry); }));
    if (!entry.snapshot_id) entry.snapshot_id = manifest.added_snapshot_id;
    if (!entry.sequence_number) entry.sequence_number = manifest.sequence_number;
    if (!entry.file_sequence_number) entry.file_sequence_number = manifest.sequence_number;
    ++entries;
    return visit(std::move(entry));
  }));
  const std::int64_t stated = manifest.live_files() + manifest.deleted_files;
  if (entries == stated || !manifest.has_counts) return {};
  return Fail(ErrorCode::kCorruption,
              fmt::format("the manifest has {} files where the manifest list says {}", entries, stated));
}

std::string WriteManifestList(const std::vector<ManifestFile>& manifests, const Snapshot& snapshot) {
  AvroFileWriter file(
      {{"avro.schema", std::string(kManifestListSchema)},
       {"snapshot-id", std::to_string(snapshot.id)},
       {"parent-snapshot-id", snapshot.parent_id ? std::to_string(*snapshot.parent_id) : "null"},
       {"sequence-number", std::to_string(snapshot.sequence_number)},
       {"format-version", "2"}});
  for (const ManifestFile& manifest : manifests) {
    AvroEncoder& out = file.row();
    out.Bytes(manifest.location);
    for (const std::int64_t value :
         {manifest.length, std::int64_t{manifest.spec_id}, std::int64_t{manifest.content},
          manifest.sequence_number, manifest.min_sequence_number, manifest.added_snapshot_id,
          manifest.added_files, manifest.existing_files, manifest.deleted_files, manifest.added_rows,
          manifest.existing_rows, manifest.deleted_rows}) {
      out.Int(value);
    }
    out.Branch(1);
    if (!manifest.partitions.empty()) out.Int(std::ssize(manifest.partitions));
    for (const FieldSummary& summary : manifest.partitions) {
      out.Boolean(summary.contains_null);
      out.Branch(summary.contains_nan ? 1 : 0);
      if (summary.contains_nan) out.Boolean(*summary.contains_nan);
      for (const auto* bound : {&summary.lower, &summary.upper}) {
        out.Branch(*bound ? 1 : 0);
        if (*bound) out.Bytes(**bound);
      }
    }
    out.Int(0);
    file.EndRow();
  }
  return file.Finish();
}

Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes) {
  TM_ASSIGN(const AvroFile file, OpenAvroFile(bytes));
  std::vector<ManifestFile> manifests;
  TM_TRY(ReadAvroRows(file, [&](AvroDecoder& in) -> Result<void> {
    ManifestFile& manifest = manifests.emplace_back();
    int counts = 0;
    TM_TRY(ReadRecord(in, *file.schema, [&](int id, const AvroType& type) {
      if (id >= kAddedFiles && id <= kDeletedFiles) ++counts;
      return ReadListMember(in, id, type, manifest);
    }));
    manifest.has_counts = counts == kDeletedFiles - kAddedFiles + 1;
    return {};
  }));
  return manifests;
}

}  // namespace tidemark::iceberg
