#include "adapters/iceberg/parquet_writer.h"

#include <arrow/io/interfaces.h>
#include <arrow/util/key_value_metadata.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <utility>

#include "adapters/iceberg/block_checksums.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/single_value.h"
#include "adapters/parquet/encoding_choice.h"
#include "base/crc32c.h"
#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

// Written bytes go to the file and into the checksums: those of the blocks until the footer begins, that of
// the footer from then on.
class ChecksumStream final : public arrow::io::OutputStream {
 public:
  static constexpr std::size_t kTailBytes = 8;  // the footer's length, and "PAR1"

  explicit ChecksumStream(fs::path path) : path_(std::move(path)) {}
  ~ChecksumStream() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Result<void> Open() {
    descriptor_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (descriptor_ < 0) return std::unexpected(SystemError("make", path_, errno));
    return {};
  }

  Result<void> Sync() {
    if (::fsync(descriptor_) != 0) return std::unexpected(SystemError("sync", path_, errno));
    return {};
  }

  void BeginFooter() { in_footer_ = true; }
  const BlockChecksums& blocks() const { return blocks_; }
  std::uint32_t footer_crc() const { return footer_crc_; }
  std::int64_t size() const { return size_; }
  /// Where the footer begins, as the file's end says.
  std::int64_t footer_start() const {
    std::uint32_t length = 0;
    if (tail_.size() == kTailBytes) std::memcpy(&length, tail_.data(), sizeof(length));
    return size_ - static_cast<std::int64_t>(kTailBytes + length);
  }

  arrow::Status Write(const void* data, std::int64_t bytes) override {
    const std::string_view all(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
    if (in_footer_) {
      footer_crc_ = Crc32c(std::as_bytes(std::span(all)), footer_crc_);
      tail_ += all;
      if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
    } else {
      blocks_.Add(all);
    }
    for (std::string_view rest = all; !rest.empty();) {
      const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ToStatus(SystemError("write", path_, errno));
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    size_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override { return size_; }
  arrow::Status Close() override { return arrow::Status::OK(); }  // by the destructor
  bool closed() const override { return false; }

 private:
  const fs::path path_;
  int descriptor_ = -1;
  BlockChecksums blocks_;
  std::uint32_t footer_crc_ = 0;
  std::string tail_;
  std::int64_t size_ = 0;
  bool in_footer_ = false;
};

/// Calls `work`, which returns an arrow::Status and may throw what Parquet throws.
template <typename Work>
Result<void> Guarded(const Work& work) {
  try {
    return FromArrowStatus(work());
  } catch (const parquet::ParquetStatusException& error) {
    return std::unexpected(FromStatus(error.status()));
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInternal, fmt::format("Parquet cannot write a data file: {}", error.what()));
  }
}

std::shared_ptr<parquet::WriterProperties> FileProperties(const arrow::Table& first_rows) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(BufferPool());
  builder.version(parquet::ParquetVersion::PARQUET_2_6);
  builder.compression(parquet::Compression::ZSTD);
  builder.max_row_group_length(kRowGroupRows);
  builder.enable_page_checksum();
  builder.enable_store_decimal_as_integer();
  builder.disable_write_page_index();  // it would come between the columns and the footer
  builder.created_by("tidemark");
  for (int i = 0; i < first_rows.num_columns(); ++i) {
    const arrow::ChunkedArray& column = *first_rows.column(i);
    if (column.num_chunks() == 0) continue;
    // Any piece tells enough.
    const arrow::Array& piece =
        **std::ranges::max_element(column.chunks(), {}, [](const auto& chunk) { return chunk->length(); });
    const std::string& name = first_rows.field(i)->name();
    if (StepsPay(piece)) {
      builder.disable_dictionary(name);
      builder.encoding(name, parquet::Encoding::DELTA_BINARY_PACKED);
      builder.compression(name, parquet::Compression::UNCOMPRESSED);
      continue;
    }
    if (!DictionaryPays(piece) && !HasRuns(piece)) builder.disable_dictionary(name);
    if (!CompressionPays(piece, arrow::Compression::ZSTD))
      builder.compression(name, parquet::Compression::UNCOMPRESSED);
  }
  return builder.build();
}

// What the chunks of one leaf say, put together.
struct LeafMetrics {
  std::int64_t bytes = 0;
  std::int64_t values = 0;
  std::int64_t nulls = 0;
  bool has_nulls = true;  // every chunk says how many
  bool has_bounds = true;
  std::optional<ChunkBounds> bounds;
};

void AddChunk(const parquet::ColumnChunkMetaData& chunk, const SchemaField& field, LeafMetrics& metrics) {
  metrics.bytes += chunk.total_compressed_size();
  metrics.values += chunk.num_values();
  const auto statistics = chunk.statistics();
  if (statistics == nullptr || !statistics->HasNullCount()) {
    metrics.has_nulls = metrics.has_bounds = false;
    return;
  }
  metrics.nulls += statistics->null_count();
  if (statistics->null_count() == chunk.num_values()) return;  // only nulls: no bounds to widen
  auto bounds = BoundsOf(*statistics, field);
  if (!bounds) {
    metrics.has_bounds = false;
  } else if (!metrics.bounds) {
    metrics.bounds = std::move(bounds);
  } else {
    metrics.bounds->lower = LesserBound(field, metrics.bounds->lower, bounds->lower);
    metrics.bounds->upper = GreaterBound(field, metrics.bounds->upper, bounds->upper);
  }
}

void AddMetrics(const parquet::FileMetaData& metadata, const Schema& schema, DataFile& file) {
  std::map<std::int32_t, SchemaField> bounded;
  for (const SchemaField& field : schema.fields)
    VisitBounded(field, [&](const SchemaField& leaf) { bounded[leaf.id] = leaf; });
  for (int column = 0; column < metadata.num_columns(); ++column) {
    const std::int32_t id = metadata.schema()->Column(column)->schema_node()->field_id();
    const auto field = bounded.find(id);
    LeafMetrics metrics;
    for (int group = 0; group < metadata.num_row_groups(); ++group) {
      const auto chunk = metadata.RowGroup(group)->ColumnChunk(column);
      if (field != bounded.end()) {
        AddChunk(*chunk, field->second, metrics);
      } else {
        metrics.bytes += chunk->total_compressed_size();
      }
    }
    file.column_sizes.emplace_back(id, metrics.bytes);
    if (field == bounded.end()) continue;
    file.value_counts.emplace_back(id, metrics.values);
    if (metrics.has_nulls) file.null_counts.emplace_back(id, metrics.nulls);
    if (!metrics.has_bounds || !metrics.bounds) continue;
    file.lower_bounds.emplace_back(id, metrics.bounds->lower);
    file.upper_bounds.emplace_back(id, metrics.bounds->upper);
  }
  for (int group = 0; group < metadata.num_row_groups(); ++group)
    file.split_offsets.push_back(metadata.RowGroup(group)->file_offset());
  file.rows = metadata.num_rows();
}

std::string RandomStem() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

class Writer final : public DataFileWriter {
 public:
  Writer(fs::path folder, Schema schema)
      : folder_(std::move(folder)),
        schema_(std::move(schema)),
        stem_(RandomStem()),
        path_(folder_ / (stem_ + ".unfinished")),
        stream_(std::make_shared<ChecksumStream>(path_)) {}

  ~Writer() override {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Result<void> Open(const arrow::Table& first_rows) {
    TM_TRY(stream_->Open());
    return Guarded([&]() -> arrow::Status {
      parquet::ArrowWriterProperties::Builder arrow_properties;
      arrow_properties.enable_compliant_nested_types();
      return parquet::arrow::FileWriter::Open(*first_rows.schema(), BufferPool(), stream_,
                                              FileProperties(first_rows), arrow_properties.build())
          .Value(&writer_);
    });
  }

  Result<void> Write(const arrow::Table& rows) override {
    return Guarded([&] { return writer_->WriteTable(rows, kRowGroupRows); });
  }

  std::int64_t bytes() const override { return stream_->size(); }

  Result<WrittenFile> Finish() override {
    const std::int64_t footer_at = stream_->size();
    TM_TRY(Guarded([&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(writer_->AddKeyValueMetadata(
          arrow::key_value_metadata({std::string(kBlocksKey)}, {stream_->blocks().ToString()})));
      stream_->BeginFooter();
      return writer_->Close();
    }));
    const auto metadata = writer_->metadata();
    // Nothing but the footer and its length may have been written since.
    if (stream_->footer_start() != footer_at)
      return Fail(ErrorCode::kInternal, "Parquet wrote more than a footer when it ended a data file");
    TM_TRY(stream_->Sync());
    WrittenFile written;
    written.path = folder_ / ChecksumName(stem_, stream_->footer_crc(), ".parquet");
    if (::rename(path_.c_str(), written.path.c_str()) != 0)
      return std::unexpected(SystemError("name", written.path, errno));
    path_.clear();
    written.file.location = ToLocation(written.path);
    written.file.bytes = stream_->size();
    TM_TRY(Guarded([&] {
      AddMetrics(*metadata, schema_, written.file);
      return arrow::Status::OK();
    }));
    return written;
  }

 private:
  const fs::path folder_;
  const Schema schema_;
  const std::string stem_;
  fs::path path_;  // empty once the file has its name
  std::shared_ptr<ChecksumStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

}  // namespace

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(const fs::path& folder, const Schema& schema,
                                                             const arrow::Table& first_rows) {
  auto writer = std::make_unique<Writer>(folder, schema);
  TM_TRY(writer->Open(first_rows));
  return writer;
}

}  // namespace tidemark::iceberg
