// By OpenSSL.
#include "base/md5.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace tidemark {

std::array<std::byte, 16> Md5(std::string_view bytes) {
  std::array<std::byte, 16> digest{};
  unsigned int size = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                              &size, EVP_md5(), nullptr);
  TM_CHECK(done == 1 && size == digest.size(), "OpenSSL computes MD5");
  return digest;
}

}  // namespace tidemark
