// Checksums over a data file's blocks, so that no byte that is read of it goes unchecked.
//
// Parquet's page checksums leave out page headers and the footer. A data file of ours states in its footer,
// as "tidemark.blocks", the CRC32C of each block of kBlockBytes up to the footer (the last block is shorter):
//
//   <block bytes> <bytes before the footer> <CRC of each block, 8 hexadecimal digits each>
//
// and its name says the CRC32C of the footer, which is all from there to the file's end (named_file.h).
#pragma once

#include <arrow/io/interfaces.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::iceberg {

inline constexpr std::int64_t kBlockBytes = 32 * 1024;
inline constexpr std::string_view kBlocksKey = "tidemark.blocks";

/// Checksums of bytes that come one after another.
class BlockChecksums {
 public:
  void Add(std::string_view bytes);
  std::int64_t bytes() const { return bytes_; }
  /// The text for the footer.
  std::string ToString() const;

 private:
  std::vector<std::uint32_t> full_;
  std::uint32_t partial_ = 0;
  std::int64_t bytes_ = 0;
};

/// What a footer says of the bytes before it.
struct CheckedBlocks {
  std::vector<std::uint32_t> crcs;
  std::int64_t bytes = 0;
};

/// Reads the footer's text. kCorruption if it does not make sense.
Result<CheckedBlocks> ParseBlocks(std::string_view text);

/// `file` up to its footer, each block of which is checked when any of it is read. Reading a damaged block,
/// or beyond the blocks, fails with a status that says where.
std::shared_ptr<arrow::io::RandomAccessFile> WithCheckedBlocks(
    std::shared_ptr<arrow::io::RandomAccessFile> file, std::shared_ptr<const CheckedBlocks> blocks);

}  // namespace tidemark::iceberg
