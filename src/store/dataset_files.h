// Files of saved datasets: their rows, and what is kept beside them to make them again.
//
// Equal rows give equal bytes, however they come in batches and whatever the number of threads is: files are
// compared by their sums alone. Each dataset has a folder of its own in the store, by its id; its rows may
// lie elsewhere.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// By which a file is known to be what was written.
struct FileSum {
  std::int64_t bytes = 0;
  std::string hash;  // SHA-256, hexadecimal
  bool operator==(const FileSum&) const = default;
};

/// What a file of a source is like, as far as that is seen without reading all of it.
struct FileLook {
  std::int64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t end_crc = 0;  // CRC32C of its last 64 KiB: of Parquet the footer, unless it is larger
  bool operator==(const FileLook&) const = default;
};

/// Rows that are written and synced, under a name that nobody looks for: they go with this object, unless
/// they were put in their place.
class UnplacedRows {
 public:
  virtual ~UnplacedRows() = default;
  virtual std::int64_t rows() const = 0;
  virtual const FileSum& sum() const = 0;
  /// Puts them in their place, whole or not at all. kAlreadyExists for a file that is there, unless
  /// `replace`.
  virtual Result<void> Put(bool replace) = 0;
};

/// Says, as long as it lives and its process does, that a dataset is being made.
class DatasetClaim {
 public:
  virtual ~DatasetClaim() = default;
};

/// Thread safe; several processes may use it. Errors name the file: kIo, kOutOfSpace.
class DatasetFiles {
 public:
  virtual ~DatasetFiles() = default;

  /// A file of a dataset's own folder.
  virtual std::filesystem::path OwnPath(std::string_view id, std::string_view name) const = 0;
  /// Makes the folder.
  virtual Result<std::unique_ptr<DatasetClaim>> Claim(std::string_view id) = 0;
  virtual Result<bool> IsClaimed(std::string_view id) const = 0;
  /// Removes a dataset's folder; nothing happens if it is not there.
  virtual Result<void> RemoveFolder(std::string_view id) = 0;

  /// Writes rows beside the Parquet file that they are to become. kInvalidArgument for a name that does not
  /// end in .parquet, kNotFound if there is no such folder.
  virtual Result<std::unique_ptr<UnplacedRows>> Write(arrow::RecordBatchReader& rows,
                                                      const std::filesystem::path& path) = 0;
  virtual bool IsThere(const std::filesystem::path& path) const = 0;
  /// kNotFound for a file that is not there.
  virtual Result<FileSum> SumOf(const std::filesystem::path& path, const std::stop_token& stop) const = 0;
  virtual Result<FileLook> LookAt(const std::filesystem::path& path) const = 0;
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Read(const std::filesystem::path& path,
                                                                 const std::stop_token& stop) const = 0;
  /// Nothing happens if it is not there.
  virtual Result<void> Remove(const std::filesystem::path& path) = 0;
};

}  // namespace tidemark
