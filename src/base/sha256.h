// SHA-256, plain and keyed.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace tidemark {

using Sha256Digest = std::array<std::byte, 32>;

Sha256Digest Sha256(std::string_view text);

/// HMAC-SHA256 with a key of any length (RFC 2104).
Sha256Digest HmacSha256(std::span<const std::byte> key, std::string_view text);

}  // namespace tidemark
