// Keyed hashes: what stands for a key where the key itself must not be found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// What stands for a key. Without the secret nobody can tell of which.
struct KeyMark {
  std::array<std::byte, 32> digest{};  // HMAC-SHA256
  std::uint16_t tag = 0;               // of a cheap keyed hash: keys of other tags need no digest
  bool operator==(const KeyMark&) const = default;
};

/// Thread safe.
class KeyedHash {
 public:
  using Secret = std::array<std::byte, 32>;
  explicit KeyedHash(const Secret& secret);

  std::uint16_t TagOf(std::string_view key) const;
  std::array<std::byte, 32> DigestOf(std::string_view key) const;
  KeyMark MarkOf(std::string_view key) const { return {DigestOf(key), TagOf(key)}; }

 private:
  Secret secret_;
  std::uint64_t seed_ = 0;  // of tags
};

/// The secret of a store: 32 random bytes in a file that only its owner may read. Thread safe; processes that
/// make it at the same time end with one.
class KeyedHashFile {
 public:
  explicit KeyedHashFile(std::string path) : path_(std::move(path)) {}

  /// The hash with the file's secret, read once. Without the file: a new one with `make`, or else
  /// kCorruption, because something was hashed with it that cannot be understood any more. kIo, kOutOfSpace.
  Result<std::shared_ptr<const KeyedHash>> Get(bool make) const;

 private:
  const std::string path_;
  mutable std::mutex mutex_;  // guards hash_
  mutable std::shared_ptr<const KeyedHash> hash_;
};

/// Lowercase hexadecimal digits, two for each byte; and back: false for any other text.
std::string ToHex(std::span<const std::byte> bytes);
bool FromHex(std::string_view text, std::span<std::byte> bytes);

}  // namespace tidemark
