// An open file of the operating system, and the few calls on one that several adapters make.
//
// These answer as the system does, 0 or an errno: each adapter makes its own error of that, which says what
// the file was to it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace tidemark {

/// Closes what it holds, if that is a descriptor at all.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close();

 private:
  int fd_;
};

/// Writes all of `bytes` at the file's position.
int WriteAll(const FileDescriptor& file, std::span<const std::byte> bytes);

/// Syncs a file, or the names in a folder.
int SyncPath(const std::string& path);

}  // namespace tidemark
