// OpenSSL's.
#include "base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace tidemark {

Sha256Digest Sha256(std::string_view text) {
  Sha256Digest digest{};
  unsigned length = 0;
  const int done = EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()),
                              &length, EVP_sha256(), nullptr);
  TM_CHECK(done == 1 && length == digest.size(), "SHA-256 failed");
  return digest;
}

Sha256Sum::Sha256Sum() : context_(EVP_MD_CTX_new()) {
  TM_CHECK(context_ != nullptr, "out of memory");
  const int done = EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr);
  TM_CHECK(done == 1, "SHA-256 failed");
}

Sha256Sum::~Sha256Sum() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256Sum::Add(std::span<const std::byte> bytes) {
  const int done = EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
  TM_CHECK(done == 1, "SHA-256 failed");
}

Sha256Digest Sha256Sum::Finish() {
  Sha256Digest digest{};
  unsigned length = 0;
  const int done = EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_),
                                      reinterpret_cast<unsigned char*>(digest.data()), &length);
  TM_CHECK(done == 1 && length == digest.size(), "SHA-256 failed");
  return digest;
}

Sha256Digest HmacSha256(std::span<const std::byte> key, std::string_view text) {
  Sha256Digest digest{};
  unsigned length = 0;
  const auto* const made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                reinterpret_cast<unsigned char*>(digest.data()), &length);
  TM_CHECK(made != nullptr && length == digest.size(), "HMAC-SHA256 failed");
  return digest;
}

}  // namespace tidemark
