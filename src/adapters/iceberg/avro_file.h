// Avro's object container files (Avro 1.11 specification).
//
//   "Obj" 1, metadata (a map of bytes: avro.schema, avro.codec, and what the writer adds), 16 bytes that mark
//   the end of each block; then blocks: count of rows, size in bytes, the rows (compressed by the codec), the
//   mark.
//
// The format has no checksum: whoever keeps such a file keeps its length and CRC32C elsewhere
// (checked_file.h).
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "rows/avro_codec.h"
#include "rows/avro_schema.h"

namespace tidemark::iceberg {

using AvroMetadata = std::map<std::string, std::string>;

/// Rows to one container, not compressed.
class AvroFileWriter {
 public:
  /// `metadata` with avro.schema in it.
  explicit AvroFileWriter(AvroMetadata metadata);

  /// Where the next row is encoded to; call EndRow after each.
  AvroEncoder& row() { return block_; }
  void EndRow();
  /// The whole file.
  std::string Finish();

 private:
  void EndBlock();

  std::string sync_;
  std::string bytes_;
  AvroEncoder block_;
  std::int64_t block_rows_ = 0;
};

/// A container file's header.
struct AvroFile {
  AvroMetadata metadata;
  std::string schema_json;
  std::shared_ptr<const AvroType> schema;
  std::string sync;
  std::string_view blocks;  // all that comes after the header
};

/// Reads the header. kCorruption for what is no Avro file, kUnsupported for a codec other than null and
/// deflate. `bytes` must outlive the result.
Result<AvroFile> OpenAvroFile(std::string_view bytes);

/// Calls `row` for each row, which must read exactly that row. kCorruption where the file does not add up.
Result<void> ReadAvroRows(const AvroFile& file, FunctionRef<Result<void>(AvroDecoder& decoder)> row);

}  // namespace tidemark::iceberg
