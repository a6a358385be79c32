// Files whose names say the CRC32C of what is in them: `<stem>-crc0a1b2c3d<ending>`.
//
// Neither JSON nor Avro nor Parquet's footer has a checksum. The name of each file of a table lies in another
// one (data file in manifest, manifest in manifest list, that in the metadata, and the metadata's in the
// catalog), so with the checksum in the name every byte of a table is covered, and other engines need not
// know. A file of another engine has no such name, and is read as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::iceberg {

/// `<stem>-crc0a1b2c3d<ending>`.
std::string ChecksumName(std::string_view stem, std::uint32_t crc, std::string_view ending);

/// The checksum that a file's name or path says; nothing if it says none.
std::optional<std::uint32_t> ChecksumOf(std::string_view path);

/// Writes a new file in `folder`, synced (its folder is not), and returns its path. Nothing is left of one
/// that fails. kOutOfSpace, kIo.
Result<std::filesystem::path> WriteNamedFile(const std::filesystem::path& folder, std::string_view stem,
                                             std::string_view ending, std::string_view bytes);

/// All bytes of a file. kCorruption if they are not what its name says, or not `length` if that is given;
/// kNotFound if there is no such file.
Result<std::string> ReadNamedFile(const std::filesystem::path& path,
                                  std::optional<std::int64_t> length = std::nullopt);

/// Syncs what was made or removed in a folder.
Result<void> SyncFolder(const std::filesystem::path& folder);

/// The error of a system call that failed with `errno`, for instance "cannot write '/x': ...".
Error SystemError(std::string_view doing, const std::filesystem::path& path, int system_errno);

/// "file:///x" for "/x".
std::string ToLocation(const std::filesystem::path& path);
/// The path of "file:///x", "file:/x" or "/x". kUnsupported for another scheme.
Result<std::filesystem::path> ToPath(std::string_view location);

}  // namespace tidemark::iceberg
