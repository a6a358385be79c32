#include "adapters/iceberg/snapshot_source.h"

#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "adapters/iceberg/data_reader.h"
#include "adapters/iceberg/iceberg_schema.h"
#include "adapters/iceberg/nested_columns.h"
#include "base/check.h"
#include "base/parallel.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark::iceberg {
namespace {

// RowLocation: the file's index above this bit, the row within the file below it.
constexpr int kFileShift = 40;
constexpr std::size_t kFilesMax = std::size_t{1} << (63 - kFileShift);

struct OpenedFile {
  std::unique_ptr<ParquetFile> data;
  std::vector<int> place_of;  // by column of the table; -1: the file is older than the column
  // By column of the table: the type that the file has it as, with the ids of nested fields; null if it is
  // not of the file.
  std::vector<std::shared_ptr<arrow::DataType>> stored_type;
  std::vector<std::shared_ptr<arrow::Scalar>> constant;  // by column of the table; null: not a constant
  SourceFile file;
};

std::string InFile(const std::string& path) {
  return "file " + path;
}

bool StatesIds(const ParquetFile& file) {
  for (int place = 0; place < file.schema()->num_fields(); ++place) {
    if (file.FieldId(place) >= 0) return true;
  }
  return false;
}

/// Where the table's columns are in a file: by its ids, or if it states none, by those of its names.
Result<void> FindPlaces(const SnapshotRows& rows, bool has_ids, OpenedFile& opened) {
  const ParquetFile& file = *opened.data;
  opened.place_of.assign(rows.columns.size(), -1);
  opened.stored_type.resize(rows.columns.size());
  if (!has_ids && rows.mapping.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "the file's columns have no field ids, by which a table's columns are found: write it anew "
                "with an engine that gives them");
  }
  for (int place = 0; place < file.schema()->num_fields(); ++place) {
    const arrow::Field& field = *file.schema()->field(place);
    const std::int32_t id = has_ids ? file.FieldId(place) : MappedId(rows.mapping, field.name());
    const auto column = std::ranges::find(rows.columns, id, &TableColumn::id);
    if (column == rows.columns.end()) continue;
    const auto number = static_cast<std::size_t>(column - rows.columns.begin());
    opened.place_of[number] = place;
    opened.stored_type[number] =
        has_ids ? field.type() : WithMappedIds(rows.mapping, field.name(), field.type());
  }
  return {};
}

/// A column that the partition says is a constant, unless a file with ids has it itself.
void FindConstants(const SnapshotRows& rows, std::size_t index, bool has_ids, OpenedFile& opened) {
  opened.constant.resize(rows.columns.size());
  if (rows.constants.empty()) return;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    const auto found = rows.constants[index].find(rows.columns[i].id);
    if (found == rows.constants[index].end() || (has_ids && opened.place_of[i] >= 0)) continue;
    opened.constant[i] = found->second;
    opened.place_of[i] = -1;
  }
}

Result<void> CheckRequired(const OpenedFile& opened, const std::vector<TableColumn>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (opened.place_of[i] >= 0 || opened.constant[i] != nullptr || !columns[i].required) continue;
    return Fail(ErrorCode::kCorruption,
                fmt::format("column '{}' must have a value, and the file does not have it (field id {})",
                            columns[i].name, columns[i].id));
  }
  return {};
}

/// A table that was made of folders may have left a column's values in their names.
Result<void> CheckNotInPartition(const OpenedFile& opened, const std::vector<TableColumn>& columns,
                                 const std::set<std::int32_t>& partition_ids) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool is_known = opened.place_of[i] >= 0 || opened.constant[i] != nullptr;
    if (is_known || !partition_ids.contains(columns[i].id)) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the file does not have column '{}', whose value only its partition says: rewrite "
                    "the table's data files where it is written",
                    columns[i].name));
  }
  return {};
}

/// As the table has the column: widened, and with the names and without the ids of its nested fields.
Result<std::shared_ptr<arrow::Array>> AsTable(std::shared_ptr<arrow::Array> array, const TableColumn& column,
                                              const arrow::Field& field, std::int64_t first_row) {
  const auto& type = field.type();
  if (!array->type()->Equals(*type)) {
    TM_ASSIGN(array, CastColumn(array, column.type, column.name, first_row));
  }
  if (array->type()->Equals(*type, /*check_metadata=*/true)) return array;
  return arrow::MakeArray(Retyped(*array->data(), type));
}

/// A constant's bounds, of the types that parts of files are skipped by.
std::optional<ColumnRange> RangeOf(const arrow::Scalar& constant) {
  if (!constant.is_valid) return std::nullopt;
  const auto both = [](auto value) { return ColumnRange{{}, value, value}; };
  if (constant.type->id() == arrow::Type::INT64)
    return both(static_cast<const arrow::Int64Scalar&>(constant).value);
  if (constant.type->id() == arrow::Type::INT32)
    return both(std::int64_t{static_cast<const arrow::Int32Scalar&>(constant).value});
  if (constant.type->id() == arrow::Type::STRING)
    return both(std::string(static_cast<const arrow::StringScalar&>(constant).view()));
  return std::nullopt;
}

class SnapshotSource final : public Source {
 public:
  SnapshotSource(SnapshotRows rows, std::vector<OpenedFile> opened)
      : rows_(std::move(rows)), opened_(std::move(opened)) {
    arrow::FieldVector fields;
    for (const TableColumn& column : rows_.columns)
      fields.push_back(arrow::field(column.name, ToArrow(column.type), !column.required));
    schema_ = arrow::schema(std::move(fields));
    for (const OpenedFile& file : opened_)
      files_.push_back(file.file);
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return files_; }
  const SystemColumns& system_columns() const override { return rows_.system; }

  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override {
    TM_ASSIGN(const std::vector<std::size_t> numbers, Find(columns));
    std::vector<Fragment> fragments;
    for (const std::size_t file : files) {
      TM_CHECK(file < opened_.size(), "the file is of another source");
      TM_ASSIGN(const auto parts, opened_[file].data->Parts());
      for (std::size_t part = 0; part < parts.size(); ++part) {
        fragments.push_back({.file = file,
                             .part = static_cast<int>(part),
                             .first_location = (RowLocation{file} << kFileShift) +
                                               static_cast<RowLocation>(parts[part].first_row),
                             .rows = parts[part].rows,
                             .ranges = RangesOf(opened_[file], part, numbers),
                             .columns_apart = opened_[file].data->columns_apart()});
      }
    }
    return fragments;
  }

  Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                    const BatchSink& sink) const override {
    TM_ASSIGN(const Request request, Resolve(fragment, columns));
    // An error of the sink is the caller's own: it must not be said to lie in the file.
    bool sink_failed = false;
    const auto hand_over = [&](arrow::ArrayVector arrays, std::int64_t rows,
                               std::int64_t first_row) -> Result<void> {
      TM_ASSIGN(const auto batch, Complete(request, std::move(arrays), rows, first_row));
      Result<void> taken = sink(*batch, first_row);
      sink_failed = !taken;
      return taken;
    };
    auto done = request.file->data->Scan(static_cast<std::size_t>(fragment.part), request.stored, hand_over);
    if (done || sink_failed) return done;
    return std::unexpected(std::move(done).error().In(InFile(files_[fragment.file].path)));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override {
    TM_ASSIGN(const Request request, Resolve(fragment, columns));
    if (!rows.empty() && (rows.front() < 0 || rows.back() >= request.part.rows)) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("rows {} to {} are asked of a fragment of {} rows",
                                                           rows.front(), rows.back(), request.part.rows));
    }
    const auto take = [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
      TM_ASSIGN(auto arrays,
                request.file->data->Take(static_cast<std::size_t>(fragment.part), request.stored, rows));
      return Complete(request, std::move(arrays), std::ssize(rows), 0);
    };
    auto taken = take();
    if (taken) return taken;
    return std::unexpected(std::move(taken).error().In(InFile(files_[fragment.file].path)));
  }

 private:
  // Some columns of one fragment.
  struct Request {
    const OpenedFile* file = nullptr;
    FilePart part;
    std::shared_ptr<arrow::Schema> schema;
    std::vector<std::size_t> columns;  // of the table
    std::vector<int> stored;           // places of those that the file has
  };

  Result<std::vector<std::size_t>> Find(const std::vector<std::string>& names) const {
    std::vector<std::size_t> numbers;
    for (const std::string& name : names) {
      const int number = schema_->GetFieldIndex(name);
      if (number < 0) {
        return Fail(ErrorCode::kNotFound, fmt::format("the table has no column '{}'; it has {}", name,
                                                      fmt::join(schema_->field_names(), ", ")));
      }
      numbers.push_back(static_cast<std::size_t>(number));
    }
    return numbers;
  }

  Result<Request> Resolve(const Fragment& fragment, const std::vector<std::string>& columns) const {
    TM_CHECK(fragment.file < opened_.size(), "the fragment is of another source");
    Request request;
    request.file = &opened_[fragment.file];
    TM_ASSIGN(const auto parts, request.file->data->Parts());
    TM_CHECK(static_cast<std::size_t>(fragment.part) < parts.size(), "the fragment is of another source");
    request.part = parts[static_cast<std::size_t>(fragment.part)];
    TM_ASSIGN(request.columns, Find(columns));
    arrow::FieldVector fields;
    for (const std::size_t column : request.columns) {
      fields.push_back(schema_->field(static_cast<int>(column)));
      const int place = request.file->place_of[column];
      if (place >= 0) request.stored.push_back(place);
    }
    request.schema = arrow::schema(std::move(fields));
    return request;
  }

  // The batch of what the file gave: columns it does not have added, types brought to those of the table.
  Result<std::shared_ptr<arrow::RecordBatch>> Complete(const Request& request, arrow::ArrayVector stored,
                                                       std::int64_t rows, std::int64_t first_row) const {
    arrow::ArrayVector arrays;
    auto next = stored.begin();
    for (std::size_t i = 0; i < request.columns.size(); ++i) {
      const std::size_t column = request.columns[i];
      const arrow::Field& field = *request.schema->field(static_cast<int>(i));
      std::shared_ptr<arrow::Array> array;
      if (const auto& constant = request.file->constant[column]; constant != nullptr) {
        TM_ASSIGN(array, FromArrowResult(arrow::MakeArrayFromScalar(*constant, rows, BufferPool())));
      } else if (request.file->place_of[column] < 0) {
        TM_ASSIGN(array, FromArrowResult(arrow::MakeArrayOfNull(field.type(), rows, BufferPool())));
      } else {
        TM_ASSIGN(array, Reshaped(*next++, *request.file->stored_type[column], rows_.fields[column]));
        TM_ASSIGN(array, AsTable(std::move(array), rows_.columns[column], field,
                                 request.part.first_row + first_row));
      }
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(request.schema, rows, std::move(arrays));
  }

  std::vector<ColumnRange> RangesOf(const OpenedFile& file, std::size_t part,
                                    const std::vector<std::size_t>& columns) const {
    std::vector<ColumnRange> ranges;
    for (const std::size_t column : columns) {
      const auto& constant = file.constant[column];
      if (file.place_of[column] < 0 && constant == nullptr) continue;
      auto range = constant != nullptr ? RangeOf(*constant) : file.data->Range(part, file.place_of[column]);
      if (!range) continue;
      range->column = rows_.columns[column].name;
      ranges.push_back(*std::move(range));
    }
    return ranges;
  }

  const SnapshotRows rows_;
  const std::vector<OpenedFile> opened_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<SourceFile> files_;
};

}  // namespace

Result<std::unique_ptr<Source>> OpenSnapshotSource(SnapshotRows rows, const SourceOptions& options) {
  if (options.filter) std::erase_if(rows.files, [&](const auto& file) { return !options.filter(file); });
  if (rows.files.size() > kFilesMax) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} data files are more than the {} that can be read at once", rows.files.size(),
                            kFilesMax));
  }
  TM_CHECK(rows.fields.size() == rows.columns.size(), "columns without their fields");
  if (!rows.are_in_order) std::ranges::sort(rows.files, {}, &DataFileInfo::path);
  std::vector<OpenedFile> opened(rows.files.size());
  const auto open = [&](std::size_t index, std::size_t) -> Result<void> {
    const auto one = [&]() -> Result<void> {
      OpenedFile& file = opened[index];
      const DataFileInfo& info = rows.files[index];
      if (rows.are_foreign) {
        TM_ASSIGN(file.file, FindForeignFile(info));
        TM_ASSIGN(file.data, OpenParquetFile(file.file));
      } else {
        // A data file is never written again, and its name is never given to another one.
        file.file = {info.path, std::filesystem::path(info.path).filename().string(), info.bytes, 0};
        TM_ASSIGN(file.data, OpenDataFile(info));
      }
      const bool has_ids = StatesIds(*file.data);
      TM_TRY(FindPlaces(rows, has_ids, file));
      FindConstants(rows, index, has_ids, file);
      TM_TRY(CheckRequired(file, rows.columns));
      if (rows.partition_ids.empty()) return {};
      return CheckNotInPartition(file, rows.columns, rows.partition_ids[index]);
    };
    TM_TRY_IN(one(), InFile(rows.files[index].path));
    return {};
  };
  TM_TRY(ParallelFor(opened.size(), ThreadCount(options.threads), options.stop, open));
  return std::make_unique<SnapshotSource>(std::move(rows), std::move(opened));
}

}  // namespace tidemark::iceberg
