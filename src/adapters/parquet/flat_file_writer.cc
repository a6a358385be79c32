// Columns of words are encoded by word_column.h, all others by Parquet's own writers of columns.
#include "adapters/parquet/flat_file_writer.h"

#include <arrow/ipc/writer.h>
#include <arrow/util/base64.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/word_column.h"
#include "base/parallel.h"
#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

constexpr std::string_view kMagic = "PAR1";

bool IsFlat(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::DECIMAL128:
    case arrow::Type::TIMESTAMP:
      return true;
    default:
      return IsOfWordsInParquet(type);
  }
}

/// What Arrow's own writer puts into a footer, so that the types are those that were written.
arrow::Result<std::shared_ptr<const arrow::KeyValueMetadata>> FooterMetadata(const arrow::Schema& schema) {
  auto metadata = schema.metadata() != nullptr
                      ? schema.metadata()->Copy()
                      : arrow::key_value_metadata(std::vector<std::string>{}, std::vector<std::string>{});
  ARROW_ASSIGN_OR_RAISE(const auto bytes, arrow::ipc::SerializeSchema(schema));
  metadata->Append("ARROW:schema", arrow::util::base64_encode(bytes->ToString()));
  return metadata;
}

/// One column of the row group that is being written.
struct FlatColumnChunk {
  parquet::ColumnChunkMetaDataBuilder* metadata = nullptr;
  arrow::ArrayVector pieces;
  ColumnBytes words;                              // if it is of words
  std::shared_ptr<parquet::ColumnWriter> writer;  // if it is not
  bool is_encoded = false;
};

/// Parquet states numbers of row groups and columns where they fit; -1 states none.
std::int16_t Ordinal(int number) {
  return static_cast<std::int16_t>(number <= std::numeric_limits<std::int16_t>::max() ? number : -1);
}

/// 0 for nulls, 1 for values.
std::vector<std::int16_t> LevelsOf(const arrow::Array& values) {
  std::vector<std::int16_t> levels(static_cast<std::size_t>(values.length()), 1);
  if (values.null_count() == 0) return levels;
  for (std::int64_t row = 0; row < values.length(); ++row)
    levels[static_cast<std::size_t>(row)] = values.IsValid(row) ? 1 : 0;
  return levels;
}

/// A file that is being written.
struct FlatFile {
  bool IsOfWords(int column) const {
    return IsOfWordsInParquet(*schema->field(column)->type()) &&
           !properties->dictionary_enabled(parquet_schema->Column(column)->path());
  }

  arrow::Status EncodeOthers(int column, FlatColumnChunk& chunk) {
    const auto& path = parquet_schema->Column(column)->path();
    chunk.writer = parquet::ColumnWriter::Make(
        chunk.metadata,
        parquet::PageWriter::Open(output, properties->compression(path), chunk.metadata, Ordinal(row_groups),
                                  Ordinal(column), BufferPool(),
                                  /*buffered_row_group=*/true, nullptr, nullptr,
                                  properties->page_checksum_enabled()),
        properties.get());
    parquet::ArrowWriteContext context(BufferPool(), arrow_properties.get());
    const bool is_nullable = schema->field(column)->nullable();
    for (const auto& piece : chunk.pieces) {
      if (!is_nullable && piece->null_count() > 0) {
        return arrow::Status::Invalid("column '", schema->field(column)->name(),
                                      "' is declared without nulls and has some");
      }
      const std::vector<std::int16_t> levels = is_nullable ? LevelsOf(*piece) : std::vector<std::int16_t>{};
      ARROW_RETURN_NOT_OK(chunk.writer->WriteArrow(is_nullable ? levels.data() : nullptr, nullptr,
                                                   piece->length(), *piece, &context, is_nullable));
    }
    return arrow::Status::OK();
  }

  arrow::Status Encode(int column, FlatColumnChunk& chunk) {
    if (!IsOfWords(column)) return EncodeOthers(column, chunk);
    const parquet::ColumnDescriptor& place = *parquet_schema->Column(column);
    return EncodeWords(chunk.pieces, place, properties->compression(place.path())).Value(&chunk.words);
  }

  /// Puts an encoded column behind those before it. Returns its bytes, as if they were not compressed.
  arrow::Result<std::int64_t> Place(FlatColumnChunk& chunk, std::int64_t rows) {
    if (chunk.writer != nullptr) {
      const std::int64_t bytes = chunk.writer->Close();
      chunk.writer.reset();
      return bytes;
    }
    ARROW_ASSIGN_OR_RAISE(const std::int64_t place, output->Tell());
    ARROW_RETURN_NOT_OK(output->Write(chunk.words.pages));
    chunk.metadata->SetStatistics(chunk.words.statistics);
    chunk.metadata->Finish(rows, /*dictionary_page_offset=*/0, /*index_page_offset=*/-1, place,
                           chunk.words.pages->size(), chunk.words.uncompressed_bytes,
                           /*has_dictionary=*/false, /*dictionary_fallback=*/false, {},
                           {{parquet::Encoding::PLAIN, chunk.words.page_count}});
    chunk.words.pages.reset();
    return chunk.words.uncompressed_bytes;
  }

  std::shared_ptr<arrow::Schema> schema;
  std::shared_ptr<parquet::SchemaDescriptor> parquet_schema;
  std::shared_ptr<arrow::io::OutputStream> output;
  std::shared_ptr<parquet::WriterProperties> properties;
  std::shared_ptr<parquet::ArrowWriterProperties> arrow_properties;
  std::shared_ptr<const arrow::KeyValueMetadata> footer_metadata;
  std::unique_ptr<parquet::FileMetaDataBuilder> metadata;
  std::size_t threads = 1;
  int row_groups = 0;
};

/// The columns of one row group: encoded on several threads, put into the file in order as they come.
class FlatRowGroup {
 public:
  FlatRowGroup(FlatFile& file, arrow::RecordBatchVector batches)
      : file_(file),
        metadata_(*file.metadata->AppendRowGroup()),
        chunks_(static_cast<std::size_t>(file.schema->num_fields())) {
    for (const auto& batch : batches)
      rows_ += batch->num_rows();
    metadata_.set_num_rows(rows_);
    for (std::size_t column = 0; column < chunks_.size(); ++column) {
      chunks_[column].metadata = metadata_.NextColumnChunk();
      for (const auto& batch : batches)
        chunks_[column].pieces.push_back(batch->column(static_cast<int>(column)));
    }
    batches.clear();  // an argument lives as long as the call, and columns are let go as they are encoded
  }

  arrow::Status Write() {
    const auto ended = ParallelFor(chunks_.size(), file_.threads, {},
                                   [this](std::size_t column, std::size_t) -> Result<void> {
                                     WriteColumn(column);
                                     return {};
                                   });
    if (!ended) return arrow::Status::UnknownError(ended.error().ToString());
    ARROW_RETURN_NOT_OK(status_);
    metadata_.Finish(bytes_, Ordinal(file_.row_groups++));
    return arrow::Status::OK();
  }

 private:
  /// On a thread of several, where an exception would end the process.
  void WriteColumn(std::size_t column) {
    FlatColumnChunk& chunk = chunks_[column];
    arrow::Status encoded = WithoutExceptions([&] { return file_.Encode(static_cast<int>(column), chunk); });
    chunk.pieces.clear();
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = std::move(encoded);
    chunk.is_encoded = true;
    while (status_.ok() && placed_ < chunks_.size() && chunks_[placed_].is_encoded)
      status_ = WithoutExceptions([&] { return PlaceNext(); });
  }

  arrow::Status PlaceNext() {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes, file_.Place(chunks_[placed_], rows_));
    bytes_ += bytes;
    ++placed_;
    return arrow::Status::OK();
  }

  FlatFile& file_;
  parquet::RowGroupMetaDataBuilder& metadata_;
  std::vector<FlatColumnChunk> chunks_;
  std::int64_t rows_ = 0;
  std::mutex mutex_;  // guards those below, what is_encoded says, and the file
  arrow::Status status_;
  std::size_t placed_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace

struct FlatFileWriter::Impl {
  FlatFile file;
};

FlatFileWriter::FlatFileWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FlatFileWriter::~FlatFileWriter() = default;

bool FlatFileWriter::Takes(const arrow::Schema& schema) {
  return std::ranges::all_of(schema.fields(), [](const auto& field) { return IsFlat(*field->type()); });
}

arrow::Result<std::unique_ptr<FlatFileWriter>> FlatFileWriter::Open(
    const std::shared_ptr<arrow::Schema>& schema, std::shared_ptr<arrow::io::OutputStream> output,
    std::shared_ptr<parquet::WriterProperties> properties, std::size_t threads) {
  auto impl = std::make_unique<Impl>();
  FlatFile& file = impl->file;
  file.schema = schema;
  file.output = std::move(output);
  file.properties = std::move(properties);
  file.arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  file.threads = threads;
  ARROW_RETURN_NOT_OK(parquet::arrow::ToParquetSchema(schema.get(), *file.properties, *file.arrow_properties,
                                                      &file.parquet_schema));
  ARROW_ASSIGN_OR_RAISE(file.footer_metadata, FooterMetadata(*schema));
  file.metadata = parquet::FileMetaDataBuilder::Make(file.parquet_schema.get(), file.properties);
  ARROW_RETURN_NOT_OK(file.output->Write(kMagic));
  return std::unique_ptr<FlatFileWriter>(new FlatFileWriter(std::move(impl)));
}

arrow::Status FlatFileWriter::WriteRowGroup(arrow::RecordBatchVector batches) {
  std::erase_if(batches, [](const auto& batch) { return batch->num_rows() == 0; });
  if (batches.empty()) return arrow::Status::OK();
  return FlatRowGroup(impl_->file, std::move(batches)).Write();
}

arrow::Status FlatFileWriter::Close() {
  const auto metadata = impl_->file.metadata->Finish(impl_->file.footer_metadata);
  parquet::WriteFileMetaData(*metadata, impl_->file.output.get());
  return arrow::Status::OK();
}

}  // namespace tidemark
