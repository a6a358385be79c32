// Finds the files of a source: one file, a glob, or a folder with all that is below it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "store/source.h"

namespace tidemark {

/// One `name=value` folder on the way to a file, url-decoded; no value stands for Hive's null partition.
struct PartitionValue {
  std::string name;
  std::optional<std::string> value;
};

/// What a folder's name says; nothing for one that is no `name=value`.
std::optional<PartitionValue> ReadFolderName(std::string_view folder);

/// kNotFound for an address such as s3://bucket/folder, which a folder's name would be made of otherwise.
Result<void> CheckIsPath(const std::string& path);

/// Whether a path is a pattern.
bool HasWildcard(std::string_view path);

struct ListedFile {
  SourceFile file;
  std::vector<PartitionValue> partitions;  // outermost first
};

struct FileListing {
  FileFormat format = FileFormat::kParquet;
  std::vector<ListedFile> files;  // by path; never empty
};

/// Lists the files that `path` (absolute) stands for. A folder stands for every file below it, a glob (`*`,
/// `?`,
/// `[...]` within one component, `**` for any number of folders) for the files that match and those below the
/// folders that match; hidden ones and names that start with `_` are passed over, links are followed. If
/// `format` is not given, it is known by the files' endings (.parquet, .pq, .csv, .csv.gz), and files of a
/// folder with other endings are passed over. kNotFound if there is no file, kInvalidArgument if the format
/// is unclear, kIo if a folder cannot be read.
Result<FileListing> ListFiles(const std::filesystem::path& path, std::optional<FileFormat> format);

}  // namespace tidemark
