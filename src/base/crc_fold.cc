// Four registers are folded at a time, so that none waits for the last.
#include "base/crc_fold.h"

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tidemark {

#if defined(__x86_64__)
namespace {

constexpr std::size_t kRegisterBytes = sizeof(CrcRest);

__attribute__((target("avx512f"))) __m512i Factors(const CrcFactors& factors, std::size_t registers_later) {
  const auto [first, second] = factors[registers_later - 1];
  return _mm512_set4_epi64(second, first, second, first);
}

__attribute__((target("avx512f"))) __m512i LoadRegister(const std::byte* at, std::size_t i) {
  return _mm512_loadu_si512(at + i * kRegisterBytes);
}

__attribute__((target("avx512f,vpclmulqdq"))) __m512i FoldInto(__m512i next, __m512i before,
                                                               __m512i factors) {
  constexpr int kSumOfThree = 0x96;
  return _mm512_ternarylogic_epi64(next, _mm512_clmulepi64_epi128(before, factors, 0x00),
                                   _mm512_clmulepi64_epi128(before, factors, 0x11), kSumOfThree);
}

}  // namespace

bool CanFoldCrc() {
  static const bool can = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0;
  return can;
}

__attribute__((target("avx512f,vpclmulqdq"))) CrcRest FoldCrc(const CrcFactors& factors,
                                                              std::span<const std::byte> bytes,
                                                              std::uint32_t crc) {
  const std::byte* at = bytes.data();
  const __m512i begin = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc)));
  __m512i a = _mm512_xor_si512(LoadRegister(at, 0), begin);
  __m512i b = LoadRegister(at, 1);
  __m512i c = LoadRegister(at, 2);
  __m512i d = LoadRegister(at, 3);
  const __m512i over_all = Factors(factors, 4);
  for (at += kCrcFoldBytes; at != bytes.data() + bytes.size(); at += kCrcFoldBytes) {
    a = FoldInto(LoadRegister(at, 0), a, over_all);
    b = FoldInto(LoadRegister(at, 1), b, over_all);
    c = FoldInto(LoadRegister(at, 2), c, over_all);
    d = FoldInto(LoadRegister(at, 3), d, over_all);
  }
  d = FoldInto(d, a, Factors(factors, 3));
  d = FoldInto(d, b, Factors(factors, 2));
  d = FoldInto(d, c, Factors(factors, 1));
  CrcRest rest{};
  _mm512_storeu_si512(rest.data(), d);
  return rest;
}
#else
bool CanFoldCrc() {
  return false;
}

CrcRest FoldCrc(const CrcFactors&, std::span<const std::byte>, std::uint32_t) {
  TM_CHECK(false, "the processor cannot fold checksums");
}
#endif

}  // namespace tidemark
