// Bytes that stand for join keys and sort as they do; the layout is drawn in the header.
#include "model/key_codec.h"

#include <array>
#include <span>

#include "base/hash.h"

namespace tidemark {
namespace {

template <typename Unsigned>
void AppendBigEndian(Unsigned value, std::string& out) {
  std::array<char, sizeof(Unsigned)> bytes{};
  for (std::size_t i = bytes.size(); i-- > 0; value = static_cast<Unsigned>(value >> 8)) {
    bytes[i] = static_cast<char>(value & 0xFF);
  }
  out.append(bytes.data(), bytes.size());
}

}  // namespace

void AppendViewId(std::uint32_t view_id, std::string& out) {
  AppendBigEndian(view_id, out);
}

void AppendKeyInt64(std::int64_t value, std::string& out) {
  // With the sign bit flipped, negative numbers come before the others.
  AppendBigEndian(static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63), out);
}

void AppendKeyBool(bool value, std::string& out) {
  out += value ? '\1' : '\0';
}

void AppendKeyBytes(std::string_view value, std::string& out) {
  // The terminator is below every escaped zero, so a value comes before those that it begins.
  for (std::size_t zero = value.find('\0'); zero != std::string_view::npos; zero = value.find('\0')) {
    out.append(value.substr(0, zero + 1));
    out += '\xFF';
    value.remove_prefix(zero + 1);
  }
  out.append(value);
  out.append("\0\1", 2);
}

void AppendKeyValue(const KeyValue& value, std::string& out) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return AppendKeyInt64(*number, out);
  if (const auto* truth = std::get_if<bool>(&value)) return AppendKeyBool(*truth, out);
  AppendKeyBytes(std::get<std::string_view>(value), out);
}

std::string StoredKey(std::string_view full_key) {
  if (!IsLongKey(full_key)) return std::string(full_key);
  std::string key(full_key.substr(0, kOnlineKeyPrefixBytes));
  const std::array<std::byte, 16> hash = Hash128(std::as_bytes(std::span(full_key)));
  for (const std::byte b : hash)
    key += static_cast<char>(b);
  return key;
}

}  // namespace tidemark
