// A file that appears under its name whole or not at all.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "base/sha256.h"

namespace tidemark {

/// Bytes that are written beside their place. What was not put in its place goes with this object. Errors
/// name the file: kNotFound if there is no such folder, kOutOfSpace, kIo.
class NewFile {
 public:
  static Result<std::unique_ptr<NewFile>> Begin(const std::filesystem::path& place);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Result<void> Append(std::span<const std::byte> bytes);
  /// SHA-256 of all that was appended, hexadecimal; nothing may be appended behind it.
  std::string Hash();
  /// Synced, and over what is there.
  Result<void> Put();

 private:
  NewFile(std::filesystem::path place, std::string path, FileDescriptor file);

  const std::filesystem::path place_;
  std::string path_;  // empty once it is in its place
  FileDescriptor file_;
  Sha256Sum sum_;
};

}  // namespace tidemark
