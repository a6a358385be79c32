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

namespace {

std::optional<std::string_view> TakeBytes(std::string_view& key, std::size_t count) {
  if (key.size() < count) return std::nullopt;
  const std::string_view bytes = key.substr(0, count);
  key.remove_prefix(count);
  return bytes;
}

std::optional<std::int64_t> TakeInt64(std::string_view& key) {
  const auto bytes = TakeBytes(key, sizeof(std::int64_t));
  if (!bytes) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : *bytes)
    value = value << 8U | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value ^ (std::uint64_t{1} << 63U));
}

bool TakeText(std::string_view& key, std::string& text) {
  text.clear();
  while (true) {
    const std::size_t zero = key.find('\0');
    if (zero == std::string_view::npos || zero + 1 == key.size()) return false;
    const char next = key[zero + 1];
    text.append(key.substr(0, zero));
    key.remove_prefix(zero + 2);
    if (next == '\1') return true;
    if (next != '\xFF') return false;
    text.push_back('\0');
  }
}

}  // namespace

std::optional<KeyValue> TakeKeyValue(const DataType& type, std::string_view& key, std::string& text) {
  if (type.kind == TypeKind::kString || type.kind == TypeKind::kBinary) {
    if (!TakeText(key, text)) return std::nullopt;
    return std::string_view(text);
  }
  if (type.kind == TypeKind::kBool) {
    const auto byte = TakeBytes(key, 1);
    if (!byte || static_cast<unsigned char>(byte->front()) > 1) return std::nullopt;
    return byte->front() == '\1';
  }
  if (const auto value = TakeInt64(key)) return *value;
  return std::nullopt;
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
