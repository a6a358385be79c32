#include "adapters/iceberg/foreign_files.h"

#include <fmt/format.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/single_value.h"
#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/parquet_file.h"
#include "adapters/parquet/parquet_ranges.h"
#include "base/parallel.h"

namespace tidemark::iceberg {
namespace {

constexpr std::int64_t kDayMicros = std::int64_t{86'400} * 1'000'000;

using LeafPath = std::vector<std::string>;

struct Leaf {
  SchemaField field;
  std::shared_ptr<arrow::DataType> type;
};

/// Columns and members of structs by their path, as Parquet has it.
void CollectLeaves(const SchemaField& field, const std::shared_ptr<arrow::DataType>& type, LeafPath path,
                   std::map<LeafPath, Leaf>& leaves) {
  path.push_back(field.name);
  if (field.shape == SchemaField::Shape::kPrimitive) {
    leaves.emplace(std::move(path), Leaf{field, type});
    return;
  }
  if (field.shape != SchemaField::Shape::kStruct || type->id() != arrow::Type::STRUCT) return;
  const auto& members = static_cast<const arrow::StructType&>(*type);
  for (const SchemaField& child : field.children) {
    if (const auto member = members.GetFieldByName(child.name))
      CollectLeaves(child, member->type(), path, leaves);
  }
}

/// Bounds in the form that manifests have; nothing where they say nothing.
std::optional<ChunkBounds> AsBounds(const ColumnRange& range, const SchemaField& field) {
  if (const auto* const low = std::get_if<std::string>(&range.low)) {
    const bool is_text = field.primitive == "string";
    auto upper = UpperTextBound(std::get<std::string>(range.high), is_text);
    if (!upper || (!is_text && field.primitive != "binary")) return std::nullopt;
    return ChunkBounds{LowerTextBound(*low, is_text), *std::move(upper)};
  }
  const std::int64_t low = std::get<std::int64_t>(range.low);
  const std::int64_t high = std::get<std::int64_t>(range.high);
  if (field.primitive == "int")
    return ChunkBounds{SingleValue(static_cast<std::int32_t>(low)),
                       SingleValue(static_cast<std::int32_t>(high))};
  if (field.primitive == "date")
    return ChunkBounds{SingleValue(static_cast<std::int32_t>(low / kDayMicros)),
                       SingleValue(static_cast<std::int32_t>(high / kDayMicros))};
  const bool is_long =
      field.primitive == "long" || field.primitive == "timestamp" || field.primitive == "timestamptz";
  if (!is_long) return std::nullopt;
  return ChunkBounds{SingleValue(low), SingleValue(high)};
}

/// One leaf over all row groups.
struct LeafMetrics {
  std::int64_t bytes = 0;
  std::int64_t values = 0;
  std::int64_t nulls = 0;
  bool has_nulls = true;
  bool has_bounds = true;
  std::optional<ChunkBounds> bounds = {};
};

void AddChunk(const parquet::ColumnChunkMetaData& chunk, const Leaf& leaf, LeafMetrics& metrics) {
  metrics.bytes += chunk.total_compressed_size();
  metrics.values += chunk.num_values();
  const auto statistics = chunk.is_stats_set() ? chunk.statistics() : nullptr;
  const bool has_nulls = statistics != nullptr && statistics->HasNullCount();
  metrics.has_nulls = metrics.has_nulls && has_nulls;
  if (has_nulls) metrics.nulls += statistics->null_count();
  if (has_nulls && statistics->null_count() == chunk.num_values()) return;  // no values: nothing to bound
  const auto range = ::tidemark::RangeOf(chunk, *leaf.type);
  auto bounds = range ? AsBounds(*range, leaf.field) : std::nullopt;
  metrics.has_bounds = metrics.has_bounds && bounds.has_value();
  if (!metrics.has_bounds) return;
  if (!metrics.bounds) {
    metrics.bounds = std::move(bounds);
  } else {
    metrics.bounds->lower = LesserBound(leaf.field, metrics.bounds->lower, bounds->lower);
    metrics.bounds->upper = GreaterBound(leaf.field, metrics.bounds->upper, bounds->upper);
  }
}

void AddMetrics(const parquet::FileMetaData& footer, const std::map<LeafPath, Leaf>& leaves, DataFile& file) {
  for (int column = 0; column < footer.num_columns(); ++column) {
    const auto leaf = leaves.find(footer.schema()->Column(column)->path()->ToDotVector());
    if (leaf == leaves.end()) continue;
    LeafMetrics metrics;
    for (int group = 0; group < footer.num_row_groups(); ++group)
      AddChunk(*footer.RowGroup(group)->ColumnChunk(column), leaf->second, metrics);
    const std::int32_t id = leaf->second.field.id;
    file.column_sizes.emplace_back(id, metrics.bytes);
    file.value_counts.emplace_back(id, metrics.values);
    if (metrics.has_nulls) file.null_counts.emplace_back(id, metrics.nulls);
    if (!metrics.has_bounds || !metrics.bounds) continue;
    file.lower_bounds.emplace_back(id, metrics.bounds->lower);
    file.upper_bounds.emplace_back(id, metrics.bounds->upper);
  }
}

/// The first field that states an id; nothing if none does.
std::optional<std::string> FieldWithId(const parquet::schema::Node& node) {
  if (node.field_id() >= 0) return node.path()->ToDotString();
  if (!node.is_group()) return std::nullopt;
  const auto& group = static_cast<const parquet::schema::GroupNode&>(node);
  for (int i = 0; i < group.field_count(); ++i) {
    if (auto found = FieldWithId(*group.field(i))) return found;
  }
  return std::nullopt;
}

Result<void> CheckNoIds(const parquet::FileMetaData& footer) {
  const parquet::schema::GroupNode& root = *footer.schema()->group_node();
  for (int i = 0; i < root.field_count(); ++i) {
    const auto found = FieldWithId(*root.field(i));
    if (!found) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("its columns have field ids of another table ('{}' for one), by which engines "
                            "would find the wrong columns: write the file without them, or read the table "
                            "that it belongs to (IcebergSource)",
                            *found));
  }
  return {};
}

Result<InspectedFile> Inspect(const ForeignFile& foreign) {
  InspectedFile made;
  made.foreign = foreign;
  made.file.location = ToLocation(foreign.file.path);
  made.file.bytes = foreign.file.size;
  TM_ASSIGN(const auto opened, OpenParquetFile(foreign.file));
  const parquet::FileMetaData& footer = opened->footer();
  const auto look = [&]() -> Result<void> {
    TM_TRY(CheckNoIds(footer));
    TM_ASSIGN(made.columns, SchemaOfFile(*opened->schema()));
    std::map<LeafPath, Leaf> leaves;
    for (const SchemaField& field : made.columns.schema.fields)
      CollectLeaves(field, opened->schema()->GetFieldByName(field.name)->type(), {}, leaves);
    made.file.rows = footer.num_rows();
    AddMetrics(footer, leaves, made.file);
    return {};
  };
  TM_TRY(Guarded(ErrorCode::kCorruption, look));
  return made;
}

/// A bound of a field that the table has wider.
std::string Widened(const std::string& bound, const SchemaField& field) {
  if (field.primitive != "long" || bound.size() != sizeof(std::int32_t)) return bound;
  std::int32_t value = 0;
  std::memcpy(&value, bound.data(), sizeof(value));
  return SingleValue(std::int64_t{value});
}

}  // namespace

Result<std::vector<InspectedFile>> InspectFiles(const std::vector<ForeignFile>& files,
                                                const ForeignWork& work, std::vector<Error>& bad_files) {
  std::vector<std::optional<InspectedFile>> made(files.size());
  std::vector<std::optional<Error>> bad(files.size());
  const auto inspect = [&](std::size_t index, std::size_t) -> Result<void> {
    auto inspected = Inspect(files[index]);
    if (inspected) {
      made[index] = *std::move(inspected);
      return {};
    }
    Error error = std::move(inspected).error().In("file " + files[index].file.path);
    if (!work.skips_bad_files) return std::unexpected(std::move(error));
    bad[index] = std::move(error);
    return {};
  };
  TM_TRY(ParallelFor(files.size(), ThreadCount(work.threads), work.stop, inspect));
  std::vector<InspectedFile> taken;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (made[i]) taken.push_back(*std::move(made[i]));
    if (bad[i]) bad_files.push_back(*std::move(bad[i]));
  }
  return taken;
}

DataFile InTable(const InspectedFile& inspected, const Schema& table) {
  const auto fields = FieldsInTable(inspected.columns.schema, table);
  DataFile made = inspected.file;
  const auto count = [&](Counts& counts) {
    Counts mapped;
    for (const auto& [id, value] : counts) {
      if (const auto field = fields.find(id); field != fields.end())
        mapped.emplace_back(field->second.id, value);
    }
    counts = std::move(mapped);
  };
  const auto bound = [&](Bounds& bounds) {
    Bounds mapped;
    for (const auto& [id, value] : bounds) {
      if (const auto field = fields.find(id); field != fields.end())
        mapped.emplace_back(field->second.id, Widened(value, field->second));
    }
    bounds = std::move(mapped);
  };
  count(made.column_sizes);
  count(made.value_counts);
  count(made.null_counts);
  bound(made.lower_bounds);
  bound(made.upper_bounds);
  return made;
}

}  // namespace tidemark::iceberg
