// Integers are the commonest values: no more is done for one than its bytes ask for.
#include "rows/avro_codec.h"

#include <bit>
#include <cstring>
#include <limits>

namespace tidemark {
namespace {

static_assert(std::endian::native == std::endian::little, "Avro's floats are little-endian");

std::unexpected<Error> BrokenValue(const char* what) {
  return Fail(ErrorCode::kCorruption, what);
}

}  // namespace

void AvroEncoder::Int(std::int64_t value) {
  auto rest = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (; rest >= 0x80; rest >>= 7)
    bytes_.push_back(static_cast<char>(rest | 0x80));
  bytes_.push_back(static_cast<char>(rest));
}

void AvroEncoder::Float(float value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AvroEncoder::Double(double value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AvroEncoder::Bytes(std::string_view value) {
  Int(static_cast<std::int64_t>(value.size()));
  bytes_ += value;
}

Result<std::int64_t> AvroDecoder::Int() {
  std::uint64_t value = 0;
  for (std::size_t at = 0; at < rest_.size(); ++at) {
    const auto byte = static_cast<std::uint8_t>(rest_[at]);
    if (at == 9 && byte > 1) return BrokenValue("an Avro integer is longer than 64 bits");
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * at);
    if ((byte & 0x80) != 0) continue;
    rest_.remove_prefix(at + 1);
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  return BrokenValue("an Avro integer is cut short");
}

Result<std::int64_t> AvroDecoder::Int32() {
  TM_ASSIGN(const std::int64_t value, Int());
  if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
    return BrokenValue("an Avro int is longer than 32 bits");
  }
  return value;
}

Result<bool> AvroDecoder::Boolean() {
  TM_ASSIGN(const std::string_view byte, Fixed(1));
  if (static_cast<unsigned char>(byte.front()) > 1) return BrokenValue("an Avro boolean is neither 0 nor 1");
  return byte.front() == '\1';
}

Result<std::string_view> AvroDecoder::Bytes() {
  TM_ASSIGN(const std::int64_t size, Int());
  if (size < 0) return BrokenValue("an Avro text has a negative length");
  return Fixed(static_cast<std::size_t>(size));
}

Result<std::string_view> AvroDecoder::Fixed(std::size_t size) {
  if (size > rest_.size()) return BrokenValue("an Avro value is cut short");
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

Result<void> AvroDecoder::Array(FunctionRef<Result<void>()> item) {
  while (true) {
    TM_ASSIGN(std::int64_t count, Int());
    if (count == 0) return {};
    if (count < 0) {
      TM_ASSIGN(const std::int64_t block_bytes, Int());
      if (block_bytes < 0 || count == std::numeric_limits<std::int64_t>::min())
        return BrokenValue("an Avro array has a block of negative size");
      count = -count;
    }
    for (; count > 0; --count) {
      // Items take at least a byte each in all that anybody keeps in arrays, so a false count ends soon.
      if (rest_.empty()) return BrokenValue("an Avro array is cut short");
      const std::size_t before = rest_.size();
      TM_TRY(item());
      if (rest_.size() == before) return BrokenValue("an Avro array has items without a byte");
    }
  }
}

Result<const AvroType*> AvroDecoder::Branch(const AvroType& type) {
  if (type.kind != AvroKind::kUnion) return &type;
  TM_ASSIGN(const std::int64_t branch, Int());
  if (branch < 0 || static_cast<std::size_t>(branch) >= type.branches.size())
    return BrokenValue("an Avro union has no such branch");
  return type.branches[static_cast<std::size_t>(branch)].get();
}

Result<void> AvroDecoder::Skip(const AvroType& type) {
  switch (type.kind) {
    case AvroKind::kNull:
      return {};
    case AvroKind::kBoolean:
      TM_TRY(Boolean());
      return {};
    case AvroKind::kInt:
    case AvroKind::kLong:
    case AvroKind::kEnum:
      TM_TRY(Int());
      return {};
    case AvroKind::kFloat:
      TM_TRY(Fixed(4));
      return {};
    case AvroKind::kDouble:
      TM_TRY(Fixed(8));
      return {};
    case AvroKind::kBytes:
    case AvroKind::kString:
      TM_TRY(Bytes());
      return {};
    case AvroKind::kFixed:
      TM_TRY(Fixed(type.size));
      return {};
    case AvroKind::kRecord:
      for (const AvroField& field : type.fields)
        TM_TRY(Skip(*field.type));
      return {};
    case AvroKind::kArray:
      return Array([&] { return Skip(*type.branches.front()); });
    case AvroKind::kMap:
      return Array([&]() -> Result<void> {
        TM_TRY(Bytes());
        return Skip(*type.branches.front());
      });
    case AvroKind::kUnion: {
      TM_ASSIGN(const AvroType* const branch, Branch(type));
      return Skip(*branch);
    }
  }
  return Fail(ErrorCode::kInternal, "an Avro type of no kind");
}

}  // namespace tidemark
