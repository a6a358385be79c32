// Flat columns are read by flat_column.h, all others (nested ones, decimals, narrow integers) by
// parquet::arrow.
#include "adapters/parquet/parquet_file.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include <algorithm>
#include <utility>

#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/flat_column.h"
#include "adapters/parquet/parquet_ranges.h"
#include "base/check.h"
#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

// Rows of a batch: its columns are still in the second-level cache when they are used.
constexpr std::int64_t kScanRows = 16 * 1024;

// A column of the file: its leaves in the Parquet schema, and whether flat_column.h reads it.
struct FileColumn {
  bool flat = false;
  std::int32_t field_id = -1;
  std::vector<int> leaves;
};

struct Contents {
  std::shared_ptr<parquet::FileMetaData> metadata;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<FileColumn> columns;
  std::vector<FilePart> parts;
};

parquet::ReaderProperties PageProperties(bool is_checked) {
  parquet::ReaderProperties properties(BufferPool());
  properties.set_page_checksum_verification(!is_checked);
  // Without it a whole column chunk is read at once.
  properties.enable_buffered_stream();
  properties.set_buffer_size(256 * 1024);
  return properties;
}

parquet::ArrowReaderProperties ArrowProperties() {
  parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_batch_size(kBatchRows);
  properties.set_pre_buffer(false);
  // The old 12-byte timestamps; as nanoseconds they would overflow outside of the years 1678 to 2262.
  properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  return properties;
}

// parquet::arrow on some columns of one row group, in batches of kBatchRows.
class NestedColumns {
 public:
  NestedColumns(const Contents& contents, std::span<const int> columns, int row_group,
                const std::shared_ptr<arrow::io::RandomAccessFile>& file, bool is_checked) {
    std::vector<int> leaves;
    std::vector<int> ordered(columns.begin(), columns.end());
    std::ranges::sort(ordered);
    for (const int column : ordered) {
      const auto& own = contents.columns[static_cast<std::size_t>(column)].leaves;
      leaves.insert(leaves.end(), own.begin(), own.end());
    }
    parquet::arrow::FileReaderBuilder builder;
    builder.memory_pool(BufferPool());
    PARQUET_THROW_NOT_OK(builder.Open(file, PageProperties(is_checked), contents.metadata));
    builder.properties(ArrowProperties());
    PARQUET_ASSIGN_OR_THROW(file_, builder.Build());
    PARQUET_ASSIGN_OR_THROW(batches_, file_->GetRecordBatchReader({row_group}, leaves));
    for (const int column : columns) {
      place_.push_back(static_cast<int>(std::ranges::lower_bound(ordered, column) - ordered.begin()));
    }
  }

  // The next `rows` rows, in the order of the columns that were asked for.
  arrow::ArrayVector Read(std::int64_t rows) {
    std::vector<arrow::ArrayVector> pieces(place_.size());
    for (std::int64_t done = 0; done < rows;) {
      if (batch_ == nullptr || used_ == batch_->num_rows()) {
        PARQUET_THROW_NOT_OK(batches_->ReadNext(&batch_));
        if (batch_ == nullptr) throw parquet::ParquetException("a column ends before its row group does");
        used_ = 0;
      }
      const std::int64_t some = std::min(rows - done, batch_->num_rows() - used_);
      for (std::size_t i = 0; i < place_.size(); ++i) {
        pieces[i].push_back(batch_->column(place_[i])->Slice(used_, some));
      }
      used_ += some;
      done += some;
    }
    arrow::ArrayVector out;
    for (arrow::ArrayVector& piece : pieces)
      out.push_back(Join(piece));
    return out;
  }

 private:
  static std::shared_ptr<arrow::Array> Join(const arrow::ArrayVector& pieces) {
    if (pieces.size() == 1) return pieces.front();
    PARQUET_ASSIGN_OR_THROW(auto joined, arrow::Concatenate(pieces, BufferPool()));
    return joined;
  }

  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::int64_t used_ = 0;   // rows of batch_ that were handed over
  std::vector<int> place_;  // of the asked columns among those of the batch
};

// Some columns of one row group, of both kinds.
class RowGroup {
 public:
  RowGroup(const Contents& contents, int row_group, std::span<const int> columns,
           const std::shared_ptr<arrow::io::RandomAccessFile>& file, bool is_checked)
      : width_(columns.size()) {
    std::vector<int> nested;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const FileColumn& column = contents.columns[static_cast<std::size_t>(columns[i])];
      if (column.flat) {
        flat_.push_back(FlatColumn::Open(*contents.metadata, row_group, column.leaves.front(),
                                         contents.schema->field(columns[i])->type(), file, is_checked));
        flat_place_.push_back(i);
      } else {
        nested.push_back(columns[i]);
        nested_place_.push_back(i);
      }
    }
    if (!nested.empty())
      nested_ = std::make_unique<NestedColumns>(contents, nested, row_group, file, is_checked);
  }

  arrow::ArrayVector Read(std::int64_t rows) {
    arrow::ArrayVector out(width_);
    for (std::size_t i = 0; i < flat_.size(); ++i)
      out[flat_place_[i]] = flat_[i]->Read(rows);
    if (nested_ != nullptr) Place(nested_->Read(rows), out);
    return out;
  }

  /// Called once, instead of Read.
  arrow::ArrayVector Take(std::span<const std::int64_t> rows) {
    arrow::ArrayVector out(width_);
    for (std::size_t i = 0; i < flat_.size(); ++i) {
      out[flat_place_[i]] = flat_[i]->Take(rows);
      flat_[i].reset();  // the next one takes its buffers, which are in the caches
    }
    if (nested_ != nullptr) Place(TakeNested(rows), out);
    return out;
  }

 private:
  void Place(arrow::ArrayVector nested, arrow::ArrayVector& out) const {
    for (std::size_t i = 0; i < nested.size(); ++i)
      out[nested_place_[i]] = std::move(nested[i]);
  }

  arrow::ArrayVector TakeNested(std::span<const std::int64_t> rows) {
    std::vector<arrow::ArrayVector> picked(nested_place_.size());
    std::int64_t position = 0;
    for (std::size_t at = 0; at < rows.size();) {
      // Batches without a wanted row are decoded too: nested columns cannot be skipped by rows.
      while (rows[at] >= position + kBatchRows) {
        nested_->Read(kBatchRows);
        position += kBatchRows;
      }
      std::size_t end = at + 1;
      while (end < rows.size() && rows[end] < position + kBatchRows)
        ++end;
      const std::int64_t length = rows[end - 1] - position + 1;
      arrow::Int64Builder indices;
      for (; at < end; ++at)
        PARQUET_THROW_NOT_OK(indices.Append(rows[at] - position));
      PARQUET_ASSIGN_OR_THROW(const auto wanted, indices.Finish());
      const arrow::ArrayVector window = nested_->Read(length);
      position += length;
      for (std::size_t i = 0; i < window.size(); ++i) {
        PARQUET_ASSIGN_OR_THROW(
            auto taken,
            arrow::compute::Take(*window[i], *wanted, arrow::compute::TakeOptions::NoBoundsCheck()));
        picked[i].push_back(std::move(taken));
      }
    }
    arrow::ArrayVector out;
    for (const arrow::ArrayVector& pieces : picked) {
      PARQUET_ASSIGN_OR_THROW(auto joined, arrow::Concatenate(pieces, BufferPool()));
      out.push_back(std::move(joined));
    }
    return out;
  }

  const std::size_t width_;
  std::vector<std::unique_ptr<FlatColumn>> flat_;
  std::vector<std::size_t> flat_place_;
  std::unique_ptr<NestedColumns> nested_;
  std::vector<std::size_t> nested_place_;
};

// Notices when a file of somebody else changes.
class UnchangedBytes final : public FileBytes {
 public:
  explicit UnchangedBytes(SourceFile file) : file_(std::move(file)) {}
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> Open() const override { return OpenUnchanged(file_); }
  Result<void> Judge(Result<void> outcome) const override { return UnlessChanged(file_, std::move(outcome)); }

 private:
  const SourceFile file_;
};

class RowGroups final : public ParquetFile {
 public:
  RowGroups(std::unique_ptr<const FileBytes> bytes, Contents contents)
      : bytes_(std::move(bytes)), contents_(std::move(contents)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return contents_.schema; }
  Result<std::span<const FilePart>> Parts() const override { return contents_.parts; }
  bool columns_apart() const override { return true; }
  std::int32_t FieldId(int column) const override {
    return contents_.columns[static_cast<std::size_t>(column)].field_id;
  }
  const parquet::FileMetaData& footer() const override { return *contents_.metadata; }

  std::optional<ColumnRange> Range(std::size_t part, int column) const override {
    const FileColumn& own = contents_.columns[static_cast<std::size_t>(column)];
    if (own.leaves.size() != 1) return std::nullopt;
    try {
      const auto group = contents_.metadata->RowGroup(static_cast<int>(part));
      return RangeOf(*group->ColumnChunk(own.leaves.front()), *contents_.schema->field(column)->type());
    } catch (const parquet::ParquetException&) {
      // Statistics that cannot be read bound nothing: the part is read instead of skipped.
      return std::nullopt;
    }
  }

  Result<void> Scan(std::size_t part, std::span<const int> columns, const Sink& sink) const override {
    TM_ASSIGN(const auto opened, bytes_->Open());
    const auto scan = [&]() -> Result<void> {
      RowGroup group(contents_, static_cast<int>(part), columns, opened, bytes_->are_checked());
      const std::int64_t rows = contents_.parts[part].rows;
      for (std::int64_t first = 0; first < rows; first += kScanRows) {
        const std::int64_t some = std::min(kScanRows, rows - first);
        TM_TRY(sink(group.Read(some), some, first));
      }
      return {};
    };
    return bytes_->Judge(Guarded(ErrorCode::kCorruption, scan));
  }

  Result<arrow::ArrayVector> Take(std::size_t part, std::span<const int> columns,
                                  std::span<const std::int64_t> rows) const override {
    TM_ASSIGN(const auto opened, bytes_->Open());
    arrow::ArrayVector taken;
    const auto take = [&]() -> Result<void> {
      for (std::size_t i = 0; rows.empty() && i < columns.size(); ++i) {
        TM_ASSIGN_ARROW(auto none, arrow::MakeEmptyArray(contents_.schema->field(columns[i])->type()),
                        ErrorCode::kInternal);
        taken.push_back(std::move(none));
      }
      if (rows.empty()) return {};
      taken = RowGroup(contents_, static_cast<int>(part), columns, opened, bytes_->are_checked()).Take(rows);
      return {};
    };
    TM_TRY(bytes_->Judge(Guarded(ErrorCode::kCorruption, take)));
    return taken;
  }

 private:
  const std::unique_ptr<const FileBytes> bytes_;
  const Contents contents_;
};

void AddLeaves(const parquet::arrow::SchemaField& field, std::vector<int>& leaves) {
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children)
    AddLeaves(child, leaves);
}

Contents Describe(std::shared_ptr<parquet::FileMetaData> footer) {
  Contents contents;
  contents.metadata = std::move(footer);
  parquet::arrow::SchemaManifest manifest;
  PARQUET_THROW_NOT_OK(parquet::arrow::SchemaManifest::Make(
      contents.metadata->schema(), contents.metadata->key_value_metadata(), ArrowProperties(), &manifest));
  arrow::FieldVector fields;
  const parquet::schema::GroupNode& root = *contents.metadata->schema()->group_node();
  for (const parquet::arrow::SchemaField& field : manifest.schema_fields) {
    FileColumn column;
    column.field_id = root.field(static_cast<int>(contents.columns.size()))->field_id();
    AddLeaves(field, column.leaves);
    std::shared_ptr<arrow::DataType> type = field.field->type();
    if (column.leaves.size() == 1) {
      const auto* const descriptor = contents.metadata->schema()->Column(column.leaves.front());
      if (auto flat = FlatColumnType(*descriptor, type)) {
        column.flat = true;
        type = std::move(flat);
      }
    }
    fields.push_back(arrow::field(field.field->name(), std::move(type)));
    contents.columns.push_back(std::move(column));
  }
  contents.schema = arrow::schema(std::move(fields));
  std::int64_t first = 0;
  for (int i = 0; i < contents.metadata->num_row_groups(); ++i) {
    const std::int64_t rows = contents.metadata->RowGroup(i)->num_rows();
    if (rows < 0) throw parquet::ParquetException("a row group with a negative number of rows");
    contents.parts.push_back({first, rows});
    first += rows;
  }
  return contents;
}

}  // namespace

Result<std::unique_ptr<ParquetFile>> OpenParquetFile(std::unique_ptr<const FileBytes> bytes,
                                                     std::shared_ptr<parquet::FileMetaData> footer) {
  Contents contents;
  const auto open = [&]() -> Result<void> {
    if (footer == nullptr) {
      TM_ASSIGN(const auto opened, bytes->Open());
      footer = parquet::ReadMetaData(opened);
    }
    contents = Describe(std::move(footer));
    return {};
  };
  TM_TRY(bytes->Judge(Guarded(ErrorCode::kCorruption, open)));
  return std::make_unique<RowGroups>(std::move(bytes), std::move(contents));
}

Result<std::unique_ptr<ParquetFile>> OpenParquetFile(const SourceFile& file) {
  if (file.size == 0)
    return Fail(ErrorCode::kCorruption, "the file is empty (0 bytes), so it is not Parquet");
  return OpenParquetFile(std::make_unique<UnchangedBytes>(file), nullptr);
}

}  // namespace tidemark
