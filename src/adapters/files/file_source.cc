// Puts a source together from its files: names after mapping, partition columns, one type per column.
#include "adapters/files/file_source.h"

#include <arrow/array/util.h>
#include <arrow/compute/cast.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "adapters/files/csv_file.h"
#include "adapters/files/file_listing.h"
#include "adapters/files/schema_union.h"
#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/data_file.h"
#include "adapters/parquet/parquet_file.h"
#include "base/check.h"
#include "base/parallel.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

// RowLocation: the file's index above this bit, the row within the file below it.
constexpr int kFileShift = 40;
constexpr std::size_t kFilesMax = std::size_t{1} << (63 - kFileShift);

std::string InFile(const SourceFile& file) {
  return "file " + file.path;
}

// A file of the source, and where its columns come from.
struct OpenedFile {
  std::unique_ptr<DataFile> data;
  std::vector<int> column_of;  // by column of the source; -1: a partition's value
  std::vector<std::shared_ptr<arrow::Scalar>>
      constant_of;  // by column of the source; null unless a partition
};

class FilesSource final : public Source {
 public:
  FilesSource(std::shared_ptr<arrow::Schema> schema, std::vector<SourceFile> files,
              std::vector<OpenedFile> opened, const FileSourceOptions& options)
      : schema_(std::move(schema)),
        files_(std::move(files)),
        opened_(std::move(opened)),
        threads_(ThreadCount(options.threads)),
        stop_(options.stop) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return files_; }

  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override {
    TM_ASSIGN(const std::vector<int> numbers, Find(columns));
    const auto find_parts = [&](std::size_t i, std::size_t) -> Result<void> {
      TM_TRY_IN(opened_[files[i]].data->Parts(), InFile(files_[files[i]]));
      return {};
    };
    TM_TRY(ParallelFor(files.size(), threads_, stop_, find_parts));
    std::vector<Fragment> fragments;
    for (const std::size_t file : files) {
      TM_ASSIGN(const auto parts, opened_[file].data->Parts());
      for (std::size_t part = 0; part < parts.size(); ++part) {
        Fragment fragment;
        fragment.file = file;
        fragment.part = static_cast<int>(part);
        fragment.first_location =
            (RowLocation{file} << kFileShift) + static_cast<RowLocation>(parts[part].first_row);
        fragment.rows = parts[part].rows;
        fragment.columns_apart = opened_[file].data->columns_apart();
        for (const int column : numbers)
          AddRange(opened_[file], part, column, fragment.ranges);
        fragments.push_back(std::move(fragment));
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
    return std::unexpected(std::move(done).error().In(InFile(files_[fragment.file])));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override {
    TM_ASSIGN(const Request request, Resolve(fragment, columns));
    TM_ASSIGN(const auto parts, request.file->data->Parts());
    const FilePart& part = parts[static_cast<std::size_t>(fragment.part)];
    if (!rows.empty() && (rows.front() < 0 || (part.rows >= 0 && rows.back() >= part.rows))) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("rows {} to {} are asked of a fragment of {} rows",
                                                           rows.front(), rows.back(), part.rows));
    }
    const auto take = [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
      TM_ASSIGN(auto arrays,
                request.file->data->Take(static_cast<std::size_t>(fragment.part), request.stored, rows));
      return Complete(request, std::move(arrays), static_cast<std::int64_t>(rows.size()), 0);
    };
    auto taken = take();
    if (taken) return taken;
    return std::unexpected(std::move(taken).error().In(InFile(files_[fragment.file])));
  }

 private:
  // Some columns of one file.
  struct Request {
    const OpenedFile* file = nullptr;
    std::shared_ptr<arrow::Schema> schema;
    std::vector<int> columns;  // of the source
    std::vector<int> stored;   // those of the file among them, by the file's numbers
  };

  Result<std::vector<int>> Find(const std::vector<std::string>& names) const {
    std::vector<int> numbers;
    for (const std::string& name : names) {
      const int number = schema_->GetFieldIndex(name);
      if (number < 0) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("there is no column '{}' in {}; it has {}", name, files_.front().path,
                                fmt::join(schema_->field_names(), ", ")));
      }
      numbers.push_back(number);
    }
    return numbers;
  }

  Result<Request> Resolve(const Fragment& fragment, const std::vector<std::string>& columns) const {
    TM_CHECK(fragment.file < opened_.size(), "the fragment is of another source");
    Request request;
    request.file = &opened_[fragment.file];
    TM_ASSIGN(const auto parts, request.file->data->Parts());
    TM_CHECK(static_cast<std::size_t>(fragment.part) < parts.size(), "the fragment is of another source");
    TM_ASSIGN(request.columns, Find(columns));
    arrow::FieldVector fields;
    for (const int column : request.columns) {
      fields.push_back(schema_->field(column));
      const int stored = request.file->column_of[static_cast<std::size_t>(column)];
      if (stored >= 0) request.stored.push_back(stored);
    }
    request.schema = arrow::schema(std::move(fields));
    return request;
  }

  // The batch of what the file gave: partition columns added, types brought to those of the source.
  Result<std::shared_ptr<arrow::RecordBatch>> Complete(const Request& request, arrow::ArrayVector stored,
                                                       std::int64_t rows, std::int64_t first_row) const {
    arrow::ArrayVector arrays;
    auto next = stored.begin();
    for (std::size_t i = 0; i < request.columns.size(); ++i) {
      const auto& field = request.schema->field(static_cast<int>(i));
      const auto& constant = request.file->constant_of[static_cast<std::size_t>(request.columns[i])];
      if (constant != nullptr) {
        TM_ASSIGN_ARROW(auto array, arrow::MakeArrayFromScalar(*constant, rows), ErrorCode::kInternal);
        arrays.push_back(std::move(array));
        continue;
      }
      std::shared_ptr<arrow::Array> array = std::move(*next++);
      if (!array->type()->Equals(*field->type())) {
        auto cast = arrow::compute::Cast(*array, field->type());
        if (!cast.ok()) {
          return std::unexpected(FromStatus(cast.status(), ErrorCode::kTypeMismatch)
                                     .In(fmt::format("column '{}', rows from {}", field->name(), first_row)));
        }
        array = std::move(cast).ValueUnsafe();
      }
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(request.schema, rows, std::move(arrays));
  }

  void AddRange(const OpenedFile& file, std::size_t part, int column,
                std::vector<ColumnRange>& ranges) const {
    const std::string& name = schema_->field(column)->name();
    if (const auto& constant = file.constant_of[static_cast<std::size_t>(column)]; constant != nullptr) {
      if (!constant->is_valid) return;
      if (constant->type->id() == arrow::Type::INT64) {
        const std::int64_t value = static_cast<const arrow::Int64Scalar&>(*constant).value;
        ranges.push_back({name, value, value});
      } else {
        const std::string value(static_cast<const arrow::StringScalar&>(*constant).view());
        ranges.push_back({name, value, value});
      }
      return;
    }
    if (auto range = file.data->Range(part, file.column_of[static_cast<std::size_t>(column)])) {
      range->column = name;
      ranges.push_back(*std::move(range));
    }
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const std::vector<SourceFile> files_;
  const std::vector<OpenedFile> opened_;
  const std::size_t threads_;
  const std::stop_token stop_;
};

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Mapped(const BatchSource& definition, const std::string& column) {
  const auto found = definition.field_mapping.find(column);
  return found == definition.field_mapping.end() ? column : found->second;
}

std::shared_ptr<arrow::Schema> Renamed(const BatchSource& definition, const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields())
    fields.push_back(field->WithName(Mapped(definition, field->name())));
  return arrow::schema(std::move(fields));
}

using StatedTypes = std::map<std::string, DataType>;

// The type of a partition column: the stated one where text can be read as that, else what the values look
// like.
std::shared_ptr<arrow::DataType> StatedPartitionType(const StatedTypes& stated, const std::string& name) {
  const auto found = stated.find(name);
  if (found == stated.end()) return arrow::int64();
  switch (found->second.kind) {
    case TypeKind::kBool:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kDate:
    case TypeKind::kDecimal:
      return ToArrow(found->second);
    case TypeKind::kString:
    case TypeKind::kBinary:
    case TypeKind::kTimestamp:
      return arrow::utf8();
    default:
      return arrow::int64();
  }
}

// The partition columns that all files share, and their types. Integers that are not, are text.
Result<arrow::FieldVector> PartitionFields(const std::vector<ListedFile>& files, const StatedTypes& stated) {
  const ListedFile& first = files.front();
  arrow::FieldVector fields;
  for (const PartitionValue& partition : first.partitions)
    fields.push_back(arrow::field(partition.name, StatedPartitionType(stated, partition.name)));
  for (const ListedFile& file : files) {
    const bool same = std::ranges::equal(file.partitions, first.partitions, {}, &PartitionValue::name,
                                         &PartitionValue::name);
    if (!same) {
      return Fail(
          ErrorCode::kTypeMismatch,
          fmt::format(
              "file {} and file {} lie in folders of different partitions: the files of a source must "
              "have the same name=value folders above them",
              first.file.path, file.file.path));
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const auto& value = file.partitions[i].value;
      if (fields[i]->type()->id() != arrow::Type::INT64) continue;
      if (value && !ParseInteger(*value)) fields[i] = fields[i]->WithType(arrow::utf8());
    }
  }
  return fields;
}

Result<std::shared_ptr<arrow::Scalar>> PartitionScalar(const PartitionValue& partition,
                                                       const std::shared_ptr<arrow::DataType>& type) {
  if (!partition.value) return arrow::MakeNullScalar(type);
  if (type->id() == arrow::Type::INT64) return arrow::MakeScalar(*ParseInteger(*partition.value));
  const auto text = arrow::MakeScalar(*partition.value);
  if (type->id() == arrow::Type::STRING) return text;
  const auto read = arrow::compute::Cast(arrow::Datum(text), type);
  if (!read.ok()) {
    return Fail(ErrorCode::kInvalidData, fmt::format("folder {}={}: '{}' is not {}", partition.name,
                                                     *partition.value, *partition.value, type->ToString()));
  }
  return read->scalar();
}

class Opening {
 public:
  Opening(const BatchSource& definition, const FileSourceOptions& options)
      : definition_(definition), options_(options) {}

  Result<std::unique_ptr<Source>> Run(const std::filesystem::path& path) {
    TM_TRY(Find(path));
    return Assemble();
  }

  Result<std::unique_ptr<Source>> RunListed(FileListing listing) {
    listing_ = std::move(listing);
    may_miss_ = true;
    TM_TRY(LookInto());
    return Assemble();
  }

  Result<FileSourceLayout> Layout(const std::filesystem::path& path) {
    TM_TRY(Find(path));
    FileSourceLayout layout;
    layout.format = listing_.format;
    for (ListedFile& listed : listing_.files)
      layout.files.push_back(std::move(listed.file));
    layout.schema = schema_;
    layout.stored_names = stored_->field_names();
    layout.first_partition = layout.stored_names.size();
    for (const auto& partition : partitions_)
      layout.stored_names.push_back(partition->name());
    if (listing_.format == FileFormat::kCsv) layout.stated = options_.column_types;
    return layout;
  }

 private:
  // The files, and what columns they have.
  Result<void> Find(const std::filesystem::path& path) {
    TM_ASSIGN(listing_, ListFiles(path, definition_.format));
    return LookInto();
  }

  Result<void> LookInto() {
    if (listing_.files.size() > kFilesMax) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{} files are more than the {} that one source may have", listing_.files.size(),
                              kFilesMax));
    }
    TM_TRY(OpenFiles());
    TM_TRY(UniteStored());
    TM_TRY(AddPartitions());
    return CheckNames();
  }

  Result<void> OpenFiles() {
    data_.resize(listing_.files.size());
    schemas_.resize(listing_.files.size());
    for (const auto& [name, type] : options_.column_types)
      stated_[StoredName(name)] = type;
    const auto open = [&](std::size_t index, std::size_t) -> Result<void> {
      auto opened = OpenOne(index);
      if (opened) return {};
      return std::unexpected(std::move(opened).error().In(InFile(listing_.files[index].file)));
    };
    return ParallelFor(data_.size(), ThreadCount(options_.threads), options_.stop, open);
  }

  Result<void> OpenOne(std::size_t index) {
    const SourceFile& file = listing_.files[index].file;
    if (listing_.format == FileFormat::kCsv) {
      TM_ASSIGN(schemas_[index], FindCsvSchema(file, stated_, options_.guesses_types, options_.stop));
    } else {
      TM_ASSIGN(data_[index], OpenParquetFile(file));
      schemas_[index] = data_[index]->schema();
    }
    return {};
  }

  // The name that a column has in the files.
  std::string StoredName(const std::string& name) const {
    for (const auto& [stored, mapped] : definition_.field_mapping) {
      if (mapped == name) return stored;
    }
    return name;
  }

  Result<void> UniteStored() {
    std::vector<NamedSchema> named;
    for (std::size_t i = 0; i < schemas_.size(); ++i)
      named.push_back({listing_.files[i].file.path, schemas_[i]});
    const bool csv = listing_.format == FileFormat::kCsv;
    TM_ASSIGN(stored_, UniteSchemas(named, csv, may_miss_));
    if (!csv) return {};
    // Text is read as the united types at once, never converted from narrower ones.
    for (std::size_t i = 0; i < schemas_.size(); ++i) {
      arrow::FieldVector own;
      for (const auto& field : schemas_[i]->fields())
        own.push_back(stored_->GetFieldByName(field->name()));
      data_[i] = MakeCsvFile(listing_.files[i].file, may_miss_ ? arrow::schema(std::move(own)) : stored_,
                             {options_.csv_part_bytes, options_.stop});
    }
    return {};
  }

  Result<void> AddPartitions() {
    TM_ASSIGN(const arrow::FieldVector all, PartitionFields(listing_.files, stated_));
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (stored_->GetFieldIndex(all[i]->name()) >= 0) continue;  // the file's own column says more
      partitions_.push_back(all[i]);
      partition_place_.push_back(i);
    }
    return {};
  }

  // After mapping, every name is there once, and every mapped column exists.
  Result<void> CheckNames() {
    arrow::FieldVector fields = stored_->fields();
    fields.insert(fields.end(), partitions_.begin(), partitions_.end());
    const auto before = arrow::schema(std::move(fields));
    const std::string& file = listing_.files.front().file.path;
    for (const auto& [stored, mapped] : definition_.field_mapping) {
      if (before->GetFieldIndex(stored) < 0) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("the field mapping names a column '{}' that {} does not have; it "
                                "has {}",
                                stored, file, fmt::join(before->field_names(), ", ")));
      }
    }
    schema_ = Renamed(definition_, *before);
    for (int i = 0; i < schema_->num_fields(); ++i) {
      const std::string& name = schema_->field(i)->name();
      if (schema_->GetAllFieldIndices(name).size() > 1) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("after the field mapping two columns of {} are named '{}'", file, name));
      }
    }
    return {};
  }

  Result<std::unique_ptr<Source>> Assemble() {
    const int stored_count = stored_->num_fields();
    std::vector<SourceFile> files;
    std::vector<OpenedFile> opened;
    for (std::size_t i = 0; i < data_.size(); ++i) {
      OpenedFile file;
      for (const auto& field : stored_->fields())
        file.column_of.push_back(data_[i]->schema()->GetFieldIndex(field->name()));
      file.column_of.resize(static_cast<std::size_t>(schema_->num_fields()), -1);
      file.constant_of.resize(static_cast<std::size_t>(stored_count));
      for (int column = 0; column < stored_count; ++column) {
        const auto place = static_cast<std::size_t>(column);
        if (file.column_of[place] < 0)
          file.constant_of[place] = arrow::MakeNullScalar(stored_->field(column)->type());
      }
      for (std::size_t p = 0; p < partitions_.size(); ++p) {
        const PartitionValue& partition = listing_.files[i].partitions[partition_place_[p]];
        TM_ASSIGN(auto constant, PartitionScalar(partition, partitions_[p]->type()));
        file.constant_of.push_back(std::move(constant));
      }
      file.data = std::move(data_[i]);
      opened.push_back(std::move(file));
      files.push_back(std::move(listing_.files[i].file));
    }
    return std::make_unique<FilesSource>(schema_, std::move(files), std::move(opened), options_);
  }

  const BatchSource& definition_;
  const FileSourceOptions& options_;
  FileListing listing_;
  bool may_miss_ = false;  // a file need not have all columns
  std::vector<std::unique_ptr<DataFile>> data_;
  std::vector<std::shared_ptr<arrow::Schema>> schemas_;
  std::shared_ptr<arrow::Schema> stored_;     // of the files, by their own names
  StatedTypes stated_;                        // by the name in the files
  arrow::FieldVector partitions_;             // columns from folders
  std::vector<std::size_t> partition_place_;  // of each among a file's folders
  std::shared_ptr<arrow::Schema> schema_;     // of the source
};

Result<std::filesystem::path> PathOf(const BatchSource& definition,
                                     const std::filesystem::path& store_folder) {
  if (definition.path.empty()) return Fail(ErrorCode::kInvalidArgument, "the source has no path");
  TM_TRY(CheckIsPath(definition.path));
  const std::filesystem::path path(definition.path);
  std::error_code failed;
  const auto absolute = std::filesystem::absolute(path.is_absolute() ? path : store_folder / path, failed);
  if (failed)
    return Fail(ErrorCode::kIo,
                fmt::format("cannot find the path {}: {}", definition.path, failed.message()));
  return absolute.lexically_normal();
}

}  // namespace

Result<std::unique_ptr<Source>> OpenFileSource(const BatchSource& definition,
                                               const std::filesystem::path& store_folder,
                                               const FileSourceOptions& options) {
  TM_ASSIGN(const auto path, PathOf(definition, store_folder));
  return Opening(definition, options).Run(path);
}

Result<std::unique_ptr<Source>> OpenListedFiles(const BatchSource& definition, FileListing listing,
                                                const FileSourceOptions& options) {
  return Opening(definition, options).RunListed(std::move(listing));
}

Result<FileSourceLayout> FindFileSourceLayout(const BatchSource& definition,
                                              const std::filesystem::path& store_folder,
                                              const FileSourceOptions& options) {
  TM_ASSIGN(const auto path, PathOf(definition, store_folder));
  return Opening(definition, options).Layout(path);
}

Result<std::vector<SourceFile>> ListSourceFiles(const BatchSource& definition,
                                                const std::filesystem::path& store_folder) {
  TM_ASSIGN(const auto path, PathOf(definition, store_folder));
  TM_ASSIGN(FileListing listing, ListFiles(path, definition.format));
  std::vector<SourceFile> files;
  for (ListedFile& listed : listing.files)
    files.push_back(std::move(listed.file));
  return files;
}

}  // namespace tidemark
