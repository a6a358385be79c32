#include "adapters/iceberg/avro_file.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "adapters/iceberg/inflate.h"

namespace tidemark::iceberg {
namespace {

constexpr std::string_view kAvroMagic{"Obj\1", 4};
constexpr std::size_t kSyncBytes = 16;
constexpr std::size_t kAvroBlockBytes = std::size_t{64} << 10;

std::unexpected<Error> Broken(std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("it is no whole Avro file: {}", what));
}

std::string RandomSync() {
  std::random_device random;
  std::string sync;
  while (sync.size() < kSyncBytes)
    sync.push_back(static_cast<char>(random()));
  return sync;
}

}  // namespace

AvroFileWriter::AvroFileWriter(AvroMetadata metadata) : sync_(RandomSync()) {
  metadata["avro.codec"] = "null";
  AvroEncoder header;
  header.Raw(kAvroMagic);
  header.Int(static_cast<std::int64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    header.Bytes(key);
    header.Bytes(value);
  }
  header.Int(0);
  header.Raw(sync_);
  bytes_ = header.Take();
}

void AvroFileWriter::EndRow() {
  ++block_rows_;
  if (block_.bytes().size() >= kAvroBlockBytes) EndBlock();
}

void AvroFileWriter::EndBlock() {
  if (block_rows_ == 0) return;
  AvroEncoder head;
  head.Int(std::exchange(block_rows_, 0));
  const std::string rows = block_.Take();
  block_ = AvroEncoder();
  head.Bytes(rows);
  head.Raw(sync_);
  bytes_ += head.bytes();
}

std::string AvroFileWriter::Finish() {
  EndBlock();
  return std::move(bytes_);
}

Result<AvroFile> OpenAvroFile(std::string_view bytes) {
  if (!bytes.starts_with(kAvroMagic)) return Broken("it does not begin with Obj");
  AvroDecoder decoder(bytes.substr(kAvroMagic.size()));
  AvroFile file;
  TM_TRY(decoder.Array([&]() -> Result<void> {
    TM_ASSIGN(const std::string_view key, decoder.Bytes());
    TM_ASSIGN(const std::string_view value, decoder.Bytes());
    file.metadata.emplace(key, value);
    return {};
  }));
  TM_ASSIGN(file.sync, decoder.Fixed(kSyncBytes));
  file.blocks = decoder.rest();
  const auto schema = file.metadata.find("avro.schema");
  if (schema == file.metadata.end()) return Broken("it has no schema");
  file.schema_json = schema->second;
  TM_ASSIGN(file.schema, ParseAvroSchema(file.schema_json));
  return file;
}

Result<void> ReadAvroRows(const AvroFile& file, FunctionRef<Result<void>(AvroDecoder& decoder)> row) {
  const auto named = file.metadata.find("avro.codec");
  const std::string codec = named == file.metadata.end() ? "null" : named->second;
  if (codec != "null" && codec != "deflate") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("it is compressed by '{}', and Avro files are read with codec null or deflate "
                            "only: set write.avro.compression-codec=gzip where it is written",
                            codec));
  }
  AvroDecoder blocks(file.blocks);
  while (!blocks.rest().empty()) {
    TM_ASSIGN(const std::int64_t rows, blocks.Int());
    TM_ASSIGN(const std::string_view packed, blocks.Bytes());
    TM_ASSIGN(const std::string_view sync, blocks.Fixed(kSyncBytes));
    if (sync != file.sync) return Broken("a block does not end with the file's mark");
    std::string inflated;
    if (codec == "deflate") {
      TM_ASSIGN(inflated, Inflate(packed, PackedForm::kDeflate));
    }
    AvroDecoder decoder(codec == "deflate" ? std::string_view(inflated) : packed);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::size_t before = decoder.rest().size();
      if (before == 0) return Broken("a block has fewer rows than it says");
      TM_TRY(row(decoder));
      if (decoder.rest().size() == before) return Broken("a row has no byte");
    }
    if (rows < 0 || !decoder.rest().empty()) return Broken("a block has more rows than it says");
  }
  return {};
}

}  // namespace tidemark::iceberg
