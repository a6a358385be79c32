// Three bytes are four letters.
#include "rows/base64.h"

#include <array>
#include <cstdint>

namespace tidemark {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoLetter = 255;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoLetter);
  for (std::size_t i = 0; i < kLetters.size(); ++i)
    values.at(static_cast<std::uint8_t>(kLetters[i])) = static_cast<std::uint8_t>(i);
  return values;
}();

}  // namespace

void AppendBase64(std::string& out, std::string_view bytes) {
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t letters = 0;
  const auto put = [&](std::uint32_t value) {
    out.push_back(kLetters[value & 63U]);
    ++letters;
  };
  for (const char byte : bytes) {
    bits = (bits << 8U) | static_cast<std::uint8_t>(byte);
    held += 8;
    while (held >= 6) {
      held -= 6;
      put(bits >> held);
    }
  }
  if (held > 0) put(bits << (6 - held));
  for (; letters % 4 != 0; ++letters)
    out.push_back('=');
}

bool DecodeBase64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && text.ends_with('='); ++i)
      text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return false;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char letter : text) {
    const std::uint8_t value = kValues.at(static_cast<std::uint8_t>(letter));
    if (value == kNoLetter) return false;
    bits = (bits << 6U) | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>((bits >> held) & 255U));
    }
  }
  return (bits & ((1U << held) - 1)) == 0;
}

}  // namespace tidemark
