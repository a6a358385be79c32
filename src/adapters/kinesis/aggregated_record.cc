// The two messages are read by hand: there is little of them, and their bytes are somebody else's.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "adapters/kinesis/aggregated_record_internal.h"
#include "base/md5.h"

namespace tidemark::kinesis {
namespace {

constexpr std::string_view kMagic = "\xF3\x89\x9A\xC2";
constexpr std::size_t kDigestBytes = 16;

/// One field of a message in protobuf's encoding.
struct WireField {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  // of an integer
  std::string_view bytes;   // of a text or message
  bool is_bytes = false;
};

/// Fields one after the other.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  bool is_at_end() const { return left_.empty(); }

  /// False for bytes that are no field, or of a kind that these messages have not.
  bool Next(WireField& field) {
    constexpr std::uint64_t kVarint = 0;
    constexpr std::uint64_t kBytes = 2;
    std::uint64_t tag = 0;
    if (!Varint(tag) || tag >> 3 == 0) return false;
    field = {.number = tag >> 3, .value = 0, .bytes = {}, .is_bytes = (tag & 7) == kBytes};
    if ((tag & 7) == kVarint) return Varint(field.value);
    std::uint64_t size = 0;
    if (!field.is_bytes || !Varint(size) || size > left_.size()) return false;
    field.bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

 private:
  bool Varint(std::uint64_t& out) {
    constexpr unsigned kBitsMax = 64;
    out = 0;
    for (unsigned shift = 0; shift < kBitsMax && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  std::string_view left_;
};

/// 128 bits, big-endian, as a decimal number.
std::string DecimalOf(const std::array<std::byte, kDigestBytes>& digest) {
  std::array<unsigned, kDigestBytes> number{};
  std::ranges::transform(digest, number.begin(),
                         [](std::byte byte) { return std::to_integer<unsigned>(byte); });
  std::string digits;
  while (std::ranges::any_of(number, [](unsigned part) { return part != 0; })) {
    unsigned rest = 0;
    for (unsigned& part : number) {
      const unsigned whole = rest * 256 + part;
      part = whole / 10;
      rest = whole % 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  if (digits.empty()) digits = "0";
  std::ranges::reverse(digits);
  return digits;
}

bool IsLess(std::string_view one, std::string_view other) {
  return one.size() != other.size() ? one.size() < other.size() : one < other;
}

struct Tables {
  std::vector<std::string_view> keys;
  std::vector<std::string_view> hash_keys;
};

bool ReadRecord(std::string_view bytes, const Tables& tables, PackedRecord& record) {
  std::optional<std::uint64_t> key;
  std::optional<std::uint64_t> hash_key;
  bool has_data = false;
  WireReader reader(bytes);
  while (!reader.is_at_end()) {
    WireField field;
    if (!reader.Next(field)) return false;
    if (field.number == 1 && !field.is_bytes) key = field.value;
    if (field.number == 2 && !field.is_bytes) hash_key = field.value;
    if (field.number == 3 && field.is_bytes) {
      record.data = field.bytes;
      has_data = true;
    }
  }
  if (!has_data || !key || *key >= tables.keys.size()) return false;
  if (hash_key && *hash_key >= tables.hash_keys.size()) return false;
  record.key = tables.keys[*key];
  record.hash_key = hash_key ? std::string(tables.hash_keys[*hash_key]) : DecimalOf(Md5(record.key));
  return true;
}

}  // namespace

std::optional<std::vector<PackedRecord>> UnpackAggregated(std::string_view data) {
  if (!data.starts_with(kMagic) || data.size() < kMagic.size() + kDigestBytes) return std::nullopt;
  const std::string_view message = data.substr(kMagic.size(), data.size() - kMagic.size() - kDigestBytes);
  const auto digest = Md5(message);
  if (std::memcmp(digest.data(), data.data() + data.size() - kDigestBytes, kDigestBytes) != 0)
    return std::nullopt;
  Tables tables;
  std::vector<std::string_view> packed;
  WireReader reader(message);
  while (!reader.is_at_end()) {
    WireField field;
    if (!reader.Next(field)) return std::nullopt;
    if (!field.is_bytes) continue;
    if (field.number == 1) tables.keys.push_back(field.bytes);
    if (field.number == 2) tables.hash_keys.push_back(field.bytes);
    if (field.number == 3) packed.push_back(field.bytes);
  }
  std::vector<PackedRecord> records(packed.size());
  for (std::size_t i = 0; i < packed.size(); ++i) {
    if (!ReadRecord(packed[i], tables, records[i])) return std::nullopt;
  }
  return records;
}

bool IsInRange(const PackedRecord& record, const HashKeyRange& range) {
  return !IsLess(record.hash_key, range.first) && !IsLess(range.last, record.hash_key);
}

}  // namespace tidemark::kinesis
