// SHA-256, plain and keyed.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace tidemark {

using Sha256Digest = std::array<std::byte, 32>;

Sha256Digest Sha256(std::string_view text);

/// SHA-256 of bytes that come in pieces.
class Sha256Sum {
 public:
  Sha256Sum();
  ~Sha256Sum();
  Sha256Sum(const Sha256Sum&) = delete;
  Sha256Sum& operator=(const Sha256Sum&) = delete;

  void Add(std::span<const std::byte> bytes);
  /// Of all that was added; nothing may be added behind it.
  Sha256Digest Finish();

 private:
  void* context_;  // OpenSSL's
};

/// HMAC-SHA256 with a key of any length (RFC 2104).
Sha256Digest HmacSha256(std::span<const std::byte> key, std::string_view text);

}  // namespace tidemark
