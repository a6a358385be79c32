// HMAC by OpenSSL, tags by XXH3 with a seed made of the secret, and the secret's file.
#include "base/keyed_hash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/file_descriptor.h"
#include "base/hash.h"

namespace tidemark {
namespace {

std::unexpected<Error> Failed(const std::string& path, std::string_view what, int error) {
  const bool is_full = IsDiskFull(error);
  return Fail(is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
              fmt::format("cannot {} '{}': {}", what, path, std::generic_category().message(error)));
}

/// Nothing if there is no file.
Result<std::optional<KeyedHash::Secret>> ReadSecret(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) return Failed(path, "open", errno);
  KeyedHash::Secret secret{};
  const ssize_t got = ::read(file.get(), secret.data(), secret.size());
  if (got < 0) return Failed(path, "read", errno);
  if (static_cast<std::size_t>(got) != secret.size()) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' has {} bytes and should have {}: restore it from a backup", path, got,
                            secret.size()));
  }
  return secret;
}

Result<void> WriteSecret(const std::string& path) {
  KeyedHash::Secret secret{};
  std::array<std::byte, 8> name{};
  if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size()) ||
      ::getrandom(name.data(), name.size(), 0) != static_cast<ssize_t>(name.size()))
    return Failed(path, "get random bytes for", errno);
  const std::string unfinished = fmt::format("{}.{}.new", path, ToHex(name));
  const auto write = [&]() -> Result<void> {
    const FileDescriptor file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) return Failed(unfinished, "make", errno);
    const int error = WriteAll(file, secret);
    if (error != 0) return Failed(unfinished, "write", error);
    if (::fsync(file.get()) != 0) return Failed(unfinished, "sync", errno);
    // Whoever is first gives the secret; the others take theirs back.
    if (::link(unfinished.c_str(), path.c_str()) != 0 && errno != EEXIST) return Failed(path, "make", errno);
    return {};
  };
  Result<void> written = write();
  ::unlink(unfinished.c_str());
  TM_TRY(std::move(written));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int error = SyncPath(folder);
  return error == 0 ? Result<void>() : Failed(folder, "sync the folder", error);
}

}  // namespace

KeyedHash::KeyedHash(const Secret& secret) : secret_(secret) {
  const auto digest = DigestOf("tag");
  std::memcpy(&seed_, digest.data(), sizeof(seed_));
}

std::uint16_t KeyedHash::TagOf(std::string_view key) const {
  return static_cast<std::uint16_t>(Hash64(std::as_bytes(std::span(key)), seed_));
}

std::array<std::byte, 32> KeyedHash::DigestOf(std::string_view key) const {
  std::array<std::byte, 32> digest{};
  unsigned length = 0;
  const auto* const made = HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                                reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                                reinterpret_cast<unsigned char*>(digest.data()), &length);
  TM_CHECK(made != nullptr && length == digest.size(), "HMAC-SHA256 failed");
  return digest;
}

Result<std::shared_ptr<const KeyedHash>> KeyedHashFile::Get(bool make) const {
  const std::lock_guard lock(mutex_);
  if (hash_ != nullptr) return hash_;
  TM_ASSIGN(auto secret, ReadSecret(path_));
  if (!secret && make) {
    TM_TRY(WriteSecret(path_));
    TM_ASSIGN(secret, ReadSecret(path_));
  }
  if (!secret) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' is missing: without it nobody can tell which rows have been erased. "
                            "Restore it from a backup",
                            path_));
  }
  hash_ = std::make_shared<const KeyedHash>(*secret);
  return hash_;
}

std::string ToHex(std::span<const std::byte> bytes) {
  std::string hex;
  for (const std::byte byte : bytes)
    hex += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return hex;
}

bool FromHex(std::string_view text, std::span<std::byte> bytes) {
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = 0;
    const char* const begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
    if (error != std::errc{} || end != begin + 2) return false;
    bytes[i] = static_cast<std::byte>(value);
  }
  return true;
}

}  // namespace tidemark
